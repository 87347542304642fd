/** The uncompressed tar of a layer: decompressed, hashed and consumed in one pass over its bytes. */

import { createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { type Compression, decompress, type ExpansionLimits } from './compression.ts';
import { type Digest, DigestStream } from './digest.ts';

export interface ConsumeOptions {
  compression: Compression;
  /** Reads as much as it likes: what it leaves is read after it. */
  consume: (tar: AsyncIterable<Buffer>) => Promise<unknown>;
  /** Whether the digest is wanted. */
  hash: boolean;
  limits?: ExpansionLimits;
}

export interface ConsumedTar {
  /** The layer's diffID. */
  digest?: Digest;
  /** Bytes. */
  size: number;
}

/** @param bytes a chunk may be overwritten when the next is asked for, unless it is compressed. */
export async function consumeTar(bytes: AsyncIterable<Buffer>, options: ConsumeOptions): Promise<ConsumedTar> {
  const { compression, consume, hash, limits } = options;
  if (compression !== 'none') return consumeCompressed(bytes, { compression, consume, limits });
  const sum = hash ? createHash('sha256') : undefined;
  let size = 0;
  async function* counted() {
    for await (const chunk of bytes) {
      sum?.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  const tar = counted();
  const shared = unclosed(tar);
  try {
    await consume(shared);
    await drain(shared);
  } finally {
    await tar.return();
  }
  return { size, ...(sum && { digest: `sha256:${sum.digest('hex')}` as Digest }) };
}

async function consumeCompressed(
  bytes: AsyncIterable<Buffer>,
  { compression, consume, limits }: Omit<ConsumeOptions, 'hash'>,
): Promise<ConsumedTar> {
  const hashed = new DigestStream({ highWaterMark: 1024 * 1024 });
  const source = unclosed(bytes[Symbol.asyncIterator]());
  // What fails in between destroys `hashed` with its error, which is where the consumer meets it.
  pipeline(decompress(Readable.from(source, { objectMode: false }), compression, limits), hashed, () => {});
  try {
    const shared = unclosed(hashed[Symbol.asyncIterator]() as AsyncIterator<Buffer>);
    await consume(shared);
    await drain(shared);
    // Behind the end of the compressed data there may be more, which belongs to the blob all the same.
    await drain(source);
    return { digest: hashed.digest(), size: hashed.size };
  } finally {
    hashed.destroy();
  }
}

/** A reader that stops does not end it for the next reader. */
function unclosed(source: AsyncIterator<Buffer>): AsyncIterable<Buffer> {
  return { [Symbol.asyncIterator]: () => ({ next: () => source.next() }) };
}

export async function drain(source: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of source);
}
