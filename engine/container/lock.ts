import fs from 'node:fs';
import { systemCall } from '#kernel/libc';
import { ContainerError } from './errors.ts';

const LOCK_EX_NB = 2 | 4;
const flock = systemCall('int flock(int, int)');

export interface Lock {
  release(): void;
}

/**
 * Hold `file` locked for as long as this process lives, however it ends. flock(2).
 * @throws ContainerError `conflict` that names the holder.
 */
export function acquireLock(file: string): Lock {
  const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW, 0o600);
  try {
    flock(file, fd, LOCK_EX_NB);
  } catch (cause) {
    const holder = fs.readFileSync(fd, 'utf8').trim();
    fs.closeSync(fd);
    throw new ContainerError(
      'conflict',
      `Another daemon${/^\d+$/.test(holder) ? ` (process ${holder})` : ''} is using the state under ${file}. ` +
        'Stop it, or give this one a directory of its own with --root.',
      { cause },
    );
  }
  fs.ftruncateSync(fd);
  fs.writeSync(fd, `${process.pid}\n`, 0);
  return { release: () => fs.closeSync(fd) };
}
