/** The plank of lab `rootfs`: the file tree a container sees. Everything here runs in the child, in its own mount namespace. */

import type { Device, Mount } from '../spec.ts';

export interface RootfsPlank {
  /**
   * Stop mount events between the host and this mount namespace, in both directions, for the whole tree; then make
   * `rootfs` (absolute, an existing directory) a mount point by binding it onto itself, as pivot_root(2) demands.
   * A `rootfs` that is a mount point already may be bound again.
   */
  isolateMounts(rootfs: string): void;

  /**
   * Mount each of `mounts` inside `rootfs`, in order. A missing mount point is made: a file for the bind of a file,
   * else a directory. A symbolic link in a destination is followed as if `rootfs` were `/`, so never out of it.
   * `bind`/`rbind` and `ro` together need a second, remounting call. Options that are no flags (`size=64m`) go to the
   * file system as data. mount(2), mount(8).
   * @throws KernelError whose step names the destination.
   */
  mountAll(rootfs: string, mounts: Mount[]): void;

  /**
   * Make the device nodes in `rootfs`/dev and the links `fd`, `stdin`, `stdout`, `stderr`, `ptmx`. Where mknod(2) is
   * not permitted (in a user namespace), bind the host's node onto an empty file instead.
   */
  createDevices(rootfs: string, devices: Device[]): void;

  /**
   * Make `rootfs` the root of this mount namespace and detach the old one, so that nothing of the host's tree can be
   * reached by any path or open directory. The working directory is `/` afterwards. pivot_root(2).
   */
  pivotRoot(rootfs: string): void;

  /**
   * After the pivot: hide each of `masked` (a file behind /dev/null, a directory behind an empty read-only tmpfs) and
   * make each of `readonly` read-only. A path that does not exist is passed over. config-linux.md, "Masked Paths".
   */
  protectPaths(masked: string[], readonly: string[]): void;
}
