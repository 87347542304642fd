/** Which users and groups exist for this process. user_namespaces(7), "User and group ID mappings". */

import { readFileSync } from 'node:fs';

export interface IdRange {
  first: number;
  size: number;
}

export type IdKind = 'uid' | 'gid';

/** A map from 0 to 0 over all ids but the one that means "none": that of the first user namespace. */
const ALL_IDS = 4_294_967_295;

/** Read when the program starts: a forked child may be where there is no /proc any more. */
const own: Record<IdKind, IdRange[]> = { uid: readOwnIdMap('uid'), gid: readOwnIdMap('gid') };

/** Whether this process's user namespace has the id. Nothing changes that while it lives. */
export function hasId(kind: IdKind, id: number): boolean {
  return own[kind].some(({ first, size }) => first <= id && id < first + size);
}

/** Whether there are more ids outside: root of such a namespace is not the machine's root. */
export function inUserNamespace(): boolean {
  return own.uid.reduce((sum, { size }) => sum + size, 0) < ALL_IDS;
}

/** Whether all that this process has is one user, so that nothing can belong to anybody else. */
export function hasOneId(): boolean {
  return own.uid.length === 1 && own.uid[0]!.size === 1;
}

/** Where there is no Linux there are no namespaces, and every id is one's own. */
function readOwnIdMap(kind: IdKind): IdRange[] {
  if (process.platform !== 'linux') return [{ first: 0, size: ALL_IDS }];
  return readIdMap('self', kind).map(({ containerID, size }) => ({ first: containerID, size }));
}

/** The lines of /proc/PID/uid_map or gid_map; `hostID` is as the caller's user namespace has it. */
export function readIdMap(pid: number | 'self', kind: IdKind): { containerID: number; hostID: number; size: number }[] {
  return readFileSync(`/proc/${pid}/${kind}_map`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [containerID = 0, hostID = 0, size = 0] = line.trim().split(/\s+/).map(Number);
      return { containerID, hostID, size };
    });
}
