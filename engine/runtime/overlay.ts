/** A container's root as a stack of layers. Kernel documentation, filesystems/overlayfs. */

import { chmodSync, lchownSync, mkdirSync, statSync } from 'node:fs';
import type { OverlayStack, Owner } from '#contract/overlay';
import { close, O_DIRECTORY, O_PATH, open } from '#kernel/descriptors';
import { chdir } from '#kernel/execve';
import { MOUNT_ATTR_RDONLY, MS_BIND, mount, setMountAttributes } from '#kernel/mounts';

export { changesOf } from './overlay-changes.ts';

/** mount(2) copies one page of options and cuts the rest off. */
const LONGEST_DATA = 4095;

export function mountOverlay(target: string, stack: OverlayStack, unprivileged: boolean): void {
  const [only, second] = stack.lower;
  if (stack.upper === undefined && only !== undefined && second === undefined) {
    bindReadonly(only, target);
    return;
  }
  const mountWith = (data: string) => mount({ source: 'overlay', target, type: 'overlay', data });
  const data = overlayData(stack, unprivileged);
  if (Buffer.byteLength(data) <= LONGEST_DATA) mountWith(data);
  else withShortNames(stack, (short) => mountWith(overlayData(short, unprivileged)));
}

export function overlayData({ lower, upper, work }: OverlayStack, unprivileged: boolean): string {
  return [
    `lowerdir=${lower.map(escapePath).join(':')}`,
    ...(upper === undefined ? [] : [`upperdir=${escapePath(upper)}`]),
    ...(work === undefined ? [] : [`workdir=${escapePath(work)}`]),
    'index=off',
    // Whatever a kernel was built with: a renamed directory and a file with a new mode are copied as a whole. userxattr implies it.
    ...(unprivileged ? ['userxattr'] : ['redirect_dir=off', 'metacopy=off']),
  ].join(',');
}

export function makeRootDirectories(root: { upper: string; work: string }, like: string, owner?: Owner): void {
  const { uid, gid, mode } = statSync(like);
  if (makeIfMissing(root.upper)) {
    lchownSync(root.upper, uid, gid);
    chmodSync(root.upper, mode & 0o7777);
  }
  makeIfMissing(root.work);
  if (owner) for (const directory of [root.upper, root.work]) lchownSync(directory, owner.uid, owner.gid);
}

function makeIfMissing(directory: string): boolean {
  try {
    mkdirSync(directory, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, (character) => `\\${character}`);
}

/**
 * overlayfs wants two layers, or an upper. The flags of a bind are ignored, and a remount would have to repeat those that
 * a user namespace may not take away: mount_setattr(2) adds to what there is.
 */
function bindReadonly(directory: string, target: string): void {
  mount({ source: directory, target, flags: MS_BIND });
  const fd = open(target, O_PATH | O_DIRECTORY);
  try {
    setMountAttributes(fd, MOUNT_ATTR_RDONLY);
  } finally {
    close(fd);
  }
}

/** Seen from /proc/self/fd the name of an open directory is its number: three bytes instead of a hundred. */
function withShortNames(stack: OverlayStack, use: (short: OverlayStack) => void): void {
  const opened: number[] = [];
  const shorten = (path: string) => {
    const fd = open(path, O_PATH | O_DIRECTORY);
    opened.push(fd);
    return String(fd);
  };
  try {
    const lower = stack.lower.map(shorten);
    const upper = stack.upper && shorten(stack.upper);
    const work = stack.work && shorten(stack.work);
    chdir('/proc/self/fd');
    use({ lower, upper, work });
  } finally {
    chdir('/');
    for (const fd of opened) close(fd);
  }
}
