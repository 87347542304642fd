import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { getCapabilities } from './credentials.ts';
import * as fds from './descriptors.ts';
import { KernelError } from './errors.ts';
import { mount } from './mounts.ts';
import { makedev, mknod, S_IFCHR, S_IFIFO } from './nodes.ts';
import { pidfdGetFd, pidfdOpen } from './pidfd.ts';
import { getRlimit, setRlimit } from './rlimits.ts';
import { signalName } from './signals.ts';
import { getWindowSize, openPeer, setWindowSize, unlockTerminal } from './terminal.ts';
import { waitpid } from './wait.ts';
import { getXattr, listXattrs, removeXattr, setXattr } from './xattr.ts';

const directory = mkdtempSync(join(tmpdir(), 'skiff-kernel-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;

test('a failing call names itself, its subject, and its errno by name and in words', () => {
  const missing = join(directory, 'missing');
  expect(() => mount({ target: missing, type: 'tmpfs' })).toThrowError(
    isRoot ? `mount ${missing}: ENOENT: no such file or directory` : /EPERM/,
  );
  expect(() => waitpid(1)).toThrowError(
    expect.objectContaining({ name: 'KernelError', syscall: 'waitpid', code: 'ECHILD', errno: 10 }),
  );
});

test('a string with a NUL byte is refused before the kernel sees half of it', () => {
  const root = fds.open(directory, fds.O_PATH);
  expect(() => fds.openat2(root, 'a\0b', fds.O_RDONLY, 0n)).toThrowError(/NUL/);
  fds.close(root);
});

test('openat2 follows links as if the directory were the root, and refuses to leave it beneath', () => {
  mkdirSync(join(directory, 'tree/etc'), { recursive: true });
  writeFileSync(join(directory, 'tree/etc/hostname'), 'inside');
  symlinkSync('/etc/hostname', join(directory, 'tree/link'));
  symlinkSync('../../../../etc', join(directory, 'tree/up'));
  const root = fds.open(join(directory, 'tree'), fds.O_PATH);
  for (const path of ['/link', '/up/hostname', '/../../etc/hostname']) {
    const fd = fds.openat2(root, path, fds.O_RDONLY, fds.RESOLVE_IN_ROOT);
    expect(String(fds.read(fd))).toBe('inside');
    fds.close(fd);
  }
  expect(() => fds.openat2(root, 'link', fds.O_RDONLY, fds.RESOLVE_BENEATH)).toThrowError(
    expect.objectContaining({ code: 'EXDEV' }),
  );
  fds.close(root);
});

test('a pipe carries bytes to its end-of-file, and poll tells silence from end', () => {
  const { read, write } = fds.pipe();
  expect(fds.pollIn(read, 0)).toBe(false);
  fds.write(write, 'a'.repeat(1000));
  expect(fds.pollIn(read, -1)).toBe(true);
  fds.close(write);
  expect(fds.readAll(read)).toHaveLength(1000);
  expect(fds.pollIn(read, 0)).toBe(true);
  fds.close(read);
});

test('readAll stops at its limit', () => {
  const { read, write } = fds.pipe();
  fds.write(write, 'x'.repeat(100));
  fds.close(write);
  expect(() => fds.readAll(read, 99)).toThrowError(/more than 99 bytes/);
  fds.close(read);
});

test('a non-blocking descriptor without data reads as null', () => {
  const { read, write } = fds.pipe();
  fds.setNonBlocking(read, true);
  expect(fds.read(read)).toBeNull();
  fds.close(write);
  expect(fds.read(read)).toHaveLength(0);
  fds.close(read);
});

test('a pseudo-terminal is one thing with two ends, and has a size', () => {
  const master = fds.open('/dev/ptmx', fds.O_RDWR | fds.O_NOCTTY);
  unlockTerminal(master);
  const peer = openPeer(master);
  setWindowSize(master, { height: 24, width: 132 });
  expect(getWindowSize(peer)).toEqual({ height: 24, width: 132 });
  fds.close(peer);
  fds.close(master);
});

test('a descriptor of a process can be copied through its pidfd', () => {
  const { read, write } = fds.pipe();
  const pidfd = pidfdOpen(process.pid);
  const copy = pidfdGetFd(pidfd, write);
  fds.write(copy, 'hello');
  expect(String(fds.read(read))).toBe('hello');
  for (const fd of [read, write, copy, pidfd]) fds.close(fd);
});

test('resource limits read back as they were set, infinity included', () => {
  const before = getRlimit(0, 'RLIMIT_CORE');
  setRlimit(0, 'RLIMIT_CORE', { soft: 0, hard: before.hard });
  expect(getRlimit(0, 'RLIMIT_CORE')).toEqual({ soft: 0, hard: before.hard });
  setRlimit(0, 'RLIMIT_CORE', before);
  expect(() => getRlimit(0, 'RLIMIT_TEA')).toThrowError(/RLIMIT_TEA.*RLIMIT_NOFILE/);
});

test('extended attributes keep any bytes', () => {
  const file = join(directory, 'attributes');
  writeFileSync(file, '');
  const value = Buffer.from([0, 255, 10, 0]);
  setXattr(file, 'user.skiff', value);
  expect(getXattr(file, 'user.skiff')).toEqual(value);
  expect(listXattrs(file)).toContain('user.skiff');
  removeXattr(file, 'user.skiff');
  expect(getXattr(file, 'user.skiff')).toBeNull();
  expect(() => getXattr(join(directory, 'missing'), 'user.skiff')).toThrowError(KernelError);
});

test('a node is made with its kind and number', () => {
  mknod(join(directory, 'fifo'), S_IFIFO | 0o600);
  expect(statSync(join(directory, 'fifo')).isFIFO()).toBe(true);
  expect(makedev(0x12345, 0x6789a)).toBe(0x120006783459an);
});

test.skipIf(!isRoot)('a device node is the device (needs root)', () => {
  mknod(join(directory, 'null'), S_IFCHR | 0o600, makedev(1, 3));
  expect(statSync(join(directory, 'null')).rdev).toBe(Number(makedev(1, 3)));
  expect(readFileSync(join(directory, 'null'), 'utf8')).toBe('');
});

test('the capabilities of this process are those that /proc shows', () => {
  const shown = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;
  expect(getCapabilities().effective).toBe(BigInt(`0x${shown}`));
});

test('signals have names, the real-time ones too', () => {
  expect([9, 13, 28, 34, 36].map(signalName)).toEqual(['SIGKILL', 'SIGPIPE', 'SIGWINCH', 'SIGRTMIN+0', 'SIGRTMIN+2']);
});
