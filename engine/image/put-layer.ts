/** A layer on its way in: stored, decompressed, hashed and, if wanted, unpacked in one pass over its bytes. */

import type { BlobWriter } from '#contract/store';
import { type Compression, compressionOf, type ExpansionLimits } from './compression.ts';
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
    const tar = await consumeTar(bytes, { compression, consume, limits, hash: compression !== 'none' });
    const written = writer.finish();
    const diffId = tar.digest ?? (written.digest as Digest);
    if (expected.diffId !== undefined && diffId !== expected.diffId) {
      const name = expected.digest ?? written.digest;
      throw new BlobCorrupt(`layer ${name} unpacks to ${diffId}, but its image says ${expected.diffId}`);
    }
    const blob = await store.publish(writer, expected);
    return { descriptor: { mediaType: MEDIA_TYPES[compression], ...blob }, diffId, tarSize: tar.size };
  } catch (error) {
    await stored.return(undefined).catch(() => {});
    writer.abandon();
    throw explainFullDisk(error, store.directory);
  }
}

/** Each chunk is written when it is handed on. */
async function* unlessTooMuch(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  writer: BlobWriter,
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    writer.write(bytes);
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
  return { compression: compressionOf(head), bytes: whole() };
}
