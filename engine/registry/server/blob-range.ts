/** Part of a file, chunk by chunk: the next one is read when it is asked for. */

import { open } from 'node:fs/promises';

/** One buffer for a whole file: it stays in the processor's cache, and a slow client costs no more than that. */
const CHUNK_SIZE = 512 * 1024;

/**
 * A chunk is valid until the next one is asked for.
 * @throws Error if the file ends before `end`
 */
export async function* blobRange(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_SIZE, end - start));
    for (let at = start; at < end; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
      if (bytesRead === 0) throw new Error(`${path} ends at byte ${at} before ${end}: it is damaged`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
