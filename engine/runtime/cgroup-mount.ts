/** A mount of type `cgroup`: the container's own cgroups, and no others, wherever the host has its. config-linux.md, "Control groups". */

import { lstatSync, statSync, symlinkSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { MOUNT_ATTR_RDONLY, setMountAttributes } from '#kernel/mounts';
import { mountAll } from '#rootfs';
import { cgroupVersion, type Hierarchies, mountedHierarchies } from './cgroups/detect.ts';
import { descriptorPath, withPathInRoot } from './path-in-root.ts';
import type { Mount } from './spec.ts';

/** @param cgroupsPath the container's cgroup below each hierarchy's root. */
export function mountCgroups(rootfs: string, mount: Mount, cgroupsPath: string | undefined): void {
  if (cgroupsPath === undefined)
    throw new Error('There is no cgroup to show; set linux.cgroupsPath or leave the mount out.');
  const hierarchies = mountedHierarchies();
  const options = (mount.options ?? []).filter((option) => option !== 'bind' && option !== 'rbind');
  if (cgroupVersion(hierarchies) === 2) {
    const source = join(hierarchies.v2!.mountPoint, cgroupsPath);
    mountAll(rootfs, [{ destination: mount.destination, type: 'bind', source, options: ['bind', ...options] }]);
  } else mountEach(rootfs, mount.destination, options, cgroupsPath, hierarchies);
}

/** One directory for each hierarchy, as on the host, in a file system of its own. */
function mountEach(
  rootfs: string,
  destination: string,
  options: string[],
  cgroupsPath: string,
  { v1 }: Hierarchies,
): void {
  const flags = options.filter((option) => option !== 'ro' && option !== 'rw');
  mountAll(rootfs, [{ destination, type: 'tmpfs', source: 'tmpfs', options: [...flags, 'mode=755'] }]);
  for (const { mountPoint, controllers } of v1) {
    const source = join(mountPoint, cgroupsPath);
    if (statSync(source, { throwIfNoEntry: false }) === undefined) continue;
    const name = basename(mountPoint);
    mountAll(rootfs, [
      { destination: posix.join(destination, name), type: 'bind', source, options: ['bind', ...options] },
    ]);
    withPathInRoot(rootfs, destination, (directory) => {
      for (const controller of controllers) if (controller !== name) linkUnlessThere(directory, controller, name);
    });
  }
  if (options.includes('ro')) withPathInRoot(rootfs, destination, (fd) => setMountAttributes(fd, MOUNT_ATTR_RDONLY));
}

/** Programs look for `cpu` where the hierarchy is `cpu,cpuacct`. */
function linkUnlessThere(directory: number, name: string, target: string): void {
  const path = `${descriptorPath(directory)}/${name}`;
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) symlinkSync(target, path);
}
