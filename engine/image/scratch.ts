/**
 * Unfinished work on disk. Whatever must appear as a whole is made under a name of its own in a scratch directory and
 * renamed into place; what a killed process left there is recognised by its maker's pid and start time.
 */

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { processStat } from '#kernel/process-stat';

/** The disk that the state is on cannot take more. */
export class DiskFull extends Error {
  /** As in errno(3): `ENOSPC`, or `EDQUOT` where a quota is used up. */
  readonly code: string;
  override readonly name = 'DiskFull';

  constructor(code: string, directory: string, cause: Error) {
    super(
      `no space left on the disk of ${directory}: remove images or other files there, or keep the state elsewhere (--root)`,
      { cause },
    );
    this.code = code;
  }
}

/** `error`, said in a sentence when it is about a full disk. The system's own text does not even name the file. */
export function explainFullDisk(error: unknown, directory: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT' ? new DiskFull(code, directory, error as Error) : error;
}

const NAME = /^(\d+)-(\d+)-[0-9a-f]{16}$/;

/** A path in `directory` that nothing has yet. */
export function scratchPath(directory: string): string {
  return join(directory, `${process.pid}-${processStat('self')?.startTime}-${randomBytes(8).toString('hex')}`);
}

/** Remove what processes that have ended left in `directory`, and make the directory if it is missing. */
export function sweepScratch(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const entry of readdirSync(directory)) {
    const [, pid, started] = NAME.exec(entry) ?? [];
    if (pid === undefined || processStat(Number(pid))?.startTime === started) continue;
    rmSync(join(directory, entry), { recursive: true, force: true });
  }
}

/**
 * Delete a file or a directory, if it is there. Before the first wait its name is free for another.
 * @param scratch a directory on the same file system.
 */
export async function removeAtOnce(path: string, scratch: string): Promise<void> {
  const name = scratchPath(scratch);
  try {
    renameSync(path, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await rm(name, { recursive: true, force: true });
}

/** Replace a file as a whole. @param scratch a directory on the same file system. */
export function replaceFile(path: string, content: string, scratch: string): void {
  const name = scratchPath(scratch);
  try {
    writeFileSync(name, content, { flag: 'wx', flush: true });
    renameSync(name, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(name, { force: true });
    throw error;
  }
}

/** Make renames and new names in `directory` survive a power cut. fsync(2): a file's own fsync does not cover its name. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
