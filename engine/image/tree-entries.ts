/** What stands in a directory tree, as entries of an archive: sorted, with hard links as such. */

import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { deviceNumbers } from '#kernel/nodes';
import { xattrsOf } from '../runtime/attributes.ts';
import type { ArchiveEntry } from './archive.ts';

/** What stat(2) says of one name in a tree. */
export interface TreeNode {
  /** Relative to the root, without a leading `/`; '' is the root itself. */
  path: string;
  /** On the host. */
  absolute: string;
  info: BigIntStats;
}

const PERMISSIONS = 0o7777n;

/** The names in a directory in the order of their bytes, which no locale and no file system changes. */
export function sortedNames(directory: string): string[] {
  return readdirSync(directory, 'buffer')
    .sort(Buffer.compare)
    .map((name) => {
      const text = name.toString('utf8');
      if (text.includes('\uFFFD')) throw new Error(`${join(directory, text)} has a name that is not UTF-8; rename it`);
      return text;
    });
}

export function nodeAt(root: string, path: string): TreeNode | undefined {
  const absolute = join(root, path);
  const info = lstatSync(absolute, { bigint: true, throwIfNoEntry: false });
  return info && { path, absolute, info };
}

/** The children of a directory, sorted. */
export function* childrenOf(root: string, { path, absolute }: TreeNode): Generator<TreeNode> {
  for (const name of sortedNames(absolute)) {
    const node = nodeAt(root, path === '' ? name : `${path}/${name}`);
    if (node) yield node;
  }
}

/** Makes entries of the nodes of one tree: the second name of a file becomes a link to the first. */
export class Entries {
  /** By device and inode number. */
  readonly #first = new Map<string, string>();

  /** @returns undefined for a socket, which means nothing without the process that listens on it. */
  of({ path, absolute, info }: TreeNode): ArchiveEntry | undefined {
    const metadata = {
      path,
      mode: Number(info.mode & PERMISSIONS),
      uid: Number(info.uid),
      gid: Number(info.gid),
      mtime: new Date(Number(info.mtimeNs / 1_000_000n)),
    };
    if (info.isSocket()) return undefined;
    if (info.isDirectory()) return { ...metadata, type: 'directory', xattrs: xattrsOf(absolute) };
    const target = this.#linkTo(path, info);
    if (target !== undefined) return { ...metadata, type: 'link', target };
    if (info.isSymbolicLink()) return { ...metadata, type: 'symlink', target: readlinkSync(absolute) };
    if (info.isFile()) {
      const content = { source: absolute, size: Number(info.size), onChange: 'fill' as const };
      return { ...metadata, type: 'file', ...content, xattrs: xattrsOf(absolute) };
    }
    if (info.isFIFO()) return { ...metadata, type: 'fifo' };
    return {
      ...metadata,
      type: info.isBlockDevice() ? 'block-device' : 'character-device',
      ...deviceNumbers(info.rdev),
    };
  }

  #linkTo(path: string, { dev, ino, nlink }: BigIntStats): string | undefined {
    if (nlink < 2n) return undefined;
    const key = `${dev}:${ino}`;
    const first = this.#first.get(key);
    if (first === undefined) this.#first.set(key, path);
    return first;
  }
}
