/** Entries of the file system that node:fs cannot make. */

import { systemCall } from './libc.ts';

const mknodCall = systemCall('int mknod(const char *, uint32_t, uint64_t)');

// linux/stat.h
export const S_IFMT = 0o170000;
export const S_IFIFO = 0o010000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
export const S_IFREG = 0o100000;

/** The kernel's dev_t of a device number. makedev(3). */
export function makedev(major: number, minor: number): bigint {
  const [ma, mi] = [BigInt(major), BigInt(minor)];
  return ((ma & 0xfffff000n) << 32n) | ((ma & 0xfffn) << 8n) | ((mi & 0xffffff00n) << 12n) | (mi & 0xffn);
}

/** What `makedev` was given. gnu_dev_major(3), gnu_dev_minor(3). */
export function deviceNumbers(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

/** mknod(2). @param mode S_IF… with permissions; the umask applies. @param device of `makedev`, 0n for a FIFO or a file. */
export function mknod(path: string, mode: number, device = 0n): void {
  mknodCall(path, path, mode, device);
}
