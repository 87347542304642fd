import { cString, rawSystemCall, systemCall } from './libc.ts';

const mountCall = systemCall('int mount(const char *, const char *, const char *, unsigned long, const char *)');
const umount2Call = systemCall('int umount2(const char *, int)');
const pivotRootCall = systemCall('long pivot_root(const char *, const char *)');
const chrootCall = systemCall('int chroot(const char *)');

// linux/mount.h
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_SYNCHRONOUS = 16;
export const MS_REMOUNT = 32;
export const MS_MANDLOCK = 64;
export const MS_DIRSYNC = 128;
export const MS_NOSYMFOLLOW = 256;
export const MS_NOATIME = 1024;
export const MS_NODIRATIME = 2048;
export const MS_BIND = 4096;
export const MS_MOVE = 8192;
export const MS_REC = 16384;
export const MS_SILENT = 32768;
export const MS_UNBINDABLE = 1 << 17;
export const MS_PRIVATE = 1 << 18;
export const MS_SLAVE = 1 << 19;
export const MS_SHARED = 1 << 20;
export const MS_RELATIME = 1 << 21;
export const MS_STRICTATIME = 1 << 24;
export const MS_LAZYTIME = 1 << 25;

export const MNT_FORCE = 1;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

/** What mount(2) takes. */
export interface MountCall {
  source?: string;
  target: string;
  type?: string;
  /** MS_… flags or'ed together. */
  flags?: number;
  /** The file system's own options, comma-separated; at most a page of 4096 bytes. */
  data?: string;
}

/** mount(2). @throws KernelError whose subject is the target. */
export function mount({ source = 'none', target, type, flags = 0, data }: MountCall): void {
  mountCall(target, source, target, type ?? null, flags, data ?? null);
}

/** umount2(2). @param flags MNT_… or'ed together. */
export function umount(target: string, flags = 0): void {
  umount2Call(target, target, flags);
}

/** pivot_root(2). Both must be directories, `newRoot` a mount point and `putOld` at or below it. */
export function pivotRoot(newRoot: string, putOld: string): void {
  pivotRootCall(newRoot, newRoot, putOld);
}

/** chroot(2). It changes how paths begin and nothing else; see the lab `rootfs` for how one walks out of it. */
export function chroot(path: string): void {
  chrootCall(path, path);
}

// mount_setattr(2)
export const MOUNT_ATTR_RDONLY = 0x1n;
export const MOUNT_ATTR_NOSUID = 0x2n;
export const MOUNT_ATTR_NODEV = 0x4n;
export const MOUNT_ATTR_NOEXEC = 0x8n;
/** The bits that say how times of access are kept; all clear for `relatime`. */
export const MOUNT_ATTR__ATIME = 0x70n;
export const MOUNT_ATTR_NOATIME = 0x10n;
export const MOUNT_ATTR_STRICTATIME = 0x20n;
export const MOUNT_ATTR_NODIRATIME = 0x80n;
export const MOUNT_ATTR_NOSYMFOLLOW = 0x200000n;
const AT_RECURSIVE = 0x8000n;
const AT_EMPTY_PATH = 0x1000n;
const O_CLOEXEC = 0o2000000n;

/** mount_setattr(2) on the mount that descriptor `fd` is open at. @param set MOUNT_ATTR_… flags to add. @param recursive also on every mount below it. @param clear flags to take away first. */
export function setMountAttributes(fd: number, set: bigint, recursive = false, clear = 0n): void {
  const attr = Buffer.alloc(32); // struct mount_attr
  attr.writeBigUInt64LE(set, 0);
  attr.writeBigUInt64LE(clear, 8);
  rawSystemCall(
    'mount_setattr',
    `descriptor ${fd}`,
    fd,
    cString(''),
    AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0n),
    attr,
    attr.length,
  );
}

const OPEN_TREE_CLONE = 1n;

/**
 * open_tree(2): the mount that descriptor `fd` is open at, from there on downwards, once more. It has to be in the caller's
 * mount namespace. @param recursive with those below it too. @returns a descriptor of the copy, which is nowhere in the tree
 * and goes with its last user.
 */
export function copyMount(fd: number, recursive = false): number {
  const flags = OPEN_TREE_CLONE | AT_EMPTY_PATH | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0n);
  return rawSystemCall('open_tree', `descriptor ${fd}`, fd, cString(''), flags);
}

const MOUNT_ATTR_IDMAP = 0x100000n;

/**
 * mount_setattr(2), "ID-mapped mounts": through the mount that `fd` is open at, a file of user n of the file system belongs
 * to whom the user namespace calls n. The mount must be a copy that is nowhere in the tree yet.
 * @throws KernelError EINVAL when the file system cannot do it.
 */
export function mapMountIds(fd: number, userNamespace: number): void {
  const attr = Buffer.alloc(32); // struct mount_attr
  attr.writeBigUInt64LE(MOUNT_ATTR_IDMAP, 0);
  attr.writeBigUInt64LE(BigInt(userNamespace), 24);
  rawSystemCall('mount_setattr', `descriptor ${fd}`, fd, cString(''), AT_EMPTY_PATH, attr, attr.length);
}

const MOVE_MOUNT_F_EMPTY_PATH = 4n;
const AT_FDCWD = -100;

const MOVE_MOUNT_T_SYMLINKS = 0x10n;

/**
 * move_mount(2): put the copy that `fd` is open at where `target` is: a directory on a directory, a file on a file. Unlike
 * mount(2), it follows no link at the end of a path; /proc/self/fd/N is one, to an open place that no other link can bend.
 */
export function placeMount(fd: number, target: string): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | (target.startsWith('/proc/self/fd/') ? MOVE_MOUNT_T_SYMLINKS : 0n);
  rawSystemCall('move_mount', target, fd, cString(''), AT_FDCWD, cString(target), flags);
}
