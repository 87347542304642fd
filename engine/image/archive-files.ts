/** The files of an archive with images, taken from a stream: small ones are kept in memory, large ones in the store. */

import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, type Header } from 'tar-stream';
import { compressionOf, decompress } from './compression.ts';
import { type Digest, digestOf, isDigest } from './digest.ts';
import { DOCUMENT_SIZE_MAX } from './documents.ts';
import { peek } from './head-stream.ts';
import { InvalidArchive } from './image-errors.ts';
import type { Blob, Store } from './store.ts';

/** Bytes of a file that is kept in memory, of all those together, and how many files an archive may have. */
const SMALL = 64 * 1024;
const SMALL_TOTAL = 16 * 1024 * 1024;
const FILES_MAX = 20_000;
/** Links that are followed to one file: the writers make one. */
const LINKS_MAX = 4;

const BLOB_PATH = /^blobs\/sha256\/([0-9a-f]{64})$/;

export class ArchiveFiles {
  /** Of every blob that reading this archive has put in the store. */
  readonly stored = new Set<Digest>();
  readonly #store: Store;
  readonly #small = new Map<string, Buffer>();
  readonly #large = new Map<string, Blob>();
  readonly #links = new Map<string, string>();
  #smallTotal = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Read the archive to its end; it may be compressed.
   * @throws InvalidArchive, BlobCorrupt when a blob is not what its name says, DiskFull, UnsupportedCompression
   */
  async read(source: Readable): Promise<void> {
    const { head, whole } = await peek(source, 4);
    const plain = decompress(whole, compressionOf(head));
    const archive = extract();
    plain.once('error', (error) => archive.destroy(error));
    plain.pipe(archive);
    let files = 0;
    try {
      for await (const entry of archive) {
        files += 1;
        if (files > FILES_MAX) throw new InvalidArchive(`the archive has more than ${FILES_MAX} entries`);
        await this.#take(entry.header, entry as AsyncIterable<Uint8Array>);
        entry.resume();
      }
    } catch (error) {
      plain.destroy();
      source.destroy();
      throw asInvalid(error);
    }
    if (files === 0) throw new InvalidArchive('this is no archive of images: it is empty, or no tar at all');
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
    return this.#store.read(blob.digest);
  }

  /** The file as a blob of the store. @throws InvalidArchive when it is not there. */
  async blob(path: string): Promise<Blob> {
    const at = this.#find(path);
    const large = this.#large.get(at);
    if (large) return large;
    const content = this.#small.get(at)!;
    const blob = { digest: digestOf(content), size: content.length };
    if (!(await this.#store.has(blob.digest))) {
      this.stored.add(blob.digest);
      await this.#store.put(content, blob);
    }
    return blob;
  }

  async #take(header: Header, entry: AsyncIterable<Uint8Array>): Promise<void> {
    const { type, size, linkname } = header;
    const name = pathOf(header.name);
    if (type === 'symlink' || type === 'link') {
      const target = type === 'symlink' ? posix.join(posix.dirname(name), linkname ?? '') : (linkname ?? '');
      this.#links.set(name, pathOf(target));
      return;
    }
    if (type !== 'file' && type !== 'contiguous-file') return;
    const named = BLOB_PATH.exec(name)?.[1];
    const digest = named === undefined ? undefined : `sha256:${named}`;
    if (size <= SMALL && this.#smallTotal + size <= SMALL_TOTAL) {
      const content = await buffer(Readable.from(entry));
      if (digest !== undefined && digestOf(content) !== digest)
        throw new InvalidArchive(`${name} in the archive is damaged: its content has the digest ${digestOf(content)}`);
      this.#smallTotal += size;
      this.#small.set(name, content);
      return;
    }
    // What is there already was verified when it came.
    if (digest !== undefined && isDigest(digest) && (await this.#store.has(digest))) {
      this.#large.set(name, await this.#store.stat(digest));
      return;
    }
    const expected = digest !== undefined && isDigest(digest) ? { digest, size } : { size };
    const blob = await this.#store.put(Readable.from(entry, { objectMode: false }), expected);
    this.stored.add(blob.digest);
    this.#large.set(name, blob);
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

/** The first bytes of a blob, which tell how it is compressed. */
export async function compressionOfBlob(store: Store, digest: Digest): Promise<ReturnType<typeof compressionOf>> {
  const file = await open(store.path(digest));
  try {
    const { buffer: bytes, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return compressionOf(bytes.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/** A name is a key here and never a path of this machine. */
function pathOf(name: string): string {
  return posix.normalize(`/${name}`).slice(1);
}

/** What tar and zlib complain of is the archive's fault. */
function asInvalid(error: unknown): unknown {
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (code?.startsWith('Z_') || (name === 'Error' && code === undefined))
    return new InvalidArchive(`this is no archive of images: ${message}`, { cause: error });
  return error;
}
