/** Pseudo-terminals. pty(7), ioctl_tty(2). */

import { O_CLOEXEC, O_NOCTTY, O_RDWR } from './descriptors.ts';
import { systemCall } from './libc.ts';

const ioctlNumber = systemCall('int ioctl(int, unsigned long, long)');
const ioctlBuffer = systemCall('int ioctl(int, unsigned long, void *)');

// asm-generic/ioctls.h; the same on x86-64 and arm64.
const TIOCSCTTY = 0x540e;
const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;

export interface WindowSize {
  /** Characters, 0…65535. */
  height: number;
  width: number;
}

/** A new terminal's slave cannot be opened before this has been called on its master. unlockpt(3). */
export function unlockTerminal(master: number): void {
  ioctlBuffer('TIOCSPTLCK', master, TIOCSPTLCK, Buffer.alloc(4));
}

/** The slave of `master`, close-on-exec, opened without a path, so that no mount or link can stand in between. */
export function openPeer(master: number): number {
  return ioctlNumber('TIOCGPTPEER', master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/** Make the terminal `fd` the controlling one of the calling session leader. */
export function setControllingTerminal(fd: number): void {
  ioctlNumber('TIOCSCTTY', fd, TIOCSCTTY, 0);
}

/** The kernel sends SIGWINCH to the foreground process group when the size changes. */
export function setWindowSize(fd: number, { height, width }: WindowSize): void {
  const winsize = Buffer.alloc(8); // struct winsize
  winsize.writeUInt16LE(height, 0);
  winsize.writeUInt16LE(width, 2);
  ioctlBuffer('TIOCSWINSZ', fd, TIOCSWINSZ, winsize);
}

export function getWindowSize(fd: number): WindowSize {
  const winsize = Buffer.alloc(8);
  ioctlBuffer('TIOCGWINSZ', fd, TIOCGWINSZ, winsize);
  return { height: winsize.readUInt16LE(0), width: winsize.readUInt16LE(2) };
}
