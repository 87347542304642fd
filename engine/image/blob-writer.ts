/** One blob on its way into a store: written under a scratch name and hashed, then renamed to its digest. */

import { createHash } from 'node:crypto';
import { closeSync, fdatasync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { beginWriteback } from '#kernel/writeback';
import type { Digest } from './digest.ts';

const sync = promisify(fdatasync);

/** The disk is told to begin each time so many bytes have come, so that it has little left to do at the end. */
const WRITEBACK_STEP = 8 * 1024 * 1024;

export interface WrittenBlob {
  digest: Digest;
  /** Bytes. */
  size: number;
}

export class BlobWriter {
  readonly #scratch: string;
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  #digest: Digest | undefined;
  #open = true;
  #begun = 0;
  /** Bytes so far. */
  size = 0;

  constructor(scratch: string) {
    this.#scratch = scratch;
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

  /** What was written up to now. The file is still under its scratch name; nothing can be added any more. */
  finish(): WrittenBlob {
    this.#digest ??= `sha256:${this.#hash.digest('hex')}` as Digest;
    return { digest: this.#digest, size: this.size };
  }

  /** Make it last a power cut, and give it its name. */
  async publish(path: string): Promise<void> {
    await sync(this.#fd);
    renameSync(this.#scratch, path);
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
