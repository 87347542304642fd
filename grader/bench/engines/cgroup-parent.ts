/** A cgroup of this run, below which the other engines put theirs, so that what they leave behind can be told and removed. */

import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const MOUNT = '/sys/fs/cgroup';

export function cgroupParent(engine: string): string {
  return `/skiff-bench-${process.pid}-${engine}`;
}

/** Remove the cgroup from every hierarchy (v1), or from the only one (v2), with the empty ones in it. */
export function removeCgroupParent(path: string): void {
  for (const hierarchy of ['', ...readdirSync(MOUNT)]) removeTree(join(MOUNT, hierarchy, path));
}

function removeTree(directory: string): void {
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(directory, entry.name));
    }
    rmdirSync(directory);
  } catch {
    // No such cgroup in this hierarchy, or not a hierarchy.
  }
}
