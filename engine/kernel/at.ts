/** Entries named from an open directory: no path is walked a second time, and no mounted /proc is needed. openat(2). */

import { KernelError } from './errors.ts';
import { errno, libcFunction, systemCall } from './libc.ts';

const mkdiratCall = systemCall('int mkdirat(int, const char *, uint32_t)');
const readlinkatCall = libcFunction('long readlinkat(int, const char *, _Out_ uint8_t *, size_t)');
const fchmodCall = systemCall('int fchmod(int, uint32_t)');

const EINVAL = 22;
const ENOENT = 2;
const PATH_MAX = 4096;

/** mkdirat(2). A symbolic link of that name is never followed: it is EEXIST. @param mode the umask applies. */
export function mkdirat(directory: number, name: string, mode: number): void {
  mkdiratCall(name, directory, name, mode);
}

/** readlinkat(2). @returns null when the entry is missing or is not a symbolic link. */
export function readlinkat(directory: number, name: string): string | null {
  const target = Buffer.alloc(PATH_MAX);
  const length = readlinkatCall(directory, name, target, target.length);
  if (length >= 0) return target.toString('utf8', 0, length);
  if (errno() === EINVAL || errno() === ENOENT) return null;
  throw new KernelError('readlinkat', errno(), name);
}

/** fchmod(2): the umask does not apply. @param fd not opened with O_PATH. */
export function fchmod(fd: number, mode: number): void {
  fchmodCall(String(fd), fd, mode);
}
