/** Which users and groups exist for this process. user_namespaces(7), "User and group ID mappings". */

import { readFileSync } from 'node:fs';

export interface IdRange {
  first: number;
  size: number;
}

export type IdKind = 'uid' | 'gid';

/** A map from 0 to 0 over all ids but the one that means "none": that of the first user namespace. */
const ALL_IDS = 4_294_967_295;

const known = new Map<IdKind, IdRange[]>();

/** The ids that this process's user namespace has, as it calls them itself. Nothing changes them while it lives. */
export function ownIds(kind: IdKind): IdRange[] {
  const ranges = known.get(kind) ?? readIdMap(`/proc/self/${kind}_map`);
  known.set(kind, ranges);
  return ranges;
}

export function hasId(kind: IdKind, id: number): boolean {
  return ownIds(kind).some(({ first, size }) => first <= id && id < first + size);
}

/** Whether there are more ids outside: root of such a namespace is not the machine's root. */
export function inUserNamespace(): boolean {
  return ownIds('uid').reduce((sum, { size }) => sum + size, 0) < ALL_IDS;
}

/** Whether all that this process has is one user, so that nothing can belong to anybody else. */
export function hasOneId(): boolean {
  return ownIds('uid').length === 1 && ownIds('uid')[0]!.size === 1;
}

/** Where there is no Linux there are no namespaces, and every id is one's own. */
function readIdMap(file: string): IdRange[] {
  if (process.platform !== 'linux') return [{ first: 0, size: ALL_IDS }];
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [first = 0, , size = 0] = line.trim().split(/\s+/).map(Number);
      return { first, size };
    });
}
