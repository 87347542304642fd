/**
 * Paths inside a tree that somebody else may have filled, or may be changing at this moment. Each step is taken by the
 * kernel as if the tree were `/` (openat2(2), RESOLVE_IN_ROOT), and what is used in the end is the descriptor and never
 * the path again, so a symbolic link leads nowhere outside.
 */

import { normalize } from 'node:path';
import { fchmod, mkdirat, readlinkat } from '#kernel/at';
import {
  close,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  open,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '#kernel/descriptors';
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

/**
 * Make sure that `path` inside `root` exists, with its parents; `kind` is what is made when it does not. Symbolic links
 * are followed as the kernel follows them, also one that leads to nothing yet: then what it names is made. Whatever the
 * umask is, directories are made with mode 0755 and files with 0644.
 * @throws KernelError ELOOP for more links than the kernel follows, ENOTDIR for a path below a file
 */
export function makePathInRoot(root: string, path: string, kind: 'directory' | 'file'): void {
  const rootFd = open(root, O_PATH | O_DIRECTORY);
  try {
    make(rootFd, normalize(`/${path}`), kind, { links: 0 });
  } finally {
    close(rootFd);
  }
}

/** As many links as the kernel follows in one path. path_resolution(7). */
const LINKS_MAX = 40;
const ELOOP = 40;

/** @param path not to be shortened: `..` behind a link leads to the parent of what the link names. */
function make(rootFd: number, path: string, kind: 'directory' | 'file', followed: { links: number }): void {
  if (exists(rootFd, path)) return;
  const { parent, name } = split(path);
  make(rootFd, parent, 'directory', followed);
  if (name === '.' || name === '..') return;
  const parentFd = openInRoot(rootFd, parent);
  try {
    // Somebody else may make it, or a link in its place, at the same moment.
    while (!makeEntry(parentFd, name, kind)) {
      const target = readlinkat(parentFd, name);
      if (target === null) return;
      if (++followed.links > LINKS_MAX) throw new KernelError('mkdir', ELOOP, path);
      make(rootFd, target.startsWith('/') ? target : `${parent}/${target}`, kind, followed);
      if (exists(rootFd, path)) return;
    }
  } finally {
    close(parentFd);
  }
}

function split(path: string): { parent: string; name: string } {
  const trimmed = path.replace(/\/+$/, '');
  const slash = trimmed.lastIndexOf('/');
  return { parent: trimmed.slice(0, Math.max(slash, 0)) || '/', name: trimmed.slice(slash + 1) };
}

/** @returns whether it was made; nothing is followed or replaced. */
function makeEntry(parentFd: number, name: string, kind: 'directory' | 'file'): boolean {
  try {
    if (kind === 'directory') mkdirat(parentFd, name, DIRECTORY_MODE);
    const flags = kind === 'directory' ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL;
    const made = openat2(parentFd, name, flags, RESOLVE_NO_SYMLINKS, kind === 'directory' ? 0 : FILE_MODE);
    fchmod(made, kind === 'directory' ? DIRECTORY_MODE : FILE_MODE);
    close(made);
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.code === 'EEXIST') return false;
    throw error;
  }
}

const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o644;

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
