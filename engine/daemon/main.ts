/** The daemon's bundle begins here. */

import { runDaemon } from './daemon.ts';

void runDaemon(process.argv.slice(2)).then((code) => {
  process.exit(code);
});
