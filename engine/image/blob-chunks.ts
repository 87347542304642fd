/** Reading a stored layer from front to back. */

import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { HEAD } from './compression.ts';
import type { Digest } from './digest.ts';
import type { Store } from './store.ts';

/** In one buffer that is used again and again: it stays in the processor's cache. */
const CHUNK_SIZE = 256 * 1024;
/** After so many chunks any other program that waits for this thread has a turn. */
const CHUNKS_AT_ONCE = 8;

/**
 * @param options.reuse every chunk is in the same memory, valid until the next one is asked for.
 * @throws BlobNotFound
 */
export async function blobChunks(
  store: Store,
  digest: Digest,
  options: { reuse: boolean },
): Promise<AsyncIterable<Buffer>> {
  await store.stat(digest);
  return read(store.path(digest), options.reuse);
}

/** A file from front to back without a pause; a chunk is valid until the next one is asked for. */
export function* chunksOfFile(path: string): Generator<Buffer> {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafeSlow(CHUNK_SIZE);
    for (let length = 1; length > 0; ) {
      length = readSync(fd, buffer, 0, CHUNK_SIZE, null);
      if (length > 0) yield buffer.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}

async function* read(path: string, reuse: boolean): AsyncGenerator<Buffer> {
  const fd = openSync(path, 'r');
  try {
    let buffer = Buffer.allocUnsafeSlow(CHUNK_SIZE);
    for (let count = 1; ; count++) {
      const length = readSync(fd, buffer, 0, CHUNK_SIZE, null);
      if (length === 0) return;
      yield buffer.subarray(0, length);
      if (!reuse) buffer = Buffer.allocUnsafeSlow(CHUNK_SIZE);
      if (count % CHUNKS_AT_ONCE === 0) await setImmediate();
    }
  } finally {
    closeSync(fd);
  }
}

/** Enough to tell its compression. */
export async function firstBytes(store: Store, blob: Digest): Promise<Uint8Array> {
  await store.stat(blob);
  const file = await open(store.path(blob));
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
