/**
 * Lab `rootfs`: the file tree a container sees.
 *
 * The engine calls these five functions in this order, all of them in the child, in a mount namespace of its own, before
 * the program runs. See rootfs.driver.ts for the whole story. None of them is `async`, none leaves a descriptor open or the
 * umask changed. The options, the link targets and the device types are listed in `#contract/rootfs`
 * (engine/runtime/contract/rootfs.ts).
 */

import { NotImplemented } from '#contract/not-implemented';
import type { Device, Mount } from '#spec';

/**
 * Task 1. Stop mount events between the host and this mount namespace, in both directions, for the whole tree; then
 * make `rootfs` a mount point by binding it onto itself, since pivot_root takes nothing else.
 * @param rootfs an absolute path of an existing directory. It may be a mount point already.
 * @throws KernelError. mount_namespaces(7), "Shared subtrees".
 */
export function isolateMounts(_rootfs: string): void {
  throw new NotImplemented('rootfs', 1);
}

/**
 * Task 2. Mount each of `mounts` inside `rootfs`, in order.
 *
 * A missing mount point is made: a file for the bind of a file, else a directory. A symbolic link in a destination is
 * followed as if `rootfs` were `/`, so it never leads out: the image that brought the link is hostile. A read-only bind
 * takes a second call, because the first one ignores the flag; the same goes for `nosuid`, `nodev` and `noexec`. The flags of
 * the source that no option names stay. A propagation (`rslave`) takes a call of its own. All other options (`size=64m`) are
 * the file system's own and go to it as data.
 * @throws KernelError, also when a destination cannot be made. mount(2), openat2(2).
 */
export function mountAll(_rootfs: string, _mounts: Mount[]): void {
  throw new NotImplemented('rootfs', 2);
}

/**
 * Task 3. Make the device nodes below `rootfs`, and in its /dev the links `fd` → /proc/self/fd, `stdin`, `stdout`, `stderr` →
 * /proc/self/fd/0, 1, 2 and `ptmx` → pts/ptmx.
 *
 * Types: `c` and `u` are character devices, `b` block devices, `p` FIFOs. `fileMode` is exact: the umask must not cut it. The
 * owner is `uid`, `gid`, 0 when absent. Only where mknod answers EPERM (for devices in a user namespace it always does), bind
 * the host's node of the same path onto an empty file instead. A /dev that is a link of the image stays inside `rootfs`.
 * @param devices major and minor as in linux/devices.txt; `fileMode` 0…0o777, 0o666 when absent.
 * @throws KernelError. mknod(2), null(4), pts(4).
 */
export function createDevices(_rootfs: string, _devices: Device[]): void {
  throw new NotImplemented('rootfs', 3);
}

/**
 * Task 4. Make `rootfs` the root of this mount namespace and take the old one away, so that nothing of the host's tree
 * can be reached by any path. The working directory is `/` afterwards, the new one.
 * @param rootfs what `isolateMounts` made a mount point.
 * @throws KernelError. pivot_root(2).
 */
export function pivotRoot(_rootfs: string): void {
  throw new NotImplemented('rootfs', 4);
}

/**
 * Task 5. After the pivot: hide each of `masked` and make each of `readonly` read-only, with what is mounted below it.
 *
 * A masked file reads as empty, a masked directory lists as empty and takes no new file. A path that does not exist is
 * passed over: not every kernel has every file of /proc.
 * @param masked absolute paths inside the new root, e.g. `/proc/kcore`.
 * @throws KernelError. config-linux.md, "Masked Paths" and "Readonly Paths".
 */
export function protectPaths(_masked: string[], _readonly: string[]): void {
  throw new NotImplemented('rootfs', 5);
}
