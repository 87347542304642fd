/** Files as they are written: what is zero needs no place on the disk. */

import { ftruncateSync, writeSync } from 'node:fs';
import { isZeros } from '../runtime/zeros.ts';
import type { TarReader } from './tar-reader.ts';

/** Write the content of the entry that `tar` is at into a file that is new and empty. @param size of the whole file. */
export async function writeEntry(fd: number, tar: TarReader, size: number): Promise<void> {
  let end = 0;
  for (;;) {
    const got = tar.read();
    const piece = got instanceof Promise ? await got : got;
    if (!piece) break;
    if (isZeros(piece.data)) continue;
    for (let done = 0; done < piece.data.length; )
      done += writeSync(fd, piece.data, done, piece.data.length - done, piece.offset + done);
    end = piece.offset + piece.data.length;
  }
  if (end < size) ftruncateSync(fd, size);
}
