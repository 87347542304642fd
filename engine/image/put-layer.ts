/** A layer on its way in: stored, decompressed, hashed and, if wanted, unpacked in one pass over its bytes. */

import { pipeline, Readable } from 'node:stream';
import type { BlobWriter } from './blob-writer.ts';
import { type Compression, compressionOf, decompress, type ExpansionLimits } from './compression.ts';
import { type Digest, DigestStream } from './digest.ts';
import { type LayerDescriptor, MEDIA_TYPE } from './documents.ts';
import { explainFullDisk } from './scratch.ts';
import { type Blob, BlobCorrupt, type Store } from './store.ts';

export interface StoredLayer {
  /** Of the blob as it is stored. */
  descriptor: LayerDescriptor;
  /** The digest of its uncompressed tar. OCI image-spec, config.md, "Layer DiffID". */
  diffId: Digest;
  /** Bytes of its uncompressed tar. */
  tarSize: number;
}

export interface PutLayerOptions {
  /** What the bytes must be: nothing is stored when they are not. */
  expected?: Partial<Blob> & { diffId?: Digest };
  /**
   * Reads the uncompressed tar while it is stored, to its end. When it fails nothing is stored; when it ends its result
   * is not to be trusted before `putLayer` has resolved.
   */
  consume?: (tar: AsyncIterable<Buffer>) => Promise<unknown>;
  limits?: ExpansionLimits;
}

const MEDIA_TYPES: Record<Compression, LayerDescriptor['mediaType']> = {
  none: MEDIA_TYPE.layer,
  gzip: MEDIA_TYPE.layerGzip,
  zstd: MEDIA_TYPE.layerZstd,
};

/**
 * Store the layer `source`, a tar as it is or compressed with gzip or zstd; it is stored as it comes.
 * @throws BlobCorrupt, DiskFull, HostileArchive, what `consume` threw, or the error of `source` or of the disk; nothing
 *   is left in the store then.
 */
export async function putLayer(
  store: Store,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: PutLayerOptions = {},
): Promise<StoredLayer> {
  const { expected = {}, consume = drain, limits } = options;
  const writer = store.writer();
  const stored = unlessTooMuch(source, writer, expected.size);
  try {
    const { compression, bytes } = await sniff(stored);
    const diffId = await consumed(decompressed(bytes, compression, limits), consume);
    await drain(bytes);
    const written = await writer.finish();
    const layer = { diffId: diffId?.digest ?? written.digest, tarSize: diffId?.size ?? written.size };
    if (expected.diffId !== undefined && layer.diffId !== expected.diffId) {
      const name = expected.digest ?? written.digest;
      throw new BlobCorrupt(`layer ${name} unpacks to ${layer.diffId}, but its image says ${expected.diffId}`);
    }
    const blob = await store.publish(writer, expected);
    return { descriptor: { mediaType: MEDIA_TYPES[compression], ...blob }, ...layer };
  } catch (error) {
    await stored.return(undefined).catch(() => {});
    await writer.abandon();
    throw explainFullDisk(error, store.directory);
  }
}

/** Each chunk is on its way to the disk when it is handed on. */
async function* unlessTooMuch(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  writer: BlobWriter,
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    await writer.write(bytes);
    if (writer.size > most) return;
    yield bytes;
  }
}

/** Look at the first bytes, and give them back. */
async function sniff(
  source: AsyncGenerator<Buffer>,
): Promise<{ compression: Compression; bytes: AsyncIterable<Buffer> }> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 4) {
    const { value, done } = await source.next();
    if (done) break;
    head = head.length === 0 ? value : Buffer.concat([head, value]);
  }
  async function* whole() {
    if (head.length > 0) yield head;
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
  }
  return { compression: compressionOf(head), bytes: unclosed(whole()) };
}

/** Whoever stops reading does not end it for the next reader. */
function unclosed(source: AsyncGenerator<Buffer>): AsyncIterable<Buffer> {
  return { [Symbol.asyncIterator]: () => ({ next: () => source.next() }) };
}

/** @returns the uncompressed bytes; as a stream that hashes when they are not those that are stored. */
function decompressed(bytes: AsyncIterable<Buffer>, compression: Compression, limits?: ExpansionLimits) {
  if (compression === 'none') return bytes;
  const hashed = new DigestStream({ highWaterMark: 1024 * 1024 });
  // What fails in between destroys `hashed` with its error, which is where the consumer meets it.
  pipeline(decompress(Readable.from(bytes, { objectMode: false }), compression, limits), hashed, () => {});
  return hashed;
}

/** Have the tar consumed, to its end. @returns its digest and size where it is not the blob itself. */
async function consumed(
  tar: AsyncIterable<Buffer> | DigestStream,
  consume: (tar: AsyncIterable<Buffer>) => Promise<unknown>,
): Promise<Blob | undefined> {
  if (!(tar instanceof DigestStream)) {
    await consume(tar);
    return undefined;
  }
  try {
    const shared = unclosed(tar[Symbol.asyncIterator]() as AsyncGenerator<Buffer>);
    await consume(shared);
    await drain(shared);
    return { digest: tar.digest(), size: tar.size };
  } finally {
    tar.destroy();
  }
}

async function drain(source: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of source);
}
