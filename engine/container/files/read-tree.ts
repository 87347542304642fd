/** Files of a container as an archive, with the owners they have in the container. */

import { join } from 'node:path';
import { type ArchiveEntry, packEntries } from '../../image/archive.ts';
import { childrenOf, Entries, nodeAt, type TreeNode } from '../../image/tree-entries.ts';
import { capabilityInside, type IdMaps, idInside } from './id-maps.ts';
import type { FoundPath } from './stat-path.ts';

/** What was found, under the name that the user gave it, with all that is below it. */
export function readPath({ real, name, info }: FoundPath, ids?: IdMaps): Iterable<Buffer> {
  return packEntries(inside(ids, entriesBelow({ path: '', absolute: real, info }, name === '/' ? '' : name)));
}

/** Everything, without a leading directory, as `docker export` has it. */
export function readAll(ids?: IdMaps): Iterable<Buffer> {
  return packEntries(inside(ids, rootEntries()));
}

function* rootEntries(): Generator<ArchiveEntry> {
  const entries = new Entries();
  for (const child of childrenOf('/', root())) yield* walk(child, entries, (path) => path);
}

function root(): TreeNode {
  return nodeAt('/', '')!;
}

function* entriesBelow(top: TreeNode, name: string): Generator<ArchiveEntry> {
  yield* walk(top, new Entries(), (path) => (path === '' ? name : `${name}/${path}`), top.absolute);
}

function* walk(
  node: TreeNode,
  entries: Entries,
  rename: (path: string) => string,
  base = '/',
): Generator<ArchiveEntry> {
  const entry = entries.of({ ...node, path: rename(node.path), absolute: join(base, node.path) });
  if (entry) yield entry;
  if (!node.info.isDirectory()) return;
  for (const child of childrenOf(base, node)) yield* walk(child, entries, rename, base);
}

function* inside(ids: IdMaps | undefined, entries: Iterable<ArchiveEntry>): Generator<ArchiveEntry> {
  for (const entry of entries) {
    const { uid = 0, gid = 0 } = entry;
    const owner = { uid: idInside(ids, 'uid', uid), gid: idInside(ids, 'gid', gid) };
    const attributes = 'xattrs' in entry && entry.xattrs ? { xattrs: capabilityInside(ids, entry.xattrs) } : {};
    yield { ...entry, ...owner, ...attributes } as ArchiveEntry;
  }
}
