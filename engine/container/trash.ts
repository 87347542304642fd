import fs from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { removeTree } from './remove-tree.ts';

/** Directories that may wait to be removed. */
const MOST = 100;

/**
 * Where directories go to be removed. Going there is one rename, so a directory is either whole or gone, whatever
 * happens; emptying it is left to a time when nobody waits: on a disk that is told of every free block each file takes
 * a millisecond.
 */
export class Trash {
  readonly #directory: string;
  readonly #warn: (message: string) => void;
  #emptying: Promise<void> = Promise.resolve();
  #count = 0;
  #waiting = 0;

  /** @param directory on the file system of what is to be thrown away; made if missing */
  constructor(directory: string, warn: (message: string) => void) {
    this.#directory = directory;
    this.#warn = warn;
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of fs.readdirSync(directory)) this.#remove(path.join(directory, name));
  }

  /** Nothing there is fine. @throws the file system's error when it cannot be moved */
  discard(directory: string): void {
    const here = path.join(this.#directory, `${path.basename(directory)}.${process.pid}.${this.#count++}`);
    try {
      fs.renameSync(directory, here);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    this.#remove(here);
  }

  /** Resolves when it is not overfull: a caller that fills it faster than it can be emptied has to wait. */
  async room(): Promise<void> {
    if (this.#waiting > MOST) await this.#emptying;
  }

  /** Resolves when it is empty, but for what cannot be removed, and at the latest after so many milliseconds. */
  async emptied(most: number): Promise<void> {
    const timer = new AbortController();
    const late = setTimeout(most, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([this.#emptying, late]);
    timer.abort();
  }

  #remove(directory: string): void {
    this.#waiting++;
    this.#emptying = this.#emptying
      .then(() => removeTree(directory))
      .catch((error: Error) => this.#warn(`${directory} could not be removed: ${error.message}`))
      .finally(() => this.#waiting--);
  }
}
