import { cgroupVersion, mountedHierarchies } from './detect.ts';
import type { CgroupDriver } from './driver.ts';
import { v1Driver } from './v1.ts';
import { v2Driver } from './v2.ts';

let known: CgroupDriver | undefined;

/** This host's control groups. @throws Error when none are mounted. */
export function hostCgroups(): CgroupDriver {
  known ??= findDriver();
  return known;
}

function findDriver(): CgroupDriver {
  const hierarchies = mountedHierarchies();
  const version = cgroupVersion(hierarchies);
  if (version === 2) return v2Driver(hierarchies.v2!.mountPoint);
  if (version === 1) return v1Driver(hierarchies.v1);
  throw new Error(
    'No cgroup controllers are mounted on this host. Mount them (mount -t cgroup2 none /sys/fs/cgroup), ' +
      'or start the container without a cgroupsPath.',
  );
}
