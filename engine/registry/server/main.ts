/** The registry's bundle begins here. */

import { runRegistry } from './command-line.ts';

void runRegistry(process.argv.slice(2)).then((code) => {
  process.exit(code);
});
