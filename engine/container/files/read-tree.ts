/** Files of a container as an archive. */

import { join } from 'node:path';
import { type ArchiveEntry, packEntries } from '../../image/archive.ts';
import { childrenOf, Entries, nodeAt, type TreeNode } from '../../image/tree-entries.ts';
import type { FoundPath } from './stat-path.ts';

/** What was found, under the name that the user gave it, with all that is below it. */
export function readPath({ real, name, info }: FoundPath): Iterable<Buffer> {
  return packEntries(entriesBelow({ path: '', absolute: real, info }, name === '/' ? '' : name));
}

/** Everything, without a leading directory, as `docker export` has it. */
export function readAll(): Iterable<Buffer> {
  return packEntries(rootEntries());
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
