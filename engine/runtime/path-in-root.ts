/**
 * Paths inside a tree that somebody else may have filled, or may be changing at this moment. Each step is taken by the
 * kernel as if the tree were `/` (openat2(2), RESOLVE_IN_ROOT), and what is used in the end is the descriptor and never
 * the path again, so a symbolic link leads nowhere outside.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, normalize } from 'node:path';
import { close, O_DIRECTORY, O_PATH, open, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';

/** The name by which any call can use an open descriptor. It needs a mounted /proc. proc(5), "/proc/pid/fd". */
export function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** Open `path` as seen from inside `root` and let `use` work with the descriptor (O_PATH), which is closed afterwards. */
export function withPathInRoot<T>(root: string, path: string, use: (fd: number) => T): T {
  const rootFd = open(root, O_PATH | O_DIRECTORY);
  try {
    const fd = openInRoot(rootFd, path);
    try {
      return use(fd);
    } finally {
      close(fd);
    }
  } finally {
    close(rootFd);
  }
}

/** Make sure that `path` inside `root` exists, with its parents; `kind` is what is made when it does not. */
export function makePathInRoot(root: string, path: string, kind: 'directory' | 'file'): void {
  const rootFd = open(root, O_PATH | O_DIRECTORY);
  try {
    make(rootFd, normalize(`/${path}`), kind);
  } finally {
    close(rootFd);
  }
}

function make(rootFd: number, path: string, kind: 'directory' | 'file'): void {
  if (exists(rootFd, path)) return;
  const parent = dirname(path);
  make(rootFd, parent, 'directory');
  const parentFd = openInRoot(rootFd, parent);
  try {
    const entry = `${descriptorPath(parentFd)}/${path.slice(path.lastIndexOf('/') + 1)}`;
    if (kind === 'directory') mkdirSync(entry, { mode: 0o755 });
    else writeFileSync(entry, '', { flag: 'wx', mode: 0o644 });
  } finally {
    close(parentFd);
  }
}

function exists(rootFd: number, path: string): boolean {
  try {
    close(openInRoot(rootFd, path));
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENOENT') return false;
    throw error;
  }
}

function openInRoot(rootFd: number, path: string): number {
  return openat2(rootFd, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}
