/** A file that one process has locked. flock(2) */

import fs from 'node:fs';
import { systemCall } from './libc.ts';

const LOCK_EX_NB = 2 | 4;
const flock = systemCall('int flock(int, int)');

export interface FileLock {
  release(): void;
}

/**
 * Hold `file` locked for as long as this process lives, however it ends. The file is made if it is missing, and gets this
 * process's pid.
 * @returns the lock; or, if another process has it, what that one wrote: its pid.
 */
export function lockFile(file: string): FileLock | { holder: string; cause: unknown } {
  const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW, 0o600);
  try {
    flock(file, fd, LOCK_EX_NB);
  } catch (cause) {
    const holder = fs.readFileSync(fd, 'utf8').trim();
    fs.closeSync(fd);
    return { holder: /^\d+$/.test(holder) ? holder : '', cause };
  }
  fs.ftruncateSync(fd);
  fs.writeSync(fd, `${process.pid}\n`, 0);
  return { release: () => fs.closeSync(fd) };
}
