/** Where an archive's entry belongs below a root, with everything refused that would lead out of it. */

import { lstatSync, mkdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { HostileArchive } from './tar-header.ts';

export { HostileArchive };

/** As many links as the kernel follows in one path. path_resolution(7). */
const LINKS_MAX = 40;
/** NAME_MAX: bytes of one name on any Linux file system. */
const NAME_MAX = 255;
/** A path of 4,096 bytes cannot be deeper, and removing a tree takes a call for each level. */
const DEPTH_MAX = 1024;

/**
 * Split an entry's name; `[]` is the root itself.
 * @throws HostileArchive when it is absolute, climbs with `..`, or no file system can hold it.
 */
export function splitName(name: string): string[] {
  const refuse = (why: string) =>
    new HostileArchive(`layer refused: entry ${JSON.stringify(name.slice(0, 300))} ${why}`);
  if (name.startsWith('/')) throw refuse('has an absolute path');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refuse('climbs with ".."');
  if (parts.length > DEPTH_MAX) throw refuse(`is more than ${DEPTH_MAX} directories deep`);
  if (parts.some((part) => Buffer.byteLength(part) > NAME_MAX))
    throw refuse(`has a name of more than ${NAME_MAX} bytes`);
  return parts;
}

export interface ConfinementHooks {
  /** Told about each missing parent that was made, with mode 0755. */
  madeDirectory?: (path: string) => void;
  /** Asked about what is in the way of a parent: true when it was taken away, as a whiteout may be. */
  makeWay?: (path: string) => boolean;
}

/**
 * Finds the real directories below one root that no other process writes to.
 *
 * A symbolic link in a directory's path is followed as if the root were `/`, as it will be in the container; but it
 * has to end at a directory that the archive itself has made, and may not climb above the root on its way.
 */
export class Confinement {
  readonly #root: string;
  /** Names that are known to be real directories, so that each is looked at once. */
  readonly #real = new Map<string, string>();
  readonly #hooks: ConfinementHooks;

  constructor(root: string, hooks: ConfinementHooks = {}) {
    this.#root = root;
    this.#hooks = hooks;
  }

  /**
   * The absolute path of the directory `parts`, made if it is missing.
   * @param entry the name that stands in the error.
   * @throws HostileArchive
   */
  directory(parts: string[], entry: string): string {
    const key = parts.join('/');
    const known = this.#real.get(key);
    if (known !== undefined) return known;
    const path = this.#walk(parts, entry);
    this.#real.set(key, path);
    return path;
  }

  /** Something that may have been a directory or a link to one is gone. */
  forget(): void {
    this.#real.clear();
  }

  #walk(parts: string[], entry: string): string {
    const refuse = (why: string) => new HostileArchive(`layer refused: entry "${entry}" ${why}`);
    const todo = [...parts];
    const done: string[] = [];
    let links = 0;
    for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (done.pop() === undefined) throw refuse('leaves it by a symbolic link');
        continue;
      }
      const path = join(this.#root, ...done, part);
      const info = lstatSync(path, { throwIfNoEntry: false });
      if (info?.isSymbolicLink()) {
        if (++links > LINKS_MAX) throw refuse('is behind a loop of symbolic links');
        const target = readlinkSync(path);
        if (target.startsWith('/')) done.length = 0;
        todo.unshift(...target.split('/'));
        continue;
      }
      const isMissing = !info || (!info.isDirectory() && this.#hooks.makeWay?.(path) === true);
      if (!isMissing && !info.isDirectory())
        throw refuse(`is below "${join(...done, part)}", which is not a directory`);
      if (isMissing) {
        if (links > 0) throw refuse('is behind a symbolic link to nothing in this layer');
        mkdirSync(path, { mode: 0o755 });
        this.#hooks.madeDirectory?.(path);
      }
      done.push(part);
    }
    return join(this.#root, ...done);
  }
}
