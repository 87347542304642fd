/** All mounts of a container in their order: what the plank of lab `rootfs` mounts, and what is beyond it. config.md, "Mounts". */

import { normalize } from 'node:path/posix';
import { MOUNT_ATTR_RDONLY, setMountAttributes } from '#kernel/mounts';
import { mountAll } from '#rootfs';
import { mountCgroups } from './cgroup-mount.ts';
import { changeOfBind, recursiveChange } from './mount-options.ts';
import { withPathInRoot } from './path-in-root.ts';
import type { Mount } from './spec.ts';
import { step } from './step.ts';

/**
 * Mount all in their order.
 * @param cgroupsPath the container's cgroup below each hierarchy's root.
 * @returns what is to be called when nothing more has to be made in what is mounted: it makes the rest read-only.
 */
export function mountEverything(rootfs: string, mounts: Mount[], cgroupsPath: string | undefined): () => void {
  const later = mounts.filter(isFilledFirst).map(({ destination }) => destination);
  for (const mount of mounts) {
    if (mount.type === 'cgroup') step(`mount ${mount.destination}`, () => mountCgroups(rootfs, mount, cgroupsPath));
    else mountWithAllBelow(rootfs, isFilledFirst(mount) ? { ...mount, options: without(mount, ['ro']) } : mount);
  }
  return () => {
    for (const destination of later)
      step(`read-only ${destination}`, () =>
        withPathInRoot(rootfs, destination, (fd) => setMountAttributes(fd, MOUNT_ATTR_RDONLY)),
      );
  };
}

/** A new file system is empty: nothing could be mounted below it, and no device be made in it, were it read-only at once. */
function isFilledFirst(mount: Mount): boolean {
  const { destination, type, options = [] } = mount;
  if (isBind(mount)) return false;
  return isReadonly(options) && (type === 'tmpfs' || normalize(`${destination}/`) === '/dev/');
}

/** The last of them counts. mount(8). */
function isReadonly(options: string[]): boolean {
  return options.lastIndexOf('ro') > options.lastIndexOf('rw');
}

/** `ro` is about the one mount, `rro` about those below it as well; for these there is a call of its own. */
function mountWithAllBelow(rootfs: string, mount: Mount): void {
  const below = recursiveChange(mount.options);
  const bound = isBind(mount) ? changeOfBind(mount.options) : { names: [], set: 0n, clear: 0n };
  mountAll(rootfs, [{ ...mount, options: without(mount, below.names) }]);
  if (below.names.length + bound.names.length === 0) return;
  step(`mount ${mount.destination}`, () =>
    withPathInRoot(rootfs, mount.destination, (fd) => {
      if (bound.names.length > 0) setMountAttributes(fd, bound.set, false, bound.clear);
      if (below.names.length > 0) setMountAttributes(fd, below.set, true, below.clear);
    }),
  );
}

function isBind({ options = [] }: Mount): boolean {
  return options.some((option) => option === 'bind' || option === 'rbind');
}

function without({ options = [] }: Mount, names: readonly string[]): string[] {
  return options.filter((option) => !names.includes(option));
}
