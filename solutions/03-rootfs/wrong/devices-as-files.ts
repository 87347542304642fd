// killed by: task 3: a device node is the device
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { close, O_DIRECTORY, O_PATH, open, openat2, RESOLVE_IN_ROOT } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { chdir } from '#kernel/execve';
import * as kernel from '#kernel/mounts';
import { makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO } from '#kernel/nodes';
import type { Device, Mount } from '#spec';

export function isolateMounts(rootfs: string): void {
  kernel.mount({ target: '/', flags: kernel.MS_REC | kernel.MS_PRIVATE });
  kernel.mount({ source: rootfs, target: rootfs, flags: kernel.MS_BIND | kernel.MS_REC });
}

/** Open `path` as if `rootfs` were `/`, making what is missing, and give `use` a name for the place that no link can bend. */
function inRootfs<T>(rootfs: string, path: string, kind: 'file' | 'directory', use: (place: string) => T): T {
  const root = open(rootfs, O_PATH | O_DIRECTORY);
  let place: number | undefined;
  try {
    try {
      place = openat2(root, path, O_PATH, RESOLVE_IN_ROOT);
    } catch (error) {
      if (!(error instanceof KernelError && error.code === 'ENOENT')) throw error;
      inRootfs(rootfs, dirname(path), 'directory', (parent) => {
        if (kind === 'directory') mkdirSync(`${parent}/${basename(path)}`);
        else writeFileSync(`${parent}/${basename(path)}`, '');
      });
      place = openat2(root, path, O_PATH, RESOLVE_IN_ROOT);
    }
    return use(`/proc/self/fd/${place}`);
  } finally {
    close(root);
    if (place !== undefined) close(place);
  }
}

const flags: Record<string, number> = {
  ro: kernel.MS_RDONLY,
  nosuid: kernel.MS_NOSUID,
  nodev: kernel.MS_NODEV,
  noexec: kernel.MS_NOEXEC,
  noatime: kernel.MS_NOATIME,
  relatime: kernel.MS_RELATIME,
  strictatime: kernel.MS_STRICTATIME,
  bind: kernel.MS_BIND,
  rbind: kernel.MS_BIND | kernel.MS_REC,
};
const attributes: Record<string, bigint> = {
  ro: kernel.MOUNT_ATTR_RDONLY,
  nosuid: kernel.MOUNT_ATTR_NOSUID,
  nodev: kernel.MOUNT_ATTR_NODEV,
  noexec: kernel.MOUNT_ATTR_NOEXEC,
};

export function mountAll(rootfs: string, mounts: Mount[]): void {
  for (const { destination, type, source, options = [] } of mounts) {
    const mask = options.reduce((sum, option) => sum | (flags[option] ?? 0), 0);
    const data = options.filter((option) => !(option in flags) && option !== 'rw').join(',');
    const bind = (mask & kernel.MS_BIND) !== 0;
    const kind = bind && !statSync(source!).isDirectory() ? 'file' : 'directory';
    inRootfs(rootfs, destination, kind, (target) =>
      kernel.mount({ source, target, type: bind ? undefined : type, flags: mask, data: data || undefined }),
    );
    if (!bind) continue;
    const set = options.reduce((sum, option) => sum | (attributes[option] ?? 0n), 0n);
    // The first call of a bind ignores every flag but MS_REC, so a second one makes it read-only.
    inRootfs(rootfs, destination, kind, (target) => {
      const mountPoint = open(target, O_PATH);
      kernel.setMountAttributes(mountPoint, set, (mask & kernel.MS_REC) !== 0);
      close(mountPoint);
    });
  }
}

const kinds: Record<Device['type'], number> = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO };

export function createDevices(rootfs: string, devices: Device[]): void {
  for (const { type, path, major, minor, fileMode = 0o666 } of devices) {
    try {
      inRootfs(rootfs, dirname(path), 'directory', (directory) => {
        const node = `${directory}/${basename(path)}`;
        writeFileSync(node, '');
        chmodSync(node, fileMode);
      });
    } catch (error) {
      if (!(error instanceof KernelError && error.code === 'EPERM')) throw error;
      throw error;
    }
  }
  inRootfs(rootfs, '/dev', 'directory', (dev) => {
    symlinkSync('/proc/self/fd', `${dev}/fd`);
    for (const [fd, name] of ['stdin', 'stdout', 'stderr'].entries())
      symlinkSync(`/proc/self/fd/${fd}`, `${dev}/${name}`);
    symlinkSync('pts/ptmx', `${dev}/ptmx`);
  });
}

export function pivotRoot(rootfs: string): void {
  chdir(rootfs);
  kernel.pivotRoot('.', '.');
  kernel.umount('.', kernel.MNT_DETACH);
  chdir('/');
}

export function protectPaths(masked: string[], readonly: string[]): void {
  for (const path of readonly) {
    if (!statSync(path, { throwIfNoEntry: false })) continue;
    kernel.mount({ source: path, target: path, flags: kernel.MS_BIND | kernel.MS_REC });
    const mountPoint = open(path, O_PATH);
    kernel.setMountAttributes(mountPoint, kernel.MOUNT_ATTR_RDONLY, true);
    close(mountPoint);
  }
  for (const path of masked) {
    const entry = statSync(path, { throwIfNoEntry: false });
    if (!entry) continue;
    if (entry.isDirectory()) kernel.mount({ source: 'tmpfs', target: path, type: 'tmpfs', flags: kernel.MS_RDONLY });
    else kernel.mount({ source: '/dev/null', target: path, flags: kernel.MS_BIND });
  }
}
