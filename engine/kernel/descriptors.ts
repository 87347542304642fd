/** File descriptors: open, pipe, duplicate, close, read, write. All synchronous, so that a forked child can use them. */

import { constants } from 'node:fs';
import { KernelError } from './errors.ts';
import { cString, errno, libcFunction, rawSystemCall, systemCall } from './libc.ts';

export const AT_FDCWD = -100;
export const O_RDONLY = constants.O_RDONLY;
export const O_WRONLY = constants.O_WRONLY;
export const O_RDWR = constants.O_RDWR;
export const O_CREAT = constants.O_CREAT;
export const O_EXCL = constants.O_EXCL;
export const O_NOCTTY = constants.O_NOCTTY;
export const O_NONBLOCK = constants.O_NONBLOCK;
export const O_DIRECTORY = constants.O_DIRECTORY;
export const O_NOFOLLOW = constants.O_NOFOLLOW;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

const openCall = systemCall('int open(const char *, int, uint32_t)');
const closeCall = libcFunction('int close(int)');
const pipe2Call = systemCall('int pipe2(_Out_ int *, int)');
const dupCall = systemCall('int dup(int)');
const dup2Call = systemCall('int dup2(int, int)');
const dup3Call = systemCall('int dup3(int, int, int)');
const fcntlCall = systemCall('int fcntl(int, int, long)');
const readCall = libcFunction('long read(int, _Out_ uint8_t *, size_t)');
const writeCall = libcFunction('long write(int, const uint8_t *, size_t)');
const pollCall = libcFunction('int poll(void *, unsigned long, int)');

const F_DUPFD_CLOEXEC = 1030;
const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const FD_CLOEXEC = 1;
const CLOSE_RANGE_CLOEXEC = 4n;
const EINTR = 4;
const EAGAIN = 11;
const POLLIN = 1;

/** open(2). Close-on-exec unless the flags of a forked child say otherwise by `dup2`. @returns a descriptor. */
export function open(path: string, flags: number, mode = 0o666): number {
  return openCall(path, path, flags | O_CLOEXEC, mode);
}

/** close(2). A descriptor that is not open is passed over: there is nothing a caller could do about it. */
export function close(fd: number): void {
  closeCall(fd);
}

/** pipe2(2) with O_CLOEXEC. */
export function pipe(): { read: number; write: number } {
  const fds: number[] = [-1, -1];
  pipe2Call('', fds, O_CLOEXEC);
  return { read: fds[0]!, write: fds[1]! };
}

/** dup(2): the lowest free descriptor, kept open by exec. */
export function dup(fd: number): number {
  return dupCall(String(fd), fd);
}

/** fcntl(2) F_DUPFD_CLOEXEC: the lowest free descriptor that is at least `lowest`, closed by exec. */
export function dupAbove(fd: number, lowest: number): number {
  return fcntlCall(String(fd), fd, F_DUPFD_CLOEXEC, lowest);
}

/** dup2(2): `target` becomes a copy of `fd` that exec keeps open. When both are the same nothing changes at all, FD_CLOEXEC included. */
export function dup2(fd: number, target: number): void {
  dup2Call(`${fd} to ${target}`, fd, target);
}

/** dup3(2) with O_CLOEXEC. @throws KernelError EINVAL when both are the same. */
export function dup3(fd: number, target: number): void {
  dup3Call(`${fd} to ${target}`, fd, target, O_CLOEXEC);
}

/** fcntl(2) F_SETFD. */
export function setCloseOnExec(fd: number, on: boolean): void {
  const flags = fcntlCall(String(fd), fd, F_GETFD, 0);
  fcntlCall(String(fd), fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

/** fcntl(2) F_SETFL. O_NONBLOCK belongs to the open file, so every copy of the descriptor sees it. */
export function setNonBlocking(fd: number, on: boolean): void {
  const flags = fcntlCall(String(fd), fd, F_GETFL, 0);
  fcntlCall(String(fd), fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

/** close_range(2) with CLOSE_RANGE_CLOEXEC: the next exec closes `first` and every descriptor above it. */
export function closeOnExecFrom(first: number): void {
  rawSystemCall('close_range', `from ${first}`, first, 0xffffffffn, CLOSE_RANGE_CLOEXEC);
}

/**
 * read(2), again after EINTR. @returns the bytes read, empty at end-of-file, null when a non-blocking descriptor has none.
 */
export function read(fd: number, most = 65536): Buffer | null {
  const buffer = Buffer.alloc(most);
  for (;;) {
    const count = readCall(fd, buffer, most);
    if (count >= 0) return buffer.subarray(0, count);
    if (errno() === EAGAIN) return null;
    if (errno() !== EINTR) throw new KernelError('read', errno(), String(fd));
  }
}

/**
 * read(2) of at most `most` bytes to the beginning of `buffer`, again after EINTR.
 * @returns how many bytes, 0 at end-of-file, −1 when there is nothing now or an error that the next read will tell.
 */
export function readInto(fd: number, buffer: Buffer, most: number): number {
  for (;;) {
    const count = Number(readCall(fd, buffer, most));
    if (count >= 0 || errno() !== EINTR) return count;
  }
}

/** read(2) until end-of-file, as UTF-8. @throws Error when there are more than `limit` bytes. */
export function readAll(fd: number, limit = 1 << 20): string {
  const chunks: Buffer[] = [];
  for (let total = 0; ; ) {
    const chunk = read(fd);
    if (chunk === null) continue;
    if (chunk.length === 0) return Buffer.concat(chunks).toString();
    total += chunk.length;
    if (total > limit) throw new Error(`Descriptor ${fd} holds more than ${limit} bytes.`);
    chunks.push(chunk);
  }
}

/** write(2) of everything, again after EINTR and short writes. */
export function write(fd: number, data: string | Uint8Array): void {
  let rest = Buffer.from(data);
  while (rest.length > 0) {
    const count = writeCall(fd, rest, rest.length);
    if (count >= 0) rest = rest.subarray(count);
    else if (errno() !== EINTR && errno() !== EAGAIN) throw new KernelError('write', errno(), String(fd));
  }
}

/** poll(2) for POLLIN. @param timeout milliseconds, −1 for ever. @returns whether there is something to read, end-of-file included. */
export function pollIn(fd: number, timeout: number): boolean {
  return poll(fd, POLLIN, timeout);
}

function poll(fd: number, events: number, timeout: number): boolean {
  const pollfd = Buffer.alloc(8);
  const deadline = Date.now() + timeout;
  for (;;) {
    pollfd.writeInt32LE(fd, 0);
    pollfd.writeInt16LE(events, 4);
    const count = pollCall(pollfd, 1, timeout < 0 ? -1 : Math.max(0, deadline - Date.now()));
    if (count > 0) return true;
    if (count === 0) return false;
    if (errno() !== EINTR) throw new KernelError('poll', errno(), String(fd));
  }
}

/** poll(2) for POLLHUP alone. @param timeout milliseconds, −1 for ever. @returns whether the other end is closed everywhere. */
export function pollHangup(fd: number, timeout: number): boolean {
  return poll(fd, 0, timeout);
}

export const RESOLVE_NO_MAGICLINKS = 0x02n;
export const RESOLVE_NO_SYMLINKS = 0x04n;
export const RESOLVE_BENEATH = 0x08n;
export const RESOLVE_IN_ROOT = 0x10n;

/** openat2(2). @param resolve RESOLVE_… flags or'ed together: what the kernel may follow on the way. */
export function openat2(directory: number, path: string, flags: number, resolve: bigint, mode = 0): number {
  const how = Buffer.alloc(24); // struct open_how
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(resolve, 16);
  return rawSystemCall('openat2', path, directory, cString(path), how, how.length);
}
