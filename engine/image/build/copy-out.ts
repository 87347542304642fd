/** Files of an image, copied out of its layers as they are merged: onto the host, where a container gets them mounted. */

import { constants, lstatSync } from 'node:fs';
import { chmod, copyFile, lchown, link, lutimes, mkdir, open, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { mknod, S_IFBLK, S_IFCHR, S_IFIFO } from '#kernel/nodes';
import { setTimes } from '#kernel/times';
import { inUserNamespace } from '#kernel/user-namespace';
import { setXattr } from '#kernel/xattr';
import { isZeros } from '../holes.ts';
import { xattrsOf } from '../tree-entries.ts';
import { walk } from './sources.ts';
import type { StackEntry, StackTree } from './stack-tree.ts';

/**
 * @param path in `tree`, without a link on the way.
 * @param to becomes what is at `path`: it is made, or is a directory already and becomes like that one. Names of one file
 *   stay names of one file, holes stay holes; in a user namespace devices are passed over, since the kernel makes none.
 */
export async function copyOut(tree: StackTree, path: string, to: string): Promise<void> {
  const directories: { here: string; entry: StackEntry }[] = [];
  const firstNames = new Map<string, string>();
  for (const { below, entry } of walk({ tree, path })) {
    const here = below === '' ? to : join(to, below);
    if (entry.type === 'directory') {
      await mkdir(here).catch((error) => {
        if (!(below === '' && error.code === 'EEXIST')) throw error;
      });
      directories.push({ here, entry });
      continue;
    }
    const first = entry.inode === undefined ? undefined : firstNames.get(entry.inode);
    if (first !== undefined) {
      await link(first, here);
      continue;
    }
    if (entry.device !== undefined && inUserNamespace()) continue;
    if (entry.inode !== undefined) firstNames.set(entry.inode, here);
    if (entry.type === 'symlink') await symlink(entry.target ?? '', here);
    else if (entry.special !== undefined) mknod(here, KINDS[entry.special] | 0o600, entry.device);
    else await copyContent(entry, here);
    await describe(here, entry);
  }
  // Last, since making something in a directory changes its time.
  for (const { here, entry } of directories.reverse()) await describe(here, entry);
}

const KINDS = { fifo: S_IFIFO, 'character-device': S_IFCHR, 'block-device': S_IFBLK, socket: 0 };

/** Bytes that stat(2) counts blocks in. */
const STAT_BLOCK = 512;

async function copyContent({ host, size }: StackEntry, to: string): Promise<void> {
  const { blocks } = lstatSync(host);
  if (blocks * STAT_BLOCK >= size) {
    await copyFile(host, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return;
  }
  const [from, made] = [await open(host, 'r'), await open(to, 'wx', 0o600)];
  try {
    await made.truncate(size);
    const buffer = Buffer.alloc(PIECE);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await from.read(buffer, 0, PIECE, at);
      if (bytesRead === 0) break;
      const piece = buffer.subarray(0, bytesRead);
      if (!isZeros(piece)) await made.write(piece, 0, bytesRead, at);
      at += bytesRead;
    }
  } finally {
    await from.close();
    await made.close();
  }
}

const PIECE = 64 * 1024;

async function describe(path: string, entry: StackEntry): Promise<void> {
  await lchown(path, entry.uid, entry.gid);
  if (entry.type !== 'symlink') {
    // After the owner, whose change takes set-user-ID and capabilities away.
    await chmod(path, entry.mode);
    if (entry.host !== '') for (const [name, value] of xattrsOf(entry.host)) setXattr(path, name, value);
  }
  if (entry.host === '') await lutimes(path, entry.mtime, entry.mtime);
  else setTimes(path, lstatSync(entry.host, { bigint: true }).mtimeNs);
}
