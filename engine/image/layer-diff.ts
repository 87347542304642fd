/** Making layers: what changed, as a tar. OCI image-spec, layer.md, "Creating"; kernel documentation, overlayfs. */

import { type BigIntStats, readlinkSync } from 'node:fs';
import type { DiffOptions } from '#contract/layer';
import { overlayMarks, xattrsOf } from '../runtime/attributes.ts';
import { type ArchiveEntry, packEntries } from './archive.ts';
import { childrenOf, Entries, nodeAt, type TreeNode } from './tree-entries.ts';

export type { DiffOptions };

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const EPOCH = new Date(0);

/**
 * What the upperdir of an overlay changes: its files and directories, `.wh.NAME` for each whiteout in it, and
 * `.wh..wh..opq` in each opaque directory. The root itself is not an entry of it. The same tree gives the same bytes; times
 * are whole seconds, as in the layers that Docker makes.
 * @returns the tar, in chunks of about 1 MiB.
 * @throws Error when a directory or file of it is not complete without its lower layers (redirect_dir, metacopy).
 */
export function diffLayer(upper: string, options: DiffOptions = {}): Generator<Buffer> {
  return packEntries(upperEntries(upper, options));
}

/** The same as entries. */
export function* upperEntries(upper: string, { exclude = () => false }: DiffOptions = {}): Generator<ArchiveEntry> {
  const entries = new Entries();
  const below = function* (directory: TreeNode): Generator<ArchiveEntry> {
    if (`${overlayMarks(directory.absolute).get('opaque')}` === 'y') yield marker(join(directory.path, OPAQUE));
    for (const node of childrenOf(upper, directory)) {
      if (exclude(node.path) || isReserved(node.path)) continue;
      if (isWhiteout(node.info)) {
        yield marker(whiteoutOf(node.path));
        continue;
      }
      refuseIncomplete(node);
      const entry = entries.of(node);
      if (entry) yield entry;
      if (node.info.isDirectory()) yield* below(node);
    }
  };
  yield* below(rootOf(upper));
}

/**
 * What has to be changed in the tree `lower` to have the tree `upper`. Two files are the same when kind, mode, owner,
 * size, modification time and attributes are: as rsync and Docker see it, their bytes are not read.
 * @returns the tar, in chunks of about 1 MiB.
 */
export function diffTrees(lower: string, upper: string, options: DiffOptions = {}): Generator<Buffer> {
  return packEntries(changedEntries(lower, upper, options));
}

/** The same as entries. */
export function* changedEntries(
  lower: string,
  upper: string,
  { exclude = () => false }: DiffOptions = {},
): Generator<ArchiveEntry> {
  const entries = new Entries();
  const below = function* (directory: TreeNode, before: TreeNode | undefined): Generator<ArchiveEntry> {
    const old = before?.info.isDirectory() ? [...childrenOf(lower, before)] : [];
    const gone = new Map(old.map((node) => [node.path, node]));
    for (const node of childrenOf(upper, directory)) {
      const counterpart = gone.get(node.path);
      gone.delete(node.path);
      if (exclude(node.path) || isReserved(node.path)) continue;
      if (!counterpart || !isSame(node, counterpart)) {
        const entry = entries.of(node);
        if (entry) yield entry;
        else if (counterpart) yield marker(whiteoutOf(node.path));
      }
      if (node.info.isDirectory()) yield* below(node, counterpart);
    }
    for (const path of gone.keys()) if (!exclude(path)) yield marker(whiteoutOf(path));
  };
  yield* below(rootOf(upper), rootOf(lower));
}

/** overlayfs's own mark of a deleted name: the character device 0:0. */
export function isWhiteout(info: BigIntStats): boolean {
  return info.isCharacterDevice() && info.rdev === 0n;
}

function rootOf(directory: string): TreeNode {
  const node = nodeAt(directory, '');
  if (!node) throw new Error(`There is no directory ${directory} to make a layer of.`);
  return node;
}

function refuseIncomplete({ absolute, info }: TreeNode): void {
  if (!info.isDirectory() && !(info.isFile() && info.size > 0n)) return;
  const marks = overlayMarks(absolute);
  if (marks.has('redirect'))
    throw new Error(
      `${absolute} takes its content from a lower directory of another name; mount with redirect_dir=off`,
    );
  if (marks.has('metacopy')) throw new Error(`${absolute} has its content in a lower layer; mount with metacopy=off`);
}

/** A name that would mean a whiteout in the archive: no layer can hold such a file. */
function isReserved(path: string): boolean {
  return path.startsWith(WHITEOUT, path.lastIndexOf('/') + 1);
}

function isSame(a: TreeNode, b: TreeNode): boolean {
  const directory = a.info.isDirectory();
  return (
    a.info.mode === b.info.mode &&
    a.info.uid === b.info.uid &&
    a.info.gid === b.info.gid &&
    a.info.rdev === b.info.rdev &&
    // A directory's own size, time and number of links tell of its children.
    (directory ||
      (a.info.size === b.info.size && a.info.mtimeNs === b.info.mtimeNs && a.info.nlink === b.info.nlink)) &&
    (!a.info.isSymbolicLink() || readlinkSync(a.absolute) === readlinkSync(b.absolute)) &&
    (!(directory || a.info.isFile()) || sameXattrs(xattrsOf(a.absolute), xattrsOf(b.absolute)))
  );
}

function sameXattrs(a: Map<string, Buffer>, b: Map<string, Buffer>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name)?.equals(value));
}

function whiteoutOf(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${WHITEOUT}${path.slice(slash)}`;
}

function marker(path: string): ArchiveEntry {
  return { type: 'file', path, mode: 0, mtime: EPOCH, content: '' };
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}
