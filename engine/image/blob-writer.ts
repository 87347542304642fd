/** One blob on its way into a store: written under a scratch name and hashed, then renamed to its digest. */

import { createHash } from 'node:crypto';
import { closeSync, fdatasync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Blob, BlobCorrupt, type BlobWriter } from '#contract/store';
import { beginWriteback } from '#kernel/writeback';

/** fdatasync(2). */
const sync = (fd: number) => promisify(fdatasync)(fd);

/** The disk is told to begin each time so many bytes have come, so that it has little left to do at the end. */
const WRITEBACK_STEP = 8 * 1024 * 1024;

export class ScratchBlob implements BlobWriter {
  readonly #scratch: string;
  readonly #fd: number;
  readonly #place: (digest: string) => string;
  readonly #hash = createHash('sha256');
  #digest: string | undefined;
  #open = true;
  #begun = 0;
  /** Bytes so far. */
  size = 0;

  /** @param place where the blob of a digest belongs. */
  constructor(scratch: string, place: (digest: string) => string) {
    this.#scratch = scratch;
    this.#place = place;
    this.#fd = openSync(scratch, 'wx', 0o644);
  }

  /**
   * Into the page cache, which takes less time than handing the bytes to another thread and waiting for it.
   * @throws the error of the disk.
   */
  write(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    for (let done = 0; done < chunk.length; ) done += writeSync(this.#fd, chunk, done, chunk.length - done);
    this.size += chunk.length;
    if (this.size - this.#begun < WRITEBACK_STEP) return;
    beginWriteback(this.#fd, this.#begun, this.size - this.#begun);
    this.#begun = this.size;
  }

  /** The file is still under its scratch name. */
  finish(expected: Partial<Blob> = {}): Blob {
    this.#digest ??= `sha256:${this.#hash.digest('hex')}`;
    const blob = { digest: this.#digest, size: this.size };
    checkBlob(blob, expected);
    return blob;
  }

  async publish(): Promise<void> {
    const { digest } = this.finish();
    await sync(this.#fd);
    renameSync(this.#scratch, this.#place(digest));
    this.#close();
  }

  /** Nothing of it is left, unless it was published. */
  abandon(): void {
    this.#close();
    rmSync(this.#scratch, { force: true });
  }

  #close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}

function checkBlob(blob: Blob, expected: Partial<Blob>): void {
  if (expected.size !== undefined && blob.size !== expected.size) {
    throw new BlobCorrupt(
      `blob ${expected.digest ?? ''} should have ${expected.size} bytes but has ${
        blob.size > expected.size ? 'more' : blob.size
      }`,
    );
  }
  if (expected.digest !== undefined && blob.digest !== expected.digest) {
    throw new BlobCorrupt(`blob ${expected.digest} is damaged: its bytes have the digest ${blob.digest}`);
  }
}
