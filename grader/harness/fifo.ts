/** How the judge tells a program under test something it could not know before: through a FIFO of its own. fifo(7). */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mknod, S_IFIFO } from '../../engine/kernel/nodes.ts';
import { stopwatch } from './own-time.ts';

/** @param directory `outside` of a workDir. @returns the FIFO's path there; the subject may read and write it. */
export function makeFifo(directory: string, name: string): string {
  const file = path.join(directory, name);
  mknod(file, S_IFIFO | 0o666);
  fs.chmodSync(file, 0o666);
  return file;
}

/**
 * Write `text` to a FIFO once a program has opened it for reading.
 * @param patience milliseconds. @throws Error when nobody reads in time.
 */
export async function tell(fifo: string, text: string, patience = 3_000): Promise<void> {
  const flags = fs.constants.O_WRONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOFOLLOW;
  for (const elapsed = stopwatch(); ; ) {
    try {
      const fd = fs.openSync(fifo, flags);
      fs.writeSync(fd, text);
      fs.closeSync(fd);
      return;
    } catch (error) {
      // ENXIO: there is no reader yet, and no event that says when there is.
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    if (elapsed() > patience)
      throw new Error(
        `The program under test did not open ${path.basename(fifo)} for reading within ${patience / 1000} s.`,
      );
    await sleep(5);
  }
}
