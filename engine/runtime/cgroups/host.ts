import { delegatedTree } from './delegated.ts';
import { cgroupVersion, mountedHierarchies } from './detect.ts';
import type { CgroupDriver } from './driver.ts';
import { v1Driver } from './v1.ts';
import { v2Driver } from './v2.ts';

let known: CgroupDriver | undefined;

/** This host's control groups, as far as they are this process's to manage. @throws Error that says what is missing. */
export function hostCgroups(): CgroupDriver {
  known ??= findDriver();
  return known;
}

/** Why there are no control groups to put containers into, in a sentence that says the way out; null when there are. */
export function whyNoCgroups(): string | null {
  try {
    hostCgroups();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function findDriver(): CgroupDriver {
  const hierarchies = mountedHierarchies();
  const version = cgroupVersion(hierarchies);
  if (version === null)
    throw new Error(
      'No cgroup controllers are mounted on this host. Mount them (mount -t cgroup2 none /sys/fs/cgroup), ' +
        'or start the container without a cgroupsPath.',
    );
  const tree = delegatedTree(version === 2 ? [hierarchies.v2!] : hierarchies.v1, version);
  return version === 2 ? v2Driver(tree) : v1Driver(hierarchies.v1);
}
