/** All mounts of a container in their order: what the plank of lab `rootfs` mounts, and what is beyond it. config.md, "Mounts". */

import { normalize } from 'node:path/posix';
import * as kernel from '#kernel/mounts';
import { mountAll } from '#rootfs';
import { mountCgroups } from './cgroup-mount.ts';
import { changeOfBind, parseMountOptions, recursiveChange } from './mount-options.ts';
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
        withPathInRoot(rootfs, destination, (fd) => kernel.setMountAttributes(fd, kernel.MOUNT_ATTR_RDONLY)),
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

/** What the plank sets for all mounts below an `rbind` as well. */
const forAllBelow: [name: string, attribute: bigint][] = [
  ['ro', kernel.MOUNT_ATTR_RDONLY],
  ['nosuid', kernel.MOUNT_ATTR_NOSUID],
  ['nodev', kernel.MOUNT_ATTR_NODEV],
  ['noexec', kernel.MOUNT_ATTR_NOEXEC],
];

/** In config.json `ro` is about the one mount and `rro` about those below it too: the plank gets `ro` where both are meant. */
function mountWithAllBelow(rootfs: string, mount: Mount): void {
  const { options = [] } = mount;
  const below = recursiveChange(options);
  const bound = isBind(mount) ? changeOfBind(options) : { names: [], set: 0n, clear: 0n };
  const alone = options.includes('rbind') ? parseMountOptions(options).attributes & ~below.set : 0n;
  const namesAlone = forAllBelow.flatMap(([name, attribute]) => ((alone & attribute) === 0n ? [] : [name]));
  mountAll(rootfs, [{ ...mount, options: without(mount, [...below.names, ...namesAlone]) }]);
  if (below.names.length + bound.names.length + namesAlone.length === 0) return;
  step(`mount ${mount.destination}`, () =>
    withPathInRoot(rootfs, mount.destination, (fd) => {
      if (bound.names.length + namesAlone.length > 0)
        kernel.setMountAttributes(fd, bound.set | alone, false, bound.clear);
      if (below.names.length > 0) kernel.setMountAttributes(fd, below.set, true, below.clear);
    }),
  );
}

function isBind({ options = [] }: Mount): boolean {
  return options.some((option) => option === 'bind' || option === 'rbind');
}

function without({ options = [] }: Mount, names: readonly string[]): string[] {
  return options.filter((option) => !names.includes(option));
}
