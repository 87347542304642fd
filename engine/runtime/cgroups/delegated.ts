/** Which part of the cgroup tree this process may manage. Kernel documentation, admin-guide/cgroup-v2, "Delegation". */

import { accessSync, constants, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inUserNamespace } from '#kernel/user-namespace';
import type { Hierarchy } from './detect.ts';
import { readValue, writeValue } from './files.ts';

/** Where the engine itself stays, since a cgroup that hands controllers down holds no processes. */
const OWN_PLACE = 'skiff-engine';

/**
 * The directory below which the paths of cgroups begin: the whole tree for root, and for root of a user namespace the
 * cgroup that was delegated to it, by which systemd means the one it was started in.
 * @throws Error that says how to get one.
 */
export function delegatedTree(hierarchies: Hierarchy[], version: 1 | 2): string {
  const top = hierarchies[0]!.mountPoint;
  if (!inUserNamespace() || hierarchies.every(({ mountPoint }) => isWritable(mountPoint))) return top;
  if (version === 1)
    throw new Error(
      'Without root there are no limits on this host: its control groups are version 1, which cannot be delegated. ' +
        'Start the container without limits, boot with systemd.unified_cgroup_hierarchy=1, or use sudo.',
    );
  const own = join(top, ownCgroup(readFileSync('/proc/self/cgroup', 'utf8')));
  if (!isWritable(own))
    throw new Error(
      'Without root there are limits only in a control group that was delegated to this user, and the engine is in none. ' +
        'Start the container without limits, or the daemon with: systemd-run --user --scope -p Delegate=yes skiff daemon.',
    );
  makeRoom(own);
  return own;
}

/** @param cgroups as in /proc/PID/cgroup. cgroups(7). */
export function ownCgroup(cgroups: string): string {
  const path = /^0::(.*)$/m.exec(cgroups)?.[1] ?? '/';
  return path.endsWith(`/${OWN_PLACE}`) ? path.slice(0, -OWN_PLACE.length - 1) || '/' : path;
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    accessSync(join(directory, 'cgroup.procs'), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Move what is in the cgroup itself into one below it. What has ended meanwhile need not move. */
function makeRoom(directory: string): void {
  const inside = (readValue(directory, 'cgroup.procs') ?? '').split('\n').filter(Boolean);
  if (inside.length === 0) return;
  const place = join(directory, OWN_PLACE);
  mkdirSync(place, { recursive: true });
  for (const pid of inside) {
    try {
      writeValue(place, 'cgroup.procs', pid);
    } catch {
      // One that cannot be moved keeps the controllers from being handed down, which is said when one is needed.
    }
  }
}
