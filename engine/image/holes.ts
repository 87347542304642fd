/** Files as they are written: what is zero needs no place on the disk. */

import { ftruncateSync, writeSync } from 'node:fs';
import type { TarReader } from './tar-reader.ts';

const ZEROS = Buffer.alloc(64 * 1024);
/** Bytes: file systems have no smaller holes. */
const HOLE_MIN = 4096;

/** Whether a piece is worth a hole. Looking costs next to nothing: memcmp(3) ends at the first byte that differs. */
export function isZeros(piece: Buffer): boolean {
  if (piece.length < HOLE_MIN) return false;
  for (let at = 0; at < piece.length; at += ZEROS.length) {
    const part = piece.subarray(at, at + ZEROS.length);
    if (part.compare(ZEROS, 0, part.length) !== 0) return false;
  }
  return true;
}

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
