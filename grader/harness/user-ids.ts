/** Whose ids a sandbox has on this machine. user_namespaces(7), subuid(5). */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';

export interface IdRange {
  first: number;
  size: number;
}

export const isRoot = process.geteuid?.() === 0;

/**
 * The ids that are 0, 1, … in the sandbox of a slot, as the shim sees them. With root: far above anyone's, no two
 * sandboxes alike. Without, the shim has its user's id as 0 and the user's subordinate ids from 1; a sandbox gets those.
 */
export function sandboxIds(shimPid: number, slot: number): IdRange {
  if (isRoot) return { first: FAR_ABOVE + ((shimPid % 1000) * 16 + slot) * IDS, size: IDS };
  return hasSubordinateIds() ? { first: 1, size: IDS - 1 } : { first: 0, size: 1 };
}

const FAR_ABOVE = 0x3b000000;
const IDS = 65536;

/** Map the ids of a child in a new user namespace: the caller as 0, and its subordinate ids if it has some. */
export function mapIds(pid: number): void {
  const [uid, gid] = [process.getuid!(), process.getgid!()];
  if (hasSubordinateIds()) {
    execFileSync('newuidmap', [String(pid), ...map(uid, subordinate('uid')!)]);
    execFileSync('newgidmap', [String(pid), ...map(gid, subordinate('gid')!)]);
    return;
  }
  fs.writeFileSync(`/proc/${pid}/setgroups`, 'deny');
  fs.writeFileSync(`/proc/${pid}/uid_map`, `0 ${uid} 1`);
  fs.writeFileSync(`/proc/${pid}/gid_map`, `0 ${gid} 1`);
}

function map(own: number, { first }: IdRange): string[] {
  return ['0', String(own), '1', '1', String(first), String(IDS - 1)];
}

/** Whether this user may have more than its own id in a user namespace. */
export function hasSubordinateIds(): boolean {
  const installed = ['newuidmap', 'newgidmap'].every((name) =>
    (process.env.PATH ?? '').split(':').some((folder) => fs.existsSync(`${folder}/${name}`)),
  );
  return installed && subordinate('uid') !== null && subordinate('gid') !== null;
}

function subordinate(kind: 'uid' | 'gid'): IdRange | null {
  try {
    const { username, uid } = os.userInfo();
    for (const line of fs.readFileSync(`/etc/sub${kind}`, 'utf8').split('\n')) {
      const [owner, first, size] = line.split(':');
      if ((owner === username || owner === String(uid)) && Number(size) >= IDS - 1)
        return { first: Number(first), size: Number(size) };
    }
  } catch {
    // No such file, or a user without a name.
  }
  return null;
}
