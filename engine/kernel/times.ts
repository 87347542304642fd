/** Times of files, to the nanosecond: a number of node:fs loses the last digits. utimensat(2). */

import { AT_FDCWD } from './descriptors.ts';
import { systemCall } from './libc.ts';

const utimensatCall = systemCall('int utimensat(int, const char *, const uint8_t *, int)');
const futimensCall = systemCall('int futimens(int, const uint8_t *)');

const AT_SYMLINK_NOFOLLOW = 0x100;
const SECOND = 1_000_000_000n;

/** Set access and modification time of an entry, which is not followed. @param time nanoseconds since the epoch. */
export function setTimes(path: string, time: bigint): void {
  utimensatCall(path, AT_FDCWD, path, timespecs(time), AT_SYMLINK_NOFOLLOW);
}

/** The same for an open file. */
export function setTimesOf(fd: number, time: bigint): void {
  futimensCall(String(fd), fd, timespecs(time));
}

/** struct timespec[2]: whole seconds may be negative, the nanoseconds after them may not. */
function timespecs(time: bigint): Buffer {
  const nanoseconds = ((time % SECOND) + SECOND) % SECOND;
  const both = Buffer.alloc(32);
  for (const at of [0, 16]) {
    both.writeBigInt64LE((time - nanoseconds) / SECOND, at);
    both.writeBigInt64LE(nanoseconds, at + 8);
  }
  return both;
}
