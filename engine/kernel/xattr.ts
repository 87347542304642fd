/** Extended attributes, on the entry itself and never on what a symbolic link points at. xattr(7). */

import { KernelError } from './errors.ts';
import { errno, libcFunction, systemCall } from './libc.ts';

const lsetxattrCall = systemCall('int lsetxattr(const char *, const char *, const uint8_t *, size_t, int)');
const lremovexattrCall = systemCall('int lremovexattr(const char *, const char *)');
const lgetxattrCall = libcFunction('long lgetxattr(const char *, const char *, _Out_ uint8_t *, size_t)');
const llistxattrCall = systemCall('long llistxattr(const char *, _Out_ uint8_t *, size_t)');

const ENODATA = 61;
const ENOTSUP = 95;
const XATTR_SIZE_MAX = 65536;

export function setXattr(path: string, name: string, value: Uint8Array): void {
  lsetxattrCall(`${name} of ${path}`, path, name, Buffer.from(value), value.length, 0);
}

/** @returns null when the entry has no such attribute, be it because its file system has none. */
export function getXattr(path: string, name: string): Buffer | null {
  const value = Buffer.alloc(XATTR_SIZE_MAX);
  const length = lgetxattrCall(path, name, value, value.length);
  if (length >= 0) return Buffer.from(value.subarray(0, length));
  if (errno() === ENODATA || errno() === ENOTSUP) return null;
  throw new KernelError('lgetxattr', errno(), `${name} of ${path}`);
}

export function listXattrs(path: string): string[] {
  // Most entries have none, and are asked without a buffer.
  if (llistxattrCall(path, path, null, 0) === 0) return [];
  const names = Buffer.alloc(XATTR_SIZE_MAX);
  const length = llistxattrCall(path, path, names, names.length);
  return names.toString('utf8', 0, length).split('\0').filter(Boolean);
}

export function removeXattr(path: string, name: string): void {
  lremovexattrCall(`${name} of ${path}`, path, name);
}
