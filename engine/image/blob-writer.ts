/** One blob on its way into a store: written under a scratch name and hashed, then renamed to its digest. */

import { createHash } from 'node:crypto';
import { closeSync, fdatasync, openSync, renameSync, rmSync, write } from 'node:fs';
import { promisify } from 'node:util';
import type { Digest } from './digest.ts';

const writeTo = promisify(write);
const sync = promisify(fdatasync);

export interface WrittenBlob {
  digest: Digest;
  /** Bytes. */
  size: number;
}

export class BlobWriter {
  readonly #scratch: string;
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  /** The write that goes on while the next bytes are hashed. */
  #writing: Promise<unknown> = Promise.resolve();
  #digest: Digest | undefined;
  #open = true;
  /** Bytes so far. */
  size = 0;

  constructor(scratch: string) {
    this.#scratch = scratch;
    this.#fd = openSync(scratch, 'wx', 0o644);
  }

  /** Resolves when the next chunk may come. `chunk` is not to be changed any more. @throws the error of the disk. */
  async write(chunk: Uint8Array): Promise<void> {
    const before = this.#writing;
    const at = this.size;
    this.size += chunk.length;
    this.#hash.update(chunk);
    await before;
    this.#writing = this.#writeAll(chunk, at);
    // Heard at the next call.
    this.#writing.catch(() => {});
  }

  /** All is written: what it became. The file is still under its scratch name. */
  async finish(): Promise<WrittenBlob> {
    await this.#writing;
    this.#digest ??= `sha256:${this.#hash.digest('hex')}` as Digest;
    return { digest: this.#digest, size: this.size };
  }

  /** Make it last a power cut, and give it its name. */
  async publish(path: string): Promise<void> {
    await sync(this.#fd);
    renameSync(this.#scratch, path);
    this.#close();
  }

  /** Nothing of it is left. */
  async abandon(): Promise<void> {
    await this.#writing.catch(() => {});
    this.#close();
    rmSync(this.#scratch, { force: true });
  }

  #close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }

  async #writeAll(chunk: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await writeTo(this.#fd, chunk, done, chunk.length - done, at + done);
      done += bytesWritten;
    }
  }
}
