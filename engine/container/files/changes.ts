/** What an overlay's upperdir means for the tree below it, as `docker diff` says it. Kernel documentation, overlayfs. */

import type { StackEntry, StackTree } from '../../image/build/stack-tree.ts';
import type { UpperEntry } from './request.ts';

export interface Change {
  /** Absolute in the container. */
  path: string;
  kind: 'changed' | 'added' | 'deleted';
}

/**
 * A directory with a change anywhere below it has changed itself. What was in a deleted directory is not listed.
 * @param entries of the upperdir, each directory before what is in it.
 * @returns sorted by path.
 */
export function changesOf(entries: UpperEntry[], lower: Pick<StackTree, 'entry' | 'names'>): Change[] {
  const changes = new Map<string, Change['kind']>();
  const record = (path: string, kind: Change['kind']) => {
    changes.set(path, kind);
    for (const parent of parentsOf(path)) if (!changes.has(parent)) changes.set(parent, 'changed');
  };
  const inUpper = new Set(entries.map(({ path }) => path));
  /** Directories through which nothing of the lower ones is seen. */
  const opaque = new Set<string>();
  for (const entry of entries) {
    const { path } = entry;
    const before = lower.entry(path);
    const kind = kindOf(entry, before);
    if (kind) record(path, kind);
    if (entry.type !== 'directory' || !(entry.opaque || opaque.has(parentOf(path)))) continue;
    opaque.add(path);
    for (const name of before?.type === 'directory' ? lower.names(path) : [])
      if (!inUpper.has(`${path}/${name}`)) record(`${path}/${name}`, 'deleted');
  }
  return [...changes]
    .map(([path, kind]): Change => ({ path: `/${path}`, kind }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

function kindOf(entry: UpperEntry, before: StackEntry | undefined): Change['kind'] | undefined {
  if (entry.type === 'whiteout') return before && 'deleted';
  if (!before) return 'added';
  // It is there as soon as something below it is written to.
  const isSame =
    entry.type === 'directory' &&
    before.type === 'directory' &&
    entry.mode === before.mode &&
    entry.uid === before.uid &&
    entry.gid === before.gid &&
    entry.mtime === before.mtime.getTime();
  return isSame ? undefined : 'changed';
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

function parentsOf(path: string): string[] {
  const parent = parentOf(path);
  return parent === '' ? [] : [parent, ...parentsOf(parent)];
}
