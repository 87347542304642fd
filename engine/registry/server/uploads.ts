/** Uploads that have begun: what has arrived of a blob, in a file that outlives the server, and its hash so far. */

import { createHash, type Hash, randomUUID } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fdatasync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Upload } from '#contract/registry';
import { beginWriteback } from '#kernel/writeback';
import { explainFullDisk } from '../../image/scratch.ts';
import type { Places } from './places.ts';

/** fdatasync(2). */
const sync = (fd: number) => promisify(fdatasync)(fd);

/** The disk is told to begin each time so many bytes have come, so that it has little left to do at the end. */
const WRITEBACK_STEP = 8 * 1024 * 1024;

/** What is known of an upload beside its file. Lost when the server ends: the file is then read once more. */
interface Session {
  algorithm: string;
  hash: Hash;
  /** How many bytes `hash` has seen. */
  hashed: number;
  /** Resolves when the caller that has the upload is done with it. */
  turn: Promise<unknown>;
}

export class Uploads {
  readonly #places: Places;
  readonly #publish: (repository: string, digest: string) => void;
  readonly #sessions = new Map<string, Session>();

  /** @param publish called in the very turn in which the blob of an upload has got its name. */
  constructor(places: Places, publish: (repository: string, digest: string) => void) {
    this.#places = places;
    this.#publish = publish;
  }

  begin(repository: string, algorithm: string): string {
    const id = randomUUID();
    const path = this.#places.upload(repository, id);
    try {
      closeSync(openInDirectory(path, 'wx'));
    } catch (error) {
      throw explainFullDisk(error, this.#places.root);
    }
    this.#sessions.set(path, newSession(algorithm));
    return id;
  }

  size(repository: string, id: string): number | undefined {
    return statSync(this.#places.upload(repository, id), { throwIfNoEntry: false })?.size;
  }

  /** One caller after the other. @returns undefined if there is no such upload when it is this one's turn */
  async use<T>(repository: string, id: string, use: (upload: Upload) => Promise<T>): Promise<T | undefined> {
    const path = this.#places.upload(repository, id);
    if (this.size(repository, id) === undefined) return undefined;
    const session = this.#sessions.get(path) ?? newSession('sha256');
    this.#sessions.set(path, session);
    const before = session.turn;
    const mine = before.then(async () => {
      if (this.size(repository, id) === undefined) return undefined;
      const upload = new UploadFile(path, session, this.#places, (digest) => this.#publish(repository, digest));
      try {
        return await use(upload);
      } finally {
        upload.close();
        if (upload.ended) this.#sessions.delete(path);
      }
    });
    session.turn = mine.catch(() => {});
    return await mine;
  }

  /** Remove the uploads that nobody has gone on with since `before` (milliseconds since 1970). @returns how many */
  removeIdle(before: number, repositories: string[]): number {
    let removed = 0;
    for (const repository of repositories) {
      for (const id of entriesOf(this.#places.all('uploads', repository))) {
        const path = this.#places.upload(repository, id);
        const stat = statSync(path, { throwIfNoEntry: false });
        if (stat === undefined || stat.mtimeMs >= before) continue;
        rmSync(path, { force: true });
        this.#sessions.delete(path);
        removed += 1;
      }
    }
    return removed;
  }
}

class UploadFile implements Upload {
  readonly #path: string;
  readonly #session: Session;
  readonly #places: Places;
  readonly #publish: (digest: string) => void;
  readonly #fd: number;
  #open = true;
  #begun: number;
  size: number;
  ended = false;

  constructor(path: string, session: Session, places: Places, publish: (digest: string) => void) {
    this.#path = path;
    this.#session = session;
    this.#places = places;
    this.#publish = publish;
    this.#fd = openSync(path, 'r+');
    this.size = statSync(path).size;
    this.#begun = this.size;
  }

  append(chunk: Uint8Array): void {
    if (this.ended) throw new Error('the upload has ended');
    try {
      for (let done = 0; done < chunk.length; )
        done += writeSync(this.#fd, chunk, done, chunk.length - done, this.size + done);
    } catch (error) {
      // Its bytes are what fills the disk.
      ftruncateSync(this.#fd, this.size);
      this.cancel();
      throw explainFullDisk(error, this.#places.root);
    }
    if (this.#session.hashed === this.size) {
      this.#session.hash.update(chunk);
      this.#session.hashed += chunk.length;
    }
    this.size += chunk.length;
    if (this.size - this.#begun < WRITEBACK_STEP) return;
    beginWriteback(this.#fd, this.#begun, this.size - this.#begun);
    this.#begun = this.size;
  }

  async finish(digest: string): Promise<boolean> {
    try {
      if ((await this.#digest(digest.split(':')[0]!)) !== digest) return false;
      await sync(this.#fd);
      // Unless it was cancelled as idle meanwhile.
      renameSync(this.#path, this.#places.blob(digest));
      this.ended = true;
      this.#publish(digest);
      return true;
    } catch (error) {
      throw explainFullDisk(error, this.#places.root);
    } finally {
      if (!this.ended) this.cancel();
    }
  }

  async #digest(algorithm: string): Promise<string> {
    const { hash, hashed } = this.#session;
    if (this.#session.algorithm === algorithm && hashed === this.size)
      return `${algorithm}:${hash.copy().digest('hex')}`;
    const again = createHash(algorithm);
    for await (const chunk of createReadStream(this.#path, { highWaterMark: 1024 * 1024 })) again.update(chunk);
    return `${algorithm}:${again.digest('hex')}`;
  }

  cancel(): void {
    this.ended = true;
    rmSync(this.#path, { force: true });
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}

function newSession(algorithm: string): Session {
  return { algorithm, hash: createHash(algorithm), hashed: 0, turn: Promise.resolve() };
}

/** Most directories are there already: they are made when a file cannot be. */
export function openInDirectory(path: string, flags: string): number {
  try {
    return openSync(path, flags, 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, flags, 0o644);
  }
}

/** Sorted; nothing for a directory that is not there. */
export function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
