/** A layer on its way in: stored, decompressed, hashed and, if wanted, unpacked in one pass over its bytes. */

import { Readable } from 'node:stream';
import type { BlobWriter } from '#contract/store';
import { type Compression, compressionOf, decompress, type ExpansionLimits, HEAD } from './compression.ts';
import { consumeTar, drain } from './consume-tar.ts';
import type { Digest } from './digest.ts';
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

/** Those that layers have. OCI image-spec, layer.md, "+gzip Media Types", "+zstd Media Types". */
const MEDIA_TYPES: Partial<Record<Compression, LayerDescriptor['mediaType']>> = {
  none: MEDIA_TYPE.layer,
  gzip: MEDIA_TYPE.layerGzip,
  zstd: MEDIA_TYPE.layerZstd,
};

/**
 * Store the layer `source`, a tar as it is or compressed. With gzip or zstd it is stored as it comes; the specification has
 * no name for another compression, which is taken away.
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
  let stored: AsyncGenerator<Buffer> | undefined;
  try {
    const sniffed = await sniff(source);
    const isKept = MEDIA_TYPES[sniffed.compression] !== undefined;
    const compression = isKept ? sniffed.compression : 'none';
    const plain = () =>
      decompress(Readable.from(copied(sniffed.bytes), { objectMode: false }), sniffed.compression, limits);
    stored = unlessTooMuch(isKept ? sniffed.bytes : plain(), writer, expected.size);
    const bytes = stored;
    const tar = await consumeTar(bytes, { compression, consume, limits, hash: compression !== 'none' });
    const written = writer.finish();
    const diffId = tar.digest ?? (written.digest as Digest);
    if (expected.diffId !== undefined && diffId !== expected.diffId) {
      const name = expected.digest ?? written.digest;
      throw new BlobCorrupt(`layer ${name} unpacks to ${diffId}, but its image says ${expected.diffId}`);
    }
    const blob = await store.publish(writer, expected);
    return { descriptor: { mediaType: MEDIA_TYPES[compression]!, ...blob }, diffId, tarSize: tar.size };
  } catch (error) {
    await stored?.return(undefined).catch(() => {});
    writer.abandon();
    throw explainFullDisk(error, store.directory);
  }
}

/** Each chunk is written when it is handed on. */
async function* unlessTooMuch(
  source: AsyncIterable<Buffer>,
  writer: BlobWriter,
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  for await (const bytes of source) {
    writer.write(bytes);
    if (writer.size > most) throw new BlobCorrupt(`the layer has more than the ${most} bytes that it was to have`);
    yield bytes;
  }
}

/** Look at the first bytes, and give them back. */
async function sniff(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ compression: Compression; bytes: AsyncGenerator<Buffer> }> {
  const chunks = buffers(source);
  let head: Buffer = Buffer.alloc(0);
  try {
    while (head.length < HEAD) {
      const { value, done } = await chunks.next();
      if (done) break;
      head = head.length === 0 && value.length >= HEAD ? value : Buffer.concat([head, value]);
    }
  } catch (error) {
    await chunks.return(undefined).catch(() => {});
    throw error;
  }
  async function* whole() {
    if (head.length > 0) yield head;
    yield* chunks;
  }
  return { compression: compressionOf(head), bytes: whole() };
}

async function* buffers(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of source) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/** What is read ahead of its use has to be a copy. */
async function* copied(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}
