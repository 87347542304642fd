/** Which control groups this host has. cgroups(7), "Mounting v1 controllers" and "Cgroups version 2". */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A mounted hierarchy. */
export interface Hierarchy {
  mountPoint: string;
  /** `['cpu', 'cpuacct']` where they are mounted together; empty for v2. */
  controllers: string[];
}

export interface Hierarchies {
  v1: Hierarchy[];
  v2: Hierarchy | null;
}

const NAMED = /^name=/;
const MOUNT_OPTIONS = new Set([
  'rw',
  'ro',
  'clone_children',
  'noprefix',
  'xattr',
  'none',
  'cpuset_v2_mode',
  'favordynmods',
]);

/** Read the mount table of a process. proc_pid_mountinfo(5). */
export function mountedHierarchies(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): Hierarchies {
  const found: Hierarchies = { v1: [], v2: null };
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [type, , superOptions = ''] = after.split(' ');
    const mountPoint = decodeOctal(before.split(' ')[4] ?? '');
    if (type === 'cgroup2' && found.v2 === null) found.v2 = { mountPoint, controllers: [] };
    if (type === 'cgroup') {
      const controllers = superOptions
        .split(',')
        .filter((option) => !MOUNT_OPTIONS.has(option) && !NAMED.test(option) && !option.startsWith('release_agent='));
      if (controllers.length > 0) found.v1.push({ mountPoint, controllers });
    }
  }
  return found;
}

/**
 * 2 when the v2 tree has the controllers, 1 when the v1 hierarchies have them (a hybrid host's v2 tree is empty),
 * null when there are none at all.
 */
export function cgroupVersion({ v1, v2 }: Hierarchies): 1 | 2 | null {
  const hasMemory = v1.some(({ controllers }) => controllers.includes('memory') || controllers.includes('pids'));
  if (hasMemory) return 1;
  if (v2 === null) return null;
  try {
    return readFileSync(join(v2.mountPoint, 'cgroup.controllers'), 'utf8').trim() === '' && v1.length > 0 ? 1 : 2;
  } catch {
    return null;
  }
}

/** mountinfo writes space, tab, newline and backslash as octal escapes. */
function decodeOctal(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
