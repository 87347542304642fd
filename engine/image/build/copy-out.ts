/** Files of an image, copied out of its layers as they are merged: onto the host, where a container gets them mounted. */

import { constants } from 'node:fs';
import { chmod, copyFile, lchown, lutimes, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setXattr } from '#kernel/xattr';
import { xattrsOf } from '../tree-entries.ts';
import { walk } from './sources.ts';
import type { StackEntry, StackTree } from './stack-tree.ts';

/**
 * @param path in `tree`, without a link on the way.
 * @param to becomes what is at `path`: it is made, or is a directory already and becomes like that one.
 */
export async function copyOut(tree: StackTree, path: string, to: string): Promise<void> {
  const directories: { here: string; entry: StackEntry }[] = [];
  for (const { below, entry } of walk({ tree, path })) {
    const here = below === '' ? to : join(to, below);
    if (entry.type === 'directory') {
      await mkdir(here).catch((error) => {
        if (!(below === '' && error.code === 'EEXIST')) throw error;
      });
      directories.push({ here, entry });
    } else {
      if (entry.type === 'symlink') await symlink(entry.target ?? '', here);
      else await copyFile(entry.host, here, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await describe(here, entry);
    }
  }
  // Last, since making something in a directory changes its time.
  for (const { here, entry } of directories.reverse()) await describe(here, entry);
}

async function describe(path: string, entry: StackEntry): Promise<void> {
  await lchown(path, entry.uid, entry.gid);
  if (entry.type !== 'symlink') {
    // After the owner, whose change takes set-user-ID and capabilities away.
    await chmod(path, entry.mode);
    if (entry.host !== '') for (const [name, value] of xattrsOf(entry.host)) setXattr(path, name, value);
  }
  await lutimes(path, entry.mtime, entry.mtime);
}
