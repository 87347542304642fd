/** Names and passwords in a file that `htpasswd -B` writes: one `NAME:HASH` a line, hashed with bcrypt. htpasswd(1) */

import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { compare } from 'bcryptjs';
import { RequestRefused } from '#contract/registry';

const BCRYPT = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;
/** Of no password: a name that is unknown costs as much time as one that is known. */
const NOBODY = `$2y$10$${'.'.repeat(53)}`;
/** Passwords that wait to be looked at. Each takes a tenth of a second of the processor. */
const WAITING_MAX = 64;
/** Logins that are remembered, so that bcrypt is not asked at each request. */
const REMEMBERED_MAX = 1000;

export class Htpasswd {
  readonly #file: string;
  #version = '';
  #hashes = new Map<string, string>();
  /** Keyed, so that what a dump of the memory shows is not worth a guess. */
  readonly #key = randomBytes(32);
  readonly #remembered = new Set<string>();
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** @throws Error that names the line that is not NAME:HASH */
  constructor(file: string) {
    this.#file = file;
    this.#reread();
  }

  /** @throws RequestRefused 429 when too many others wait for the same */
  async verify(name: string, password: string): Promise<boolean> {
    this.#reread();
    const login = createHmac('sha256', this.#key).update(`${name}\0${password}`).digest('hex');
    if (this.#remembered.has(login)) return true;
    const hash = this.#hashes.get(name);
    if (!(await this.#compare(password, hash ?? NOBODY)) || hash === undefined) return false;
    if (this.#hashes.get(name) !== hash) return false;
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.add(login);
    return true;
  }

  /** One after the other: guesses take no more of the processor than they must. */
  async #compare(password: string, hash: string): Promise<boolean> {
    if (this.#waiting >= WAITING_MAX) {
      throw new RequestRefused(429, 'TOOMANYREQUESTS', 'too many logins at once; try again in a few seconds', {
        headers: { 'retry-after': '5' },
      });
    }
    this.#waiting += 1;
    const mine = this.#turn.then(() => compare(password, hash));
    this.#turn = mine.catch(() => {});
    try {
      return await mine;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** What changes in the file counts from the next request on. */
  #reread(): void {
    const { mtimeMs, size, ino } = statSync(this.#file);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (version === this.#version) return;
    const hashes = readHashes(this.#file);
    this.#hashes = hashes;
    this.#version = version;
    this.#remembered.clear();
  }
}

function readHashes(file: string): Map<string, string> {
  const hashes = new Map<string, string>();
  readFileSync(file, 'utf8')
    .split('\n')
    .forEach((line, at) => {
      const text = line.trim();
      if (text === '' || text.startsWith('#')) return;
      const colon = text.indexOf(':');
      const hash = text.slice(colon + 1);
      if (colon < 1 || !BCRYPT.test(hash))
        throw new Error(
          `${file}, line ${at + 1}: it must be NAME:HASH with bcrypt. Make it with: htpasswd -B ${file} NAME`,
        );
      hashes.set(text.slice(0, colon), hash);
    });
  return hashes;
}
