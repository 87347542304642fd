/**
 * The judge's own hands inside a container's file tree. Every path is resolved by the kernel as if the container's root
 * were `/` (openat2, RESOLVE_IN_ROOT): a link that a submission planted cannot lead the judge to a file of the host, and
 * so can neither lend it the host's evidence nor borrow the judge's rights. No program of the container is ever run.
 */

import { type BigIntStats, fstatSync, readdirSync, readlinkSync, type Stats, statSync } from 'node:fs';
import * as fds from '../../engine/kernel/descriptors.ts';

const SECRET_LIMIT = 1 << 20;

export interface Inside {
  /** The first `most` bytes of a file, as Latin-1 so that bytes compare as they are. A FIFO or terminal does not block. */
  read(path: string, most?: number): string;
  /** Create or overwrite a file. @throws KernelError, e.g. with `code` EROFS on a read-only mount. */
  write(path: string, text: string): void;
  list(path: string): string[];
  /** Follows links, inside. */
  stat(path: string): Stats;
  /** What stands at the name itself, be it a link. Times and numbers to the last digit. */
  lstat(path: string): BigIntStats;
  readlink(path: string): string;
  exists(path: string): boolean;
}

/** Look into the tree of process `pid`. Throws when the process is gone. */
export function inside(pid: number): Inside {
  function use<T>(path: string, flags: number, work: (fd: number) => T): T {
    const root = fds.open(`/proc/${pid}/root`, fds.O_PATH | fds.O_DIRECTORY);
    try {
      const fd = fds.openat2(
        root,
        path,
        flags,
        fds.RESOLVE_IN_ROOT | fds.RESOLVE_NO_MAGICLINKS,
        flags & fds.O_CREAT ? 0o600 : 0,
      );
      try {
        return work(fd);
      } finally {
        fds.close(fd);
      }
    } finally {
      fds.close(root);
    }
  }
  const named = (fd: number) => `/proc/self/fd/${fd}`;
  return {
    read: (path, most = SECRET_LIMIT) =>
      use(path, fds.O_RDONLY | fds.O_NONBLOCK | fds.O_NOCTTY, (fd) => fds.read(fd, most)?.toString('latin1') ?? ''),
    write: (path, text) =>
      use(path, fds.O_WRONLY | fds.O_CREAT | fds.O_NONBLOCK | fds.O_NOCTTY, (fd) => fds.write(fd, text)),
    list: (path) => use(path, fds.O_PATH | fds.O_DIRECTORY, (fd) => readdirSync(`${named(fd)}/.`)),
    stat: (path) => use(path, fds.O_PATH, (fd) => statSync(named(fd))),
    lstat: (path) => use(path, fds.O_PATH | fds.O_NOFOLLOW, (fd) => fstatSync(fd, { bigint: true })),
    readlink: (path) => {
      const slash = path.lastIndexOf('/');
      return use(path.slice(0, slash) || '/', fds.O_PATH | fds.O_DIRECTORY, (fd) =>
        readlinkSync(`${named(fd)}/${path.slice(slash + 1)}`),
      );
    },
    exists: (path) => {
      try {
        return use(path, fds.O_PATH, () => true);
      } catch (error) {
        if ((error as { code?: string }).code === 'ENOENT') return false;
        throw error;
      }
    },
  };
}
