/** Part of a file, chunk by chunk: the next one is read when it is asked for. */

import { open } from 'node:fs/promises';

const CHUNK_SIZE = 256 * 1024;

/** @throws Error if the file ends before `end` */
export async function* blobRange(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    for (let at = start; at < end; ) {
      const { bytesRead, buffer } = await file.read(
        Buffer.allocUnsafeSlow(Math.min(CHUNK_SIZE, end - at)),
        0,
        undefined,
        at,
      );
      if (bytesRead === 0) throw new Error(`${path} ends at byte ${at} before ${end}: it is damaged`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
