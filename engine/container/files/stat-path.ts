/** Paths as `docker cp` means them: relative ones begin at the root, and the last part is followed only before a slash. */

import { type BigIntStats, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { posix } from 'node:path';
import { FileError, type PathStat } from './request.ts';

export interface FoundPath {
  /** With every link on the way followed. */
  real: string;
  /** What the user called it: its last part, `.` or `/`. */
  name: string;
  info: BigIntStats;
}

/** In the tree that is the root of this process. @throws FileError `not-found` */
export function findPath(path: string, container: string): FoundPath {
  const absolute = posix.join('/', path);
  const wantsDirectory = /(^|\/)\.?$/.test(path);
  const cleaned = absolute.replace(/(?<=.)\/$/, '');
  const name = /\/\.$/.test(path) ? '.' : posix.basename(cleaned) || '/';
  try {
    const real = wantsDirectory
      ? realpathSync(cleaned)
      : posix.join(realpathSync(posix.dirname(cleaned)), posix.basename(cleaned));
    const info = lstatSync(real, { bigint: true });
    if (wantsDirectory && !info.isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
    return { real, name, info };
  } catch (error) {
    throw explained(error, path, container);
  }
}

function explained(error: unknown, path: string, container: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new FileError('not-found', `Could not find the file ${path} in container ${container}`);
  if (code === 'ENOTDIR') return new FileError('invalid', `${path}: not a directory`);
  if (code === 'EACCES' || code === 'EPERM') return new FileError('forbidden', `${path}: permission denied`);
  if (code === 'ELOOP' || code === 'ENAMETOOLONG') return new FileError('invalid', `${path}: ${code}`);
  return error;
}

export function pathStat({ real, name, info }: FoundPath): PathStat {
  return {
    name,
    size: Number(info.size),
    mode: goMode(info),
    mtime: rfc3339(info.mtimeNs),
    linkTarget: info.isSymbolicLink() ? targetOf(real) : '',
  };
}

/** In the end; of a link that leads nowhere, where it points. */
function targetOf(link: string): string {
  try {
    return realpathSync(link);
  } catch {
    return posix.resolve(posix.dirname(link), readlinkSync(link));
  }
}

/** The bits of Go's os.FileMode above the nine of permission. https://pkg.go.dev/io/fs#FileMode */
const GO = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  characterDevice: 2 ** 21,
  sticky: 2 ** 20,
};

function goMode(info: BigIntStats): number {
  const mode = Number(info.mode);
  return (
    (mode & 0o777) +
    (mode & 0o4000 ? GO.setuid : 0) +
    (mode & 0o2000 ? GO.setgid : 0) +
    (mode & 0o1000 ? GO.sticky : 0) +
    (info.isDirectory() ? GO.directory : 0) +
    (info.isSymbolicLink() ? GO.symlink : 0) +
    (info.isFIFO() ? GO.fifo : 0) +
    (info.isSocket() ? GO.socket : 0) +
    (info.isBlockDevice() ? GO.device : 0) +
    (info.isCharacterDevice() ? GO.device + GO.characterDevice : 0)
  );
}

function rfc3339(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n - (nanoseconds % 1_000_000_000n < 0n ? 1n : 0n);
  const fraction = String(nanoseconds - seconds * 1_000_000_000n).padStart(9, '0');
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}
