/**
 * The suites' and the harness's only way to files that a submission may have made. The functions have the names and the
 * arguments of node:fs, and limits: nothing blocks, content is read from regular files only, sizes are checked before a
 * byte is read or copied, and the number of names is bounded. A limit that is passed throws a TooMuch, with a sentence
 * that makes the test fail. The mounts that the judge looks through follow no symbolic link (session.ts).
 */

import fs from 'node:fs';
import path from 'node:path';

export {
  type BigIntStats,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
export { removeTree } from './remove-tree.ts';

/** The largest file whose content is read or copied, and the most that one copy may hold. Bytes. */
export const MOST_BYTES = 16 << 20;
/** The most names in one directory, and in one tree. */
export const MOST_NAMES = 20_000;

const { O_CREAT, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = fs.constants;
const O_PATH = 0o10000000;

/** Something in the sandbox is larger, or of another kind, than the judge looks at. The message is for the learner. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch';
}

type Name = string | Buffer;

/** Those that hold files as programs write them: tmpfs (devtmpfs, too), overlay, ramfs, ext, xfs, btrfs, zfs. statfs(2), `f_type`. */
const PLAIN_FILE_SYSTEMS = [0x01021994, 0x794c7630, 0x858458f6, 0xef53, 0x58465342, 0x9123683e, 0x2fc12fc1];

/**
 * Refuse what is not a file of a submission but a door to the kernel that it has mounted in the place of one: a judge that
 * is root of the machine would set the machine's own parameters by writing there, and read its log.
 * @param fd an open descriptor. @throws TooMuch
 */
export function refuseOddFileSystem(fd: number, file: Name): void {
  const { type } = fs.statfsSync(`/proc/self/fd/${fd}`);
  if (!PLAIN_FILE_SYSTEMS.includes(type >>> 0))
    throw new TooMuch(`${shown(file)} is not a file of your own: another file system is mounted in its place.`);
}

/** A path of a submission's own mount namespace, as `outsidePath` gives it: what is mounted there is its own doing. */
const isAmongItsMounts = (file: Name) => /^\/proc\/(self|\d+)\/fd\/\d+/.test(String(file));

/**
 * The content of a regular file.
 * @throws TooMuch when it is not a regular file or holds more than `MOST_BYTES`; Error as of open(2).
 */
export function readFileSync(file: Name): Buffer;
export function readFileSync(file: Name, encoding: BufferEncoding): string;
export function readFileSync(file: Name, encoding?: BufferEncoding): Buffer | string {
  const bytes = withRegular(file, (fd) => readUpTo(fd, MOST_BYTES, file));
  return encoding === undefined ? bytes : bytes.toString(encoding);
}

/** Open to look first: opening a FIFO or a device may already do something. */
function withRegular<T>(file: Name, work: (fd: number) => T, flags = 0): T {
  const look = fs.openSync(file, O_PATH | flags);
  try {
    if (isAmongItsMounts(file)) refuseOddFileSystem(look, file);
    const stat = fs.fstatSync(look);
    if (!stat.isFile()) throw new TooMuch(`${shown(file)} should be a regular file; it is ${kindOf(stat)}.`);
    if (stat.size > MOST_BYTES)
      throw new TooMuch(`${shown(file)} has ${stat.size} bytes; the judge reads at most ${MOST_BYTES}.`);
    const fd = fs.openSync(`/proc/self/fd/${look}`, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    try {
      return work(fd);
    } finally {
      fs.closeSync(fd);
    }
  } finally {
    fs.closeSync(look);
  }
}

/** Files of procfs have size 0 whatever they hold, and a file can grow while it is read. */
export function readUpTo(fd: number, most: number, file: Name): Buffer {
  const pieces: Buffer[] = [];
  for (let total = 0; ; ) {
    const piece = Buffer.allocUnsafe(Math.min(64 << 10, most + 1 - total));
    const count = fs.readSync(fd, piece);
    if (count === 0) return Buffer.concat(pieces);
    total += count;
    if (total > most) throw new TooMuch(`${shown(file)} holds more than ${most} bytes, which is all the judge reads.`);
    pieces.push(piece.subarray(0, count));
  }
}

/**
 * Write a regular file, made with `mode` if it is missing.
 * @throws TooMuch when something else stands there; ENXIO when that is a FIFO that nobody reads.
 */
export function writeFileSync(
  file: Name,
  content: string | Uint8Array,
  { mode = 0o666, flag = 'w' }: { mode?: number; flag?: 'w' | 'wx' | 'r+' } = {},
): void {
  const create = flag === 'r+' ? 0 : O_CREAT | (flag === 'wx' ? O_EXCL : 0);
  const fd = fs.openSync(file, O_WRONLY | O_NONBLOCK | O_NOCTTY | create, mode);
  try {
    if (isAmongItsMounts(file)) refuseOddFileSystem(fd, file);
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw new TooMuch(`${shown(file)} should be a regular file; it is ${kindOf(stat)}.`);
    if (flag === 'w' && stat.size > 0) fs.ftruncateSync(fd);
    fs.writeFileSync(fd, content);
  } finally {
    fs.closeSync(fd);
  }
}

/** Open without waiting: for a FIFO's other end, or a terminal. */
export function openSync(file: Name, flags: number, mode?: number): number {
  return fs.openSync(file, flags & O_PATH ? flags : (flags & ~O_TRUNC) | O_NONBLOCK | O_NOCTTY, mode);
}

export function existsSync(file: Name): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** The names in a directory; with `recursive` the paths of everything below it. Links are named, not followed. */
export function readdirSync(directory: Name): string[];
export function readdirSync(directory: Name, options: { recursive: true }): string[];
export function readdirSync(directory: Name, options: { encoding: 'buffer' }): Buffer[];
export function readdirSync(
  directory: Name,
  { recursive = false, encoding }: { recursive?: boolean; encoding?: 'buffer' } = {},
): string[] | Buffer[] {
  if (!recursive) return encoding === 'buffer' ? namesIn(directory) : namesIn(directory).map(String);
  const found: Buffer[] = [];
  const visit = (below: Buffer[]) => {
    const here = below.length === 0 ? Buffer.from(directory) : joined([Buffer.from(directory), ...below]);
    for (const name of namesIn(here)) {
      found.push(joined([...below, name]));
      if (found.length > MOST_NAMES) throw tooManyNames(directory);
      const stat = fs.lstatSync(joined([here, name]), { throwIfNoEntry: false });
      if (stat?.isDirectory()) visit([...below, name]);
    }
  };
  visit([]);
  return found.map(String);
}

/** Read piece by piece: a directory of a million names must not be held before it is counted. */
export function namesIn(directory: Name): Buffer[] {
  const names: Buffer[] = [];
  const opened = fs.opendirSync(Buffer.from(directory) as unknown as string, { encoding: 'buffer' as BufferEncoding });
  try {
    for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) {
      if (names.length === MOST_NAMES) throw tooManyNames(directory);
      names.push(entry.name as unknown as Buffer);
    }
  } finally {
    opened.closeSync();
  }
  return names;
}

/**
 * Copy regular files and directories to a directory of the judge's own, at most `MOST_BYTES` in all.
 * @param options for likeness with node:fs; a copy is always recursive.
 * @throws TooMuch when there is more, or something of another kind: also a link, which a reader of the copy would follow
 *   to a file of this machine.
 */
export function cpSync(source: Name, target: string, _options: { recursive: true }): void {
  let bytes = 0;
  let names = 0;
  const copy = (from: Buffer, to: Buffer) => {
    const stat = fs.lstatSync(from);
    names += 1;
    if (names > MOST_NAMES) throw tooManyNames(source);
    if (stat.isDirectory()) {
      fs.mkdirSync(to, { recursive: true });
      for (const name of namesIn(from)) copy(joined([from, name]), joined([to, name]));
    } else {
      if (stat.isSymbolicLink()) throw new TooMuch(`${shown(from)} should be a regular file; it is ${kindOf(stat)}.`);
      bytes += stat.size;
      if (bytes > MOST_BYTES)
        throw new TooMuch(`${shown(source)} holds more than ${MOST_BYTES} bytes; it is not copied.`);
      // It may have become a link meanwhile.
      fs.writeFileSync(
        to,
        withRegular(from, (fd) => readUpTo(fd, MOST_BYTES, from), O_NOFOLLOW),
        { flag: 'wx' },
      );
    }
  };
  copy(Buffer.from(source), Buffer.from(target));
}

/** Remove a tree by descriptors, however deep it is and whatever its names are. */
export { removeTree as rmSync } from './remove-tree.ts';

function joined(parts: Buffer[]): Buffer {
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from('/'), part])));
}

function tooManyNames(directory: Name): TooMuch {
  return new TooMuch(`${shown(directory)} has more than ${MOST_NAMES} names, which is all the judge looks at.`);
}

export function kindOf(stat: fs.Stats): string {
  if (stat.isFIFO()) return 'a FIFO';
  if (stat.isSocket()) return 'a socket';
  if (stat.isDirectory()) return 'a directory';
  if (stat.isSymbolicLink()) return 'a symbolic link';
  if (stat.isCharacterDevice() || stat.isBlockDevice()) return 'a device';
  return 'a regular file';
}

/** As the subject knows the path: how the judge gets there says nothing to a learner. */
function shown(file: Name): string {
  return path.basename(String(file));
}
