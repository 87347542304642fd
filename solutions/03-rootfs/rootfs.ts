import { chmodSync, lchownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
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

const setting: Record<string, number> = {
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
const clearing: Record<string, number> = {
  rw: kernel.MS_RDONLY,
  suid: kernel.MS_NOSUID,
  dev: kernel.MS_NODEV,
  exec: kernel.MS_NOEXEC,
};
const propagations: Record<string, number> = {
  private: kernel.MS_PRIVATE,
  rprivate: kernel.MS_PRIVATE | kernel.MS_REC,
  slave: kernel.MS_SLAVE,
  rslave: kernel.MS_SLAVE | kernel.MS_REC,
  shared: kernel.MS_SHARED,
  rshared: kernel.MS_SHARED | kernel.MS_REC,
};
const attributes: [flag: number, attribute: bigint][] = [
  [kernel.MS_RDONLY, kernel.MOUNT_ATTR_RDONLY],
  [kernel.MS_NOSUID, kernel.MOUNT_ATTR_NOSUID],
  [kernel.MS_NODEV, kernel.MOUNT_ATTR_NODEV],
  [kernel.MS_NOEXEC, kernel.MOUNT_ATTR_NOEXEC],
];

function parse(options: string[]): { flags: number; propagation: number[]; data: string } {
  let flags = 0;
  const propagation: number[] = [];
  const data: string[] = [];
  for (const option of options) {
    if (Object.hasOwn(setting, option)) flags |= setting[option]!;
    else if (Object.hasOwn(clearing, option)) flags &= ~clearing[option]!;
    else if (Object.hasOwn(propagations, option)) propagation.push(propagations[option]!);
    else data.push(option);
  }
  return { flags, propagation, data: data.join(',') };
}

export function mountAll(rootfs: string, mounts: Mount[]): void {
  for (const { destination, type, source, options = [] } of mounts) {
    const { flags, propagation, data } = parse(options);
    const bind = (flags & kernel.MS_BIND) !== 0;
    const kind = bind && !statSync(source!).isDirectory() ? 'file' : 'directory';
    inRootfs(rootfs, destination, kind, (target) =>
      kernel.mount({ source, target, type: bind ? undefined : type, flags, data: data || undefined }),
    );
    // Opened once more: now the place is the mount. The first call of a bind ignored every flag but MS_REC.
    inRootfs(rootfs, destination, kind, (target) => {
      const set = attributes.reduce((sum, [flag, attribute]) => sum | (flags & flag ? attribute : 0n), 0n);
      if (bind && set !== 0n) {
        const mountPoint = open(target, O_PATH);
        kernel.setMountAttributes(mountPoint, set, (flags & kernel.MS_REC) !== 0);
        close(mountPoint);
      }
      for (const change of propagation) kernel.mount({ target, flags: change });
    });
  }
}

const kinds: Record<Device['type'], number> = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO };

export function createDevices(rootfs: string, devices: Device[]): void {
  for (const { type, path, major, minor, fileMode = 0o666, uid = 0, gid = 0 } of devices) {
    try {
      inRootfs(rootfs, dirname(path), 'directory', (directory) => {
        const node = `${directory}/${basename(path)}`;
        mknod(node, kinds[type] | 0o600, type === 'p' ? 0n : makedev(major, minor));
        // mknod's own mode would lose what the umask says, and a change of owner may clear bits.
        lchownSync(node, uid, gid);
        chmodSync(node, fileMode);
      });
    } catch (error) {
      if (!(error instanceof KernelError && error.syscall === 'mknod' && error.code === 'EPERM')) throw error;
      inRootfs(rootfs, path, 'file', (target) => kernel.mount({ source: path, target, flags: kernel.MS_BIND }));
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
