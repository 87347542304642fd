/** The file tree a container sees. Everything here runs in the child, in a mount namespace of its own. mount_namespaces(7). */

import { chmodSync, fstatSync, lchownSync, lstatSync, statSync, symlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { KernelError } from '#kernel/errors';
import { chdir } from '#kernel/execve';
import * as kernel from '#kernel/mounts';
import { makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT } from '#kernel/nodes';
import { copyTree } from './copy-tree.ts';
import { parseMountOptions } from './mount-options.ts';
import { descriptorPath, makePathInRoot, withPathInRoot } from './path-in-root.ts';
import type { Device, Mount } from './spec.ts';

export function isolateMounts(rootfs: string): void {
  // Private and not slave: pivot_root refuses a root whose parent mount is shared.
  kernel.mount({ target: '/', flags: kernel.MS_REC | kernel.MS_PRIVATE });
  kernel.mount({ source: rootfs, target: rootfs, flags: kernel.MS_BIND | kernel.MS_REC });
}

export function mountAll(rootfs: string, mounts: Mount[]): void {
  for (const mount of mounts) {
    try {
      mountOne(rootfs, mount);
    } catch (error) {
      throw Object.assign(error as Error, { step: `mount ${mount.destination}` });
    }
  }
}

function mountOne(rootfs: string, { destination, type, source = 'none', options }: Mount): void {
  const { flags, attributes, propagation, copyUp, data } = parseMountOptions(options);
  const bind = (flags & kernel.MS_BIND) !== 0;
  makePathInRoot(rootfs, destination, bind && !statSync(source).isDirectory() ? 'file' : 'directory');
  if (bind && data !== '') throw new Error(`A bind has no use for ${data}; leave it out of the options.`);
  withPathInRoot(rootfs, destination, (fd) => {
    // What is to be written to first is made read-only afterwards.
    const first = copyUp ? flags & ~kernel.MS_RDONLY : flags;
    kernel.mount({
      source,
      target: descriptorPath(fd),
      type: bind ? undefined : type,
      flags: first,
      data: data || undefined,
    });
    if (copyUp)
      withPathInRoot(rootfs, destination, (mounted) => copyUpTo(descriptorPath(mounted), descriptorPath(fd), data));
  });
  // Opened anew: the first descriptor is the place under the mount, this one is the mount.
  withPathInRoot(rootfs, destination, (fd) => {
    if ((bind || copyUp) && attributes !== 0n) kernel.setMountAttributes(fd, attributes, (flags & kernel.MS_REC) !== 0);
    for (const kind of propagation) kernel.mount({ target: descriptorPath(fd), flags: kind });
  });
}

/** What is covered, into the new file system: the owner and the mode of its root too, unless the options gave it some. */
function copyUpTo(mounted: string, covered: string, options: string): void {
  const given = statSync(`${mounted}/.`);
  copyTree(covered, mounted);
  const { uid, gid } = statSync(`${mounted}/.`);
  const has = (name: string) => options.split(',').some((option) => option.startsWith(`${name}=`));
  lchownSync(`${mounted}/.`, has('uid') ? given.uid : uid, has('gid') ? given.gid : gid);
  if (has('mode')) chmodSync(`${mounted}/.`, given.mode);
}

const deviceTypes: Record<Device['type'], number> = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO };

const links: [name: string, target: string][] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];

export function createDevices(rootfs: string, devices: Device[]): void {
  for (const device of devices) createDevice(rootfs, device);
  makePathInRoot(rootfs, '/dev', 'directory');
  withPathInRoot(rootfs, '/dev', (dev) => {
    for (const [name, target] of links) linkUnlessThere(target, `${descriptorPath(dev)}/${name}`);
  });
}

function createDevice(rootfs: string, device: Device): void {
  makePathInRoot(rootfs, dirname(device.path), 'directory');
  try {
    withPathInRoot(rootfs, dirname(device.path), (directory) => {
      const node = `${descriptorPath(directory)}/${basename(device.path)}`;
      mknod(node, deviceTypes[device.type] | 0o600, makedev(device.major, device.minor));
      lchownSync(node, device.uid ?? 0, device.gid ?? 0);
      // Not through mknod's mode, which the umask would cut.
      chmodSync(node, device.fileMode ?? 0o666);
    });
  } catch (error) {
    if (!(error instanceof KernelError && error.syscall === 'mknod')) throw error;
    if (error.code === 'EEXIST' && isSameDevice(rootfs, device)) return;
    if (error.code !== 'EPERM') throw error;
    makePathInRoot(rootfs, device.path, 'file');
    withPathInRoot(rootfs, device.path, (fd) => {
      kernel.mount({ source: device.path, target: descriptorPath(fd), flags: kernel.MS_BIND });
    });
  }
}

/** A root without a /dev of its own may have its nodes in the image. */
function isSameDevice(rootfs: string, { path, type, major, minor }: Device): boolean {
  return withPathInRoot(rootfs, path, (fd) => {
    const { rdev, mode } = fstatSync(fd);
    return (mode & S_IFMT) === deviceTypes[type] && (type === 'p' || BigInt(rdev) === makedev(major, minor));
  });
}

function linkUnlessThere(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * pivot_root('.', '.') puts the old root on top of the new one, at the same place, so no directory has to be found or
 * made for it; the lazy unmount then takes it away as a whole. pivot_root(2), "pivot_root(".", ".")".
 */
export function pivotRoot(rootfs: string): void {
  chdir(rootfs);
  kernel.pivotRoot('.', '.');
  kernel.umount('.', kernel.MNT_DETACH);
  chdir('/');
}

export function protectPaths(masked: string[], readonly: string[]): void {
  for (const path of readonly) if (isThere(path)) makeReadonly(path);
  for (const path of masked) if (isThere(path)) mask(path);
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function makeReadonly(path: string): void {
  kernel.mount({ source: path, target: path, flags: kernel.MS_BIND | kernel.MS_REC });
  withPathInRoot('/', path, (fd) => kernel.setMountAttributes(fd, kernel.MOUNT_ATTR_RDONLY, true));
}

function mask(path: string): void {
  if (statSync(path).isDirectory()) {
    kernel.mount({
      source: 'tmpfs',
      target: path,
      type: 'tmpfs',
      flags: kernel.MS_RDONLY,
      data: 'size=0k,nr_inodes=1',
    });
    return;
  }
  // An image that has its own idea of /dev/null would otherwise choose what is shown instead of the secret.
  const { rdev } = lstatSync('/dev/null');
  if (BigInt(rdev) !== makedev(1, 3))
    throw new Error(`mask ${path}: /dev/null of the container is not the null device.`);
  kernel.mount({ source: '/dev/null', target: path, flags: kernel.MS_BIND });
}
