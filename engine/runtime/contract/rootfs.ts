/** The plank of lab `rootfs`: the file tree a container sees. Everything here runs in the child, in its own mount namespace. */

import type { Device, Mount } from '../spec.ts';

export interface RootfsPlank {
  /**
   * All five functions run in the child and leave it as it was otherwise: no descriptor stays open, the umask is the same.
   * Every error of the kernel is thrown, except where a function says otherwise.
   *
   * Stop mount events between the host and this mount namespace, in both directions, for the whole tree; then make
   * `rootfs` (absolute, an existing directory) a mount point by binding it onto itself, as pivot_root(2) demands.
   * A `rootfs` that is a mount point already may be bound again.
   */
  isolateMounts(rootfs: string): void;

  /**
   * Mount each of `mounts` inside `rootfs`, in order. A missing mount point is made with its parents: a file for the bind
   * of anything that is not a directory, else a directory. A symbolic link in a destination, also in the part that is
   * missing, is resolved as if `rootfs` were `/`, so nothing is mounted or made outside of it; a link to nothing may be an
   * error. `destination` is absolute; `source` is a path of the caller's own world.
   *
   * Options that are flags: `ro` `rw`, `nosuid` `suid`, `nodev` `dev`, `noexec` `exec`, `noatime`, `relatime`,
   * `strictatime`, `bind`, `rbind` (a bind with all mounts below `source`). Of two opposite ones the later counts. A bind
   * takes `ro`, `nosuid`, `nodev` and `noexec` in a second call, and a `rbind` for all mounts below it too. A bind keeps the
   * flags of its source that no option names: MS_REMOUNT clears them, which the kernel refuses with EPERM in a user
   * namespace, and mount_setattr(2) leaves them alone. Options that set the propagation, in a call of their own: `private`,
   * `slave`, `shared`, and for the whole tree `rprivate`, `rslave`, `rshared`. All other options (`size=64m`) go to the
   * file system as data, in their order. mount(2), mount(8).
   * @throws KernelError.
   */
  mountAll(rootfs: string, mounts: Mount[]): void;

  /**
   * Make the device nodes, below `rootfs`, and the links in its /dev: `fd` to /proc/self/fd, `stdin`, `stdout` and `stderr`
   * to /proc/self/fd/0, 1 and 2, and `ptmx` to pts/ptmx. `c` and `u` are character devices, `b` block devices, `p` FIFOs,
   * which have no numbers. The mode is exactly `fileMode` (0o666 if absent) whatever the umask; the owner is `uid` and `gid`
   * (0 if absent). Missing directories are made; links on the way, such as a /dev that is one, stay inside `rootfs`.
   *
   * Only where mknod(2) answers EPERM, as for devices in a user namespace: bind the host's node of the same path onto an
   * empty file, which leaves mode and owner as the host has them. If something else is at the path already, that is an
   * error (EEXIST).
   */
  createDevices(rootfs: string, devices: Device[]): void;

  /**
   * Make `rootfs` the root of this mount namespace and detach the old one, so that nothing of the host's tree can be
   * reached by any path or open directory. Nothing is left in the new root that was not there. The working directory is `/`
   * afterwards. pivot_root(2).
   */
  pivotRoot(rootfs: string): void;

  /**
   * After the pivot: hide each of `masked` (a file behind /dev/null, a directory behind an empty read-only tmpfs) and make
   * each of `readonly` read-only, with all that is mounted below it, which stays there. A path that does not exist is
   * skipped; every other error is thrown. config-linux.md, "Masked Paths".
   */
  protectPaths(masked: string[], readonly: string[]): void;
}
