/** A layer that lies in a directory, as the plank `overlay` looks at it. Nobody else may be writing there. */

import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import type { Layer, LayerEntry } from '#contract/overlay';
import { deviceNumbers } from '#kernel/nodes';
import { getXattr, listXattrs } from '#kernel/xattr';

/** Nothing outside of the layer is looked at: a path that climbs with dots, or that a link leads out, is not there. */
export function layerIn(directory: string): Layer {
  const directories = new Map<string, boolean>([['', true]]);
  const isDirectory = (path: string): boolean => {
    const known = directories.get(path);
    if (known !== undefined) return known;
    const is = isDirectory(parentOf(path)) && isPlain(path) && statOf(path)?.isDirectory() === true;
    directories.set(path, is);
    return is;
  };
  const statOf = (path: string) => lstatSync(`${directory}/${path}`, { bigint: true, throwIfNoEntry: false });
  return {
    entry(path) {
      if (path !== '' && !(isPlain(path) && isDirectory(parentOf(path)))) return undefined;
      const info = statOf(path);
      return info && entryOf(`${directory}/${path}`, info);
    },
    names: (path) => (isDirectory(path) ? readdirSync(`${directory}/${path}`) : []),
  };
}

function entryOf(absolute: string, info: BigIntStats): LayerEntry {
  const type = typeOf(info);
  const { major, minor } = type.endsWith('device') ? deviceNumbers(info.rdev) : { major: 0, minor: 0 };
  return {
    type,
    mode: Number(info.mode & 0o7777n),
    uid: Number(info.uid),
    gid: Number(info.gid),
    size: Number(info.size),
    mtime: info.mtimeNs,
    major,
    minor,
    attributes: type === 'directory' || type === 'file' ? attributesOf(absolute) : {},
  };
}

function typeOf(info: BigIntStats): LayerEntry['type'] {
  if (info.isFile()) return 'file';
  if (info.isDirectory()) return 'directory';
  if (info.isSymbolicLink()) return 'symlink';
  if (info.isCharacterDevice()) return 'character-device';
  if (info.isBlockDevice()) return 'block-device';
  return info.isFIFO() ? 'fifo' : 'socket';
}

const WANTED = /^(?:(?:trusted|user)\.overlay\.|security\.capability$)/;

function attributesOf(absolute: string): Record<string, string> {
  const wanted = listXattrs(absolute).filter((name) => WANTED.test(name));
  return Object.fromEntries(wanted.map((name) => [name, getXattr(absolute, name)?.toString('latin1') ?? '']));
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

function isPlain(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name !== '' && name !== '.' && name !== '..' && !name.includes('\0');
}
