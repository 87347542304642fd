/**
 * A content-addressed store: an OCI image layout on disk, readable by any tool that knows the format.
 *
 *     oci-layout  index.json  blobs/sha256/…       image-layout.md
 *     index.d/                                     one file for each entry of index.json (see index-entries.ts)
 *     scratch/                                     what is being written
 *
 * A blob is written under a scratch name, synced and renamed to its digest, so a file in blobs/ is complete whatever
 * was killed meanwhile, and two writers of the same blob do not disturb each other.
 */

import { createReadStream, type ReadStream } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { BlobNotFound, type BlobWriter } from '#contract/store';
import { beginBlob, blobPath, openLayout, readBlob } from '#store';
import { type Digest, isDigest } from './digest.ts';
import { DOCUMENT_SIZE_MAX } from './documents.ts';
import { explainFullDisk, removeAtOnce, replaceFile, sweepScratch, syncDirectory } from './scratch.ts';

export { BlobCorrupt, BlobNotFound } from '#contract/store';

export interface Blob {
  digest: Digest;
  /** Bytes. */
  size: number;
}

export class Store {
  /** The layout's directory, absolute. */
  readonly directory: string;
  readonly #blobs: string;
  readonly #scratch: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.#blobs = join(directory, 'blobs', 'sha256');
    this.#scratch = join(directory, 'scratch');
  }

  /**
   * Open the layout in `directory`, and make it if there is none.
   * @throws InvalidDocument when the directory holds a layout of another version.
   */
  static async open(directory: string): Promise<Store> {
    openLayout(directory);
    const store = new Store(directory);
    sweepScratch(store.#scratch);
    return store;
  }

  /** Where the blob is, or would be. */
  path(digest: Digest): string {
    return blobPath(this.directory, digest);
  }

  async list(): Promise<Digest[]> {
    const names = await readdir(this.#blobs);
    return names.map((name) => `sha256:${name}`).filter(isDigest);
  }

  async has(digest: Digest): Promise<boolean> {
    return access(this.path(digest)).then(
      () => true,
      () => false,
    );
  }

  /**
   * Store all of `content`. A blob that is there already is replaced by its own bytes, which heals a damaged one.
   * @param expected what the content must be: nothing is stored when it is not.
   * @throws BlobCorrupt, DiskFull, or the error of `content` or of the disk.
   */
  async put(content: Readable | Uint8Array | string, expected: Partial<Blob> = {}): Promise<Blob> {
    const source = content instanceof Readable ? content : [Buffer.from(content)];
    const writer = this.writer();
    try {
      for await (const chunk of source) {
        writer.write(Buffer.from(chunk));
        if (expected.size !== undefined && writer.size > expected.size) break;
      }
      return await this.publish(writer, expected);
    } catch (error) {
      writer.abandon();
      throw explainFullDisk(error, this.directory);
    }
  }

  /** A blob that is written bit by bit; `publish` or `abandon` ends it. */
  writer(): BlobWriter {
    return beginBlob(this.directory);
  }

  /** Give what was written its place. @throws BlobCorrupt, and the caller abandons the writer. */
  async publish(writer: BlobWriter, expected: Partial<Blob> = {}): Promise<Blob> {
    const blob = writer.finish(expected) as Blob;
    await writer.publish();
    return blob;
  }

  /** Delete a blob, if it is there. From the call on its name is free: what is stored under it meanwhile stays. */
  async remove(digest: Digest): Promise<void> {
    await removeAtOnce(this.path(digest), this.#scratch);
  }

  /**
   * Make the names of all blobs last a power cut, which their bytes do already. Once, before something refers to them:
   * each time costs the disk a whole commit of its journal. fsync(2).
   */
  syncNames(): void {
    syncDirectory(this.#blobs);
  }

  /**
   * Read a document (manifest, configuration, …) and verify it against its digest.
   * @throws BlobNotFound, or BlobCorrupt when it does not match or is larger than DOCUMENT_SIZE_MAX.
   */
  async read(digest: Digest): Promise<Buffer> {
    return Buffer.from(await readBlob(this.directory, digest, DOCUMENT_SIZE_MAX));
  }

  /** The blob's bytes as they are on disk: the reader of a stream verifies it. @throws BlobNotFound */
  async stream(digest: Digest): Promise<ReadStream> {
    await this.stat(digest);
    return createReadStream(this.path(digest), { highWaterMark: 1024 * 1024 });
  }

  /** @throws BlobNotFound */
  async stat(digest: Digest): Promise<Blob> {
    try {
      return { digest, size: (await stat(this.path(digest))).size };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new BlobNotFound(`blob ${digest} is not in the store ${this.directory}; pull or load the image again`);
    }
  }

  /** Replace a file of the layout as a whole. */
  replaceFile(path: string, content: string): void {
    try {
      replaceFile(path, content, this.#scratch);
    } catch (error) {
      throw explainFullDisk(error, this.directory);
    }
  }
}
