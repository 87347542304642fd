import fs from 'node:fs';
import { promisify } from 'node:util';

const fdatasync = promisify(fs.fdatasync);

/**
 * Write `file` so that, whatever happens, it holds either its old content or all of `content`, also after a power cut.
 * Only for the disk itself is waited; the rest is a matter of microseconds, less than a thread would take to do it.
 */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.new`;
  const fd = fs.openSync(temporary, 'w', 0o600);
  try {
    // writeSync stops half way where a disk fills up, and does not say so.
    fs.writeFileSync(fd, content);
    await fdatasync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(temporary, file);
}

/**
 * A file that is written again and again, the newest content winning: contents that are overtaken while a write is
 * under way are never written.
 */
export class AtomicFile {
  readonly #file: string;
  #content: (() => string) | null = null;
  #writing: Promise<void> | null = null;
  #closed = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** Resolves when `content`, or something newer, is on the disk. Rejects if it could not be written. */
  async save(content: () => string): Promise<void> {
    if (this.#closed) return;
    this.#content = content;
    // A write that is under way took its content before this one came: wait for it, then for the next.
    while (this.#content !== null && !this.#closed) {
      this.#writing ??= this.#write().finally(() => {
        this.#writing = null;
      });
      await this.#writing;
    }
    await this.#writing;
  }

  /** Resolves when nothing is left to write. */
  async flush(): Promise<void> {
    while (this.#content !== null || this.#writing) await this.#writing?.catch(() => {});
  }

  /** Write nothing any more. Resolves when no write is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing?.catch(() => {});
  }

  async #write(): Promise<void> {
    const content = this.#content;
    this.#content = null;
    if (content) await writeAtomically(this.#file, content());
  }
}
