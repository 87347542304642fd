/**
 * A program that cannot be written to from a container that runs it. While a process is on its way into a container, /proc/self/exe is the
 * program that it still is: a script of the container's that names that path as its interpreter runs the host's file, and
 * could write over it as soon as it does not run any more (CVE-2019-5736).
 */

import { close, O_PATH, open } from './descriptors.ts';
import { systemCall } from './libc.ts';
import { copyMount, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, setMountAttributes } from './mounts.ts';

const statvfsCall = systemCall('int statvfs(const char *, _Out_ uint8_t *)');

const STATVFS_BYTES = 112; // struct statvfs, 64 bits
const F_FLAG = 72;
const ST_RDONLY = 1n;

/**
 * A copy of the mount that `program` lies on, of that one file, read-only, which is nowhere in the tree: nothing is copied,
 * and what is run from it has EROFS for a writer. open_tree(2), mount_setattr(2).
 * @returns a descriptor, closed by exec. `/proc/self/fd/N` runs it.
 * @throws KernelError EPERM without CAP_SYS_ADMIN over the mount namespace.
 */
export function openUnwritable(program: string): number {
  const fd = open(program, O_PATH);
  try {
    const copy = copyMount(fd);
    setMountAttributes(copy, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    return copy;
  } finally {
    close(fd);
  }
}

/** Whether the mount that `path` lies on is read-only. statvfs(3), ST_RDONLY. */
export function isOnReadOnlyMount(path: string): boolean {
  const answer = Buffer.alloc(STATVFS_BYTES);
  statvfsCall(path, path, answer);
  return (answer.readBigUInt64LE(F_FLAG) & ST_RDONLY) !== 0n;
}
