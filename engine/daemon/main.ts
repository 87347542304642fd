/** The daemon's bundle begins here. */

import * as z from 'zod';
import { runDaemon } from './daemon.ts';

// To compile a schema takes 15 ms and saves microseconds a document: a daemon has few to read.
z.config({ jitless: true });

void runDaemon(process.argv.slice(2)).then((code) => {
  process.exit(code);
});
