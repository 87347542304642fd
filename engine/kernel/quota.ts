/**
 * Project quotas: how much the files of one project may take together, whichever user owns them. A file belongs to the project of the
 * directory it is made in, if that hands it on. quotactl(2), ioctl_xfs_fsgetxattr(2).
 */

import { KernelError } from './errors.ts';
import { rawSystemCall, systemCall } from './libc.ts';

const ioctlCall = systemCall('int ioctl(int, unsigned long, void *)');

// linux/fs.h
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_XFLAG_PROJINHERIT = 0x200;
/** struct fsxattr: xflags, extsize, nextents, projid, cowextsize, and 8 bytes of nothing. */
const FSXATTR_BYTES = 28;
const PROJID_OFFSET = 12;

/** The project of the file that `fd` is open at; 0 for none. @throws KernelError ENOTTY where the file system has none */
export function projectOf(fd: number): number {
  return attributesOf(fd).readUInt32LE(PROJID_OFFSET);
}

/** Put the directory that `fd` is open at into a project, and what is made in it from now on. */
export function setProject(fd: number, project: number): void {
  const attributes = attributesOf(fd);
  attributes.writeUInt32LE((attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT) >>> 0, 0);
  attributes.writeUInt32LE(project, PROJID_OFFSET);
  ioctlCall(`FS_IOC_FSSETXATTR project ${project}`, fd, FS_IOC_FSSETXATTR, attributes);
}

function attributesOf(fd: number): Buffer {
  const attributes = Buffer.alloc(FSXATTR_BYTES);
  ioctlCall(`FS_IOC_FSGETXATTR descriptor ${fd}`, fd, FS_IOC_FSGETXATTR, attributes);
  return attributes;
}

// linux/quota.h, linux/dqblk_xfs.h
const PRJQUOTA = 2;
const Q_GETQUOTA = 0x800007;
const Q_SETQUOTA = 0x800008;
const Q_XGETQSTATV = 0x5808;
const QIF_BLIMITS = 1;
const FS_QSTATV_VERSION1 = 1;
const FS_QUOTA_PDQ_ENFD = 1 << 5;
/** Of limits; what is in use is counted in bytes. */
const BLOCK = 1024;
/** struct if_dqblk: eight numbers of 64 bits, and which of them are meant. */
const DQBLK_BYTES = 72;
/** More than struct fs_quota_statv has. */
const STATV_BYTES = 256;

/** Whether the file system that `fd` is open in keeps anybody from using more than a project may. */
export function enforcesProjects(fd: number): boolean {
  const state = Buffer.alloc(STATV_BYTES);
  state.writeInt8(FS_QSTATV_VERSION1, 0);
  try {
    control(fd, Q_XGETQSTATV, 0, state);
  } catch (error) {
    // No quotas there, none of projects, none that are on; or a kernel before 5.14.
    if (error instanceof KernelError) return false;
    throw error;
  }
  return (state.readUInt16LE(2) & FS_QUOTA_PDQ_ENFD) !== 0;
}

export interface ProjectUsage {
  /** Bytes it may use; 0 for any number. */
  limit: number;
  /** Bytes. */
  space: number;
  inodes: number;
}

/** What a project uses in the file system that `fd` is open in. */
export function projectUsage(fd: number, project: number): ProjectUsage {
  const block = Buffer.alloc(DQBLK_BYTES);
  try {
    control(fd, Q_GETQUOTA, project, block);
  } catch (error) {
    // xfs says so of a project that it has never heard of.
    if (!(error instanceof KernelError && error.code === 'ENOENT')) throw error;
  }
  const number = (index: number) => Number(block.readBigUInt64LE(index * 8));
  return { limit: number(0) * BLOCK, space: number(2), inodes: number(5) };
}

/** @param bytes that the project may use, rounded up to whole KiB; 0 for any number. */
export function setProjectLimit(fd: number, project: number, bytes: number): void {
  const block = Buffer.alloc(DQBLK_BYTES);
  block.writeBigUInt64LE(BigInt(Math.ceil(bytes / BLOCK)), 0);
  block.writeUInt32LE(QIF_BLIMITS, DQBLK_BYTES - 8);
  control(fd, Q_SETQUOTA, project, block);
}

/** quotactl_fd(2). */
function control(fd: number, command: number, project: number, data: Buffer): void {
  const whole = ((command << 8) | PRJQUOTA) >>> 0;
  rawSystemCall('quotactl_fd', `command 0x${command.toString(16)} project ${project}`, fd, whole, project, data);
}
