import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { which } from './tools.ts';

/** What the guest may write before its disk is full. The file is sparse: the host gives only what is written. */
const BYTES = 8 * 2 ** 30;

/**
 * A disk with an empty ext4, for everything the guest writes. A real disk file system rather than a tmpfs, because that
 * is what engines meet: device nodes that work, extended attributes of every kind, and an overlay's upper layer.
 */
export function makeScratchDisk(directory: string): string {
  const path = join(directory, 'scratch.img');
  const fd = openSync(path, 'wx');
  ftruncateSync(fd, BYTES);
  closeSync(fd);
  execFileSync(which('mkfs.ext4') ?? 'mkfs.ext4', ['-q', '-F', '-O', '^has_journal', '-E', 'lazy_itable_init=1', path]);
  return path;
}
