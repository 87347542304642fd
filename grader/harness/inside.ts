/**
 * The judge's own hands inside a container's file tree. Every path is resolved by the kernel as if the container's root
 * were `/` (openat2, RESOLVE_IN_ROOT): a link that a submission planted cannot lead the judge to a file of the host, and
 * so can neither lend it the host's evidence nor borrow the judge's rights. No program of the container is ever run.
 */

import * as fds from '../../engine/kernel/descriptors.ts';
import {
  type BigIntStats,
  closeSync,
  fstatSync,
  kindOf,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  refuseOddFileSystem,
  type Stats,
  statSync,
  TooMuch,
} from './files.ts';

const SECRET_LIMIT = 1 << 20;
/** Major 1 of character devices: null, zero, full, random, urandom. Documentation/admin-guide/devices.txt. */
const HARMLESS_DEVICES = [3, 5, 7, 8, 9].map((minor) => (1 << 8) | minor);

export interface Inside {
  /**
   * The first `most` bytes of a file, as Latin-1 so that bytes compare as they are.
   * @throws TooMuch when it is neither a regular file nor one of the devices that give and take without end, or is a file of
   *   procfs or the like.
   */
  read(path: string, most?: number): string;
  /** Create or overwrite a file. @throws KernelError, e.g. with `code` EROFS on a read-only mount; TooMuch as `read`. */
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
  /** Open the name itself, which does nothing to what stands there. */
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
  const opened = <T>(path: string, flags: number, work: (fd: number) => T) =>
    use(path, fds.O_PATH, (look) => {
      requireHarmless(look, path);
      const fd = openSync(named(look), flags);
      try {
        return work(fd);
      } finally {
        closeSync(fd);
      }
    });
  const exists = (path: string) => {
    try {
      return use(path, fds.O_PATH, () => true);
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT') return false;
      throw error;
    }
  };
  return {
    read: (path, most = SECRET_LIMIT) => opened(path, fds.O_RDONLY, (fd) => firstBytes(fd, most).toString('latin1')),
    write: (path, text) =>
      exists(path)
        ? opened(path, fds.O_WRONLY, (fd) => fds.write(fd, text))
        : use(path, fds.O_WRONLY | fds.O_CREAT | fds.O_EXCL, (fd) => fds.write(fd, text)),
    list: (path) => use(path, fds.O_PATH | fds.O_DIRECTORY, (fd) => readdirSync(`${named(fd)}/.`)),
    stat: (path) => use(path, fds.O_PATH, (fd) => statSync(named(fd))),
    lstat: (path) => use(path, fds.O_PATH | fds.O_NOFOLLOW, (fd) => fstatSync(fd, { bigint: true })),
    readlink: (path) => {
      const slash = path.lastIndexOf('/');
      return use(path.slice(0, slash) || '/', fds.O_PATH | fds.O_DIRECTORY, (fd) =>
        readlinkSync(`${named(fd)}/${path.slice(slash + 1)}`),
      );
    },
    exists,
  };
}

const named = (fd: number) => `/proc/self/fd/${fd}`;

function requireHarmless(fd: number, path: string): void {
  const stat = fstatSync(fd);
  if (stat.isCharacterDevice() && HARMLESS_DEVICES.includes(stat.rdev)) return;
  if (!stat.isFile()) throw new TooMuch(`${path} should be a regular file; it is ${kindOf(stat)}.`);
  refuseOddFileSystem(fd, path);
}

function firstBytes(fd: number, most: number): Buffer {
  const bytes = Buffer.alloc(most);
  let length = 0;
  while (length < most) {
    const count = readSync(fd, bytes, length, most - length, null);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}
