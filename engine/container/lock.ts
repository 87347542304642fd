import { type FileLock, lockFile } from '#kernel/file-lock';
import { ContainerError } from './errors.ts';

/**
 * Hold `file` locked for as long as this process lives, however it ends. flock(2).
 * @throws ContainerError `conflict` that names the holder.
 */
export function acquireLock(file: string): FileLock {
  const lock = lockFile(file);
  if ('release' in lock) return lock;
  throw new ContainerError(
    'conflict',
    `Another daemon${lock.holder && ` (process ${lock.holder})`} is using the state under ${file}. ` +
      'Stop it, or give this one a directory of its own with --root.',
    { cause: lock.cause },
  );
}
