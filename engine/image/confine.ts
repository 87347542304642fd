/** Where an archive's entry belongs below a root, with everything refused that would lead out of it. */

import { lstatSync, mkdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** An archive that tries to reach out of the directory it is unpacked in, or is no sensible layer. */
export class HostileArchive extends Error {
  readonly code = 'ARCHIVE_REFUSED';
  override readonly name = 'HostileArchive';
}

/** As many links as the kernel follows in one path. path_resolution(7). */
const LINKS_MAX = 40;

/**
 * Split an entry's name; `[]` is the root itself.
 * @throws HostileArchive when it is absolute or climbs with `..`.
 */
export function splitName(name: string): string[] {
  if (name.startsWith('/')) throw new HostileArchive(`layer refused: entry "${name}" has an absolute path`);
  if (name.includes('\0'))
    throw new HostileArchive(`layer refused: entry ${JSON.stringify(name)} has a NUL in its name`);
  // tar-stream has put U+FFFD where the bytes were not UTF-8: the true name is lost.
  if (name.includes('\uFFFD')) throw new HostileArchive(`layer refused: the name of entry "${name}" is not UTF-8`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new HostileArchive(`layer refused: entry "${name}" climbs with ".."`);
  return parts;
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
  readonly #madeDirectory: (path: string) => void;

  /** @param madeDirectory told about each missing parent that was made (with mode 0755). */
  constructor(root: string, madeDirectory: (path: string) => void = () => {}) {
    this.#root = root;
    this.#madeDirectory = madeDirectory;
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
    const todo = [...parts];
    const done: string[] = [];
    let links = 0;
    for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (done.pop() === undefined)
          throw new HostileArchive(`layer refused: entry "${entry}" leaves it by a symbolic link`);
        continue;
      }
      const path = join(this.#root, ...done, part);
      const info = lstatSync(path, { throwIfNoEntry: false });
      if (info?.isSymbolicLink()) {
        if (++links > LINKS_MAX)
          throw new HostileArchive(`layer refused: entry "${entry}" is behind a loop of symbolic links`);
        const target = readlinkSync(path);
        if (target.startsWith('/')) done.length = 0;
        todo.unshift(...target.split('/'));
        continue;
      }
      if (info && !info.isDirectory()) {
        throw new HostileArchive(
          `layer refused: entry "${entry}" is below "${join(...done, part)}", which is no directory`,
        );
      }
      if (!info) {
        if (links > 0) {
          throw new HostileArchive(
            `layer refused: entry "${entry}" is behind a symbolic link to nothing in this layer`,
          );
        }
        mkdirSync(path, { mode: 0o755 });
        this.#madeDirectory(path);
      }
      done.push(part);
    }
    return join(this.#root, ...done);
  }
}
