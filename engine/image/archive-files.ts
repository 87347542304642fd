/** The files of an archive with images, taken from a stream: small ones are kept in memory, large ones in the store. */

import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { UnexpectedEnd } from '#contract/byte-reader';
import { DecoderError } from '#kernel/decoders';
import { firstBytes } from './blob-chunks.ts';
import { compressionOf, decompress, HEAD } from './compression.ts';
import { type Digest, digestOf, isDigest } from './digest.ts';
import { DOCUMENT_SIZE_MAX } from './documents.ts';
import { peek } from './head-stream.ts';
import { InvalidArchive } from './image-errors.ts';
import type { Images } from './images.ts';
import type { Blob } from './store.ts';
import type { EntryHeader } from './tar-entry.ts';
import { BLOCK_SIZE, beginsTar, HostileArchive } from './tar-header.ts';
import { TarReader } from './tar-reader.ts';

/** Bytes of a file that is kept in memory, of all those together, and how many files an archive may have. */
const SMALL = 64 * 1024;
const SMALL_TOTAL = 16 * 1024 * 1024;
const FILES_MAX = 20_000;
/** Links that are followed to one file: the writers make one. */
const LINKS_MAX = 4;

const BLOB_PATH = /^blobs\/sha256\/([0-9a-f]{64})$/;

export class ArchiveFiles {
  /** Of every blob that reading this archive has put in the store, and of every layer that it has unpacked. */
  readonly stored = new Set<Digest>();
  readonly unpacked = new Set<Digest>();
  readonly #images: Images;
  readonly #small = new Map<string, Buffer>();
  readonly #large = new Map<string, Blob>();
  readonly #links = new Map<string, string>();
  #smallTotal = 0;

  constructor(images: Images) {
    this.#images = images;
  }

  /**
   * Read the archive to its end; it may be compressed. Layers are unpacked on their way into the store.
   * @throws InvalidArchive, HostileArchive, BlobCorrupt when a blob is not what its name says, DiskFull
   */
  async read(source: AsyncIterable<Uint8Array>): Promise<void> {
    const { head, whole } = await peek(source, HEAD);
    const plain = decompress(whole, compressionOf(head));
    const archive = new TarReader(plain, { entries: FILES_MAX });
    let files = 0;
    try {
      for (let header = await archive.next(); header; header = await archive.next()) {
        files += 1;
        await this.#take(header, archive);
      }
    } catch (error) {
      throw asInvalid(error);
    } finally {
      plain.destroy();
    }
    if (files === 0) throw new InvalidArchive('this is not an archive of images: it is empty, or no tar at all');
  }

  has(path: string): boolean {
    const at = this.#resolve(path);
    return at !== undefined && (this.#small.has(at) || this.#large.has(at));
  }

  /** The content of a document. @throws InvalidArchive when it is not there or too large. */
  async document(path: string): Promise<Buffer> {
    const at = this.#find(path);
    const small = this.#small.get(at);
    if (small) return small;
    const blob = this.#large.get(at)!;
    if (blob.size > DOCUMENT_SIZE_MAX)
      throw new InvalidArchive(`${path} in the archive is too large: ${blob.size} bytes`);
    return this.#images.store.read(blob.digest);
  }

  /** The file as a blob of the store. @throws InvalidArchive when it is not there. */
  async blob(path: string): Promise<Blob> {
    const at = this.#find(path);
    const large = this.#large.get(at);
    if (large) return large;
    const content = this.#small.get(at)!;
    const blob = { digest: digestOf(content), size: content.length };
    if (!(await this.#images.store.has(blob.digest))) {
      this.stored.add(blob.digest);
      await this.#images.store.put(content, blob);
    }
    return blob;
  }

  /** The same of a layer: a compression that layers do not have is taken away. */
  async layer(path: string): Promise<Blob> {
    const small = this.#small.get(this.#find(path));
    if (!small || !['xz', 'bzip2'].includes(compressionOf(small))) return this.blob(path);
    const { descriptor, diffId } = await this.#images.receiveLayer(Readable.from([small], { objectMode: false }));
    this.stored.add(descriptor.digest);
    this.unpacked.add(diffId);
    return { digest: descriptor.digest, size: descriptor.size };
  }

  async #take(header: EntryHeader, archive: TarReader): Promise<void> {
    const { type, size, linkname } = header;
    const name = pathOf(header.name);
    if (type === 'symlink' || type === 'link') {
      const target = type === 'symlink' ? posix.join(posix.dirname(name), linkname) : linkname;
      this.#links.set(name, pathOf(target));
      return;
    }
    if (type !== 'file') return;
    const named = `sha256:${BLOB_PATH.exec(name)?.[1]}`;
    const digest = isDigest(named) ? named : undefined;
    if (size <= SMALL && this.#smallTotal + size <= SMALL_TOTAL) {
      this.#smallTotal += size;
      this.#small.set(name, await inMemory(archive, name, digest));
      return;
    }
    const { store } = this.#images;
    // What is there already was verified when it came.
    const known = digest !== undefined && (await store.has(digest));
    const blob = known ? await store.stat(digest) : await this.#store(archive, { size, ...(digest && { digest }) });
    this.#large.set(name, blob);
  }

  async #store(archive: TarReader, expected: Partial<Blob>): Promise<Blob> {
    const { head, whole } = await peek(contentOf(archive), BLOCK_SIZE);
    if (!isLayer(head)) {
      const blob = await this.#images.store.put(Readable.from(copied(whole), { objectMode: false }), expected);
      this.stored.add(blob.digest);
      return blob;
    }
    const { descriptor, diffId } = await this.#images.receiveLayer(whole, expected);
    this.stored.add(descriptor.digest);
    this.unpacked.add(diffId);
    return descriptor;
  }

  #find(path: string): string {
    const at = this.#resolve(path);
    if (at === undefined || !(this.#small.has(at) || this.#large.has(at)))
      throw new InvalidArchive(`the archive is not complete: ${JSON.stringify(path.slice(0, 200))} is not in it`);
    return at;
  }

  #resolve(path: string): string | undefined {
    let at = pathOf(path);
    for (let links = 0; links <= LINKS_MAX; links += 1) {
      const target = this.#links.get(at);
      if (target === undefined) return at;
      at = target;
    }
    return undefined;
  }
}

/** How a blob of the store is compressed. */
export async function compressionOfBlob({ store }: Images, digest: Digest): Promise<ReturnType<typeof compressionOf>> {
  return compressionOf(await firstBytes(store, digest));
}

async function inMemory(archive: TarReader, name: string, digest: Digest | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of contentOf(archive)) chunks.push(Buffer.from(chunk));
  const content = Buffer.concat(chunks);
  if (digest !== undefined && digestOf(content) !== digest)
    throw new InvalidArchive(`${name} in the archive is damaged: its content has the digest ${digestOf(content)}`);
  return content;
}

/** The content of the current entry, each chunk valid until the next. Images are never sparse, so its pieces follow each other. */
async function* contentOf(archive: TarReader): AsyncGenerator<Buffer> {
  for (let piece = await archive.read(); piece; piece = await archive.read()) yield piece.data;
}

async function* copied(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}

/** By its first block: compressed, or a tar's header. tar(5), "magic". */
function isLayer(head: Buffer): boolean {
  return compressionOf(head) !== 'none' || beginsTar(head);
}

/** A name is a key here and never a path of this machine. */
function pathOf(name: string): string {
  return posix.normalize(`/${name}`).slice(1);
}

/** What tar and zlib complain of is the archive's fault. */
function asInvalid(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code?.startsWith('Z_') || error instanceof UnexpectedEnd || error instanceof DecoderError)
    return new InvalidArchive(`the archive is damaged or cut off: ${message}`, { cause: error });
  if (error instanceof HostileArchive)
    return new InvalidArchive(`this is not an archive of images: ${message}`, { cause: error });
  return error;
}
