/**
 * What a container of a stack of layers would see, without mounting anything: the layers as overlayfs merges them.
 * A context is a stack of one. Kernel documentation, filesystems/overlayfs, "whiteouts and opaque directories".
 */

import { type Dirent, lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { Tree } from '#contract/build';
import { overlayMarks } from '../../runtime/attributes.ts';

export interface StackEntry {
  type: 'file' | 'directory' | 'symlink' | 'other';
  /** Of an entry that is something else: what it is. A socket means nothing without the process that listens on it. */
  special?: 'fifo' | 'character-device' | 'block-device' | 'socket';
  /** Of a device. */
  device?: bigint;
  /** The same for all names of one file, when it has several. */
  inode?: string;
  /** Of a link. */
  target?: string;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes, of a file. */
  size: number;
  mtime: Date;
  /** Where it is on the host. */
  host: string;
}

/**
 * No other process may be writing to the layers. Paths are relative and without `.` and `..`; a link on the way to the last part is never followed:
 * nothing is there then. So a path leads nowhere else, no matter who made it up.
 */
export class StackTree implements Tree {
  readonly #layers: string[];
  /** The directories on the host that a directory of the tree is merged from, topmost first. */
  readonly #merged = new Map<string, string[]>();

  /** @param layers directories, topmost first, in the form of overlay lowerdirs */
  constructor(layers: string[]) {
    this.#layers = layers;
  }

  entry(path: string): StackEntry | undefined {
    if (path === '')
      return this.#layers[0] === undefined ? EMPTY_ROOT : entryOf(this.#layers[0], lstatSync(this.#layers[0]));
    const { parent, name } = split(path);
    if (name === '' || name === '.' || name === '..' || name.includes('\0')) return undefined;
    for (const directory of this.#directories(parent)) {
      const host = join(directory, name);
      const info = lstatSync(host, { throwIfNoEntry: false });
      if (info) return isWhiteout(info) ? undefined : entryOf(host, info);
    }
    return undefined;
  }

  names(path: string): string[] {
    const names = new Map<string, boolean>();
    for (const directory of this.#directories(path))
      for (const entry of readdirSync(directory, { withFileTypes: true }))
        if (!names.has(entry.name)) names.set(entry.name, !isWhiteoutName(directory, entry));
    return [...names].filter(([, isThere]) => isThere).map(([name]) => name);
  }

  #directories(path: string): string[] {
    if (path === '') return this.#layers;
    const known = this.#merged.get(path);
    if (known) return known;
    const { parent, name } = split(path);
    const found: string[] = [];
    for (const above of name === '.' || name === '..' ? [] : this.#directories(parent)) {
      const directory = join(above, name);
      const info = lstatSync(directory, { throwIfNoEntry: false });
      if (!info) continue;
      if (!info.isDirectory()) break;
      found.push(directory);
      if (`${overlayMarks(directory).get('opaque')}` === 'y') break;
    }
    this.#merged.set(path, found);
    return found;
  }
}

/** Of an image from scratch. */
const EMPTY_ROOT: StackEntry = {
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: new Date(0),
  host: '',
};

function entryOf(host: string, info: Stats): StackEntry {
  return {
    type: typeOf(info),
    ...(info.isSymbolicLink() && { target: readlinkSync(host) }),
    ...specialOf(info),
    ...(info.nlink > 1 && !info.isDirectory() && { inode: `${info.dev}:${info.ino}` }),
    mode: info.mode & 0o7777,
    uid: info.uid,
    gid: info.gid,
    size: info.size,
    mtime: info.mtime,
    host,
  };
}

function typeOf(info: Stats): StackEntry['type'] {
  if (info.isFile()) return 'file';
  if (info.isDirectory()) return 'directory';
  return info.isSymbolicLink() ? 'symlink' : 'other';
}

function specialOf(info: Stats): Pick<StackEntry, 'special' | 'device'> {
  if (info.isFIFO()) return { special: 'fifo' };
  if (info.isSocket()) return { special: 'socket' };
  if (info.isCharacterDevice()) return { special: 'character-device', device: BigInt(info.rdev) };
  return info.isBlockDevice() ? { special: 'block-device', device: BigInt(info.rdev) } : {};
}

/** Only of what may be one is asked: a context has a hundred thousand names and none. */
function isWhiteoutName(directory: string, entry: Dirent): boolean {
  return entry.isCharacterDevice() && isWhiteout(lstatSync(join(directory, entry.name)));
}

function isWhiteout(info: Stats): boolean {
  return info.isCharacterDevice() && info.rdev === 0;
}

function split(path: string): { parent: string; name: string } {
  const slash = path.lastIndexOf('/');
  return { parent: slash === -1 ? '' : path.slice(0, slash), name: path.slice(slash + 1) };
}
