/** The daemon's bundle begins here. */

import * as z from 'zod';
import { runDaemon } from './daemon.ts';

// To compile a schema takes 15 ms and saves microseconds a document: a daemon has few to read.
z.config({ jitless: true });

// What is made in images, volumes and containers is for everybody there, whatever its user is used to; what is not, has
// a mode of its own. The shim and the others that the daemon starts inherit it.
process.umask(0o022);

void runDaemon(process.argv.slice(2)).then((code) => {
  process.exit(code);
});
