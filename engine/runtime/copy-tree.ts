/**
 * A tree copied with all its marks: what a tmpfs, a new volume or a bind of a build begins with. No link in it is followed.
 * Where the entries come from is the caller's: a directory here, the layers of an image in image/build/copy-out.ts.
 */

import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { KernelError } from '#kernel/errors';
import { mknod, S_IFMT } from '#kernel/nodes';
import { setTimes } from '#kernel/times';
import { inUserNamespace } from '#kernel/user-namespace';
import { setXattr } from '#kernel/xattr';
import { xattrsOf } from './attributes.ts';
import { isZeros } from './zeros.ts';

export interface CopiedEntry {
  /** Where it goes, relative to the copy; '' is the copy itself. A directory comes before what is in it. */
  below: string;
  /** Where it is. */
  from: string;
}

/** A file whose content the caller copies before it goes on: by a thread of its own, or at once. `to` is not there yet. */
export interface CopyContent {
  from: string;
  to: string;
}

/** For copyFile: a file system that can share the blocks does so. ioctl_ficlone(2). */
export const COPY_FLAGS = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;

/** What is in directory `from` into directory `to`, which is there; and the mode, owner and time of `from` itself. */
export function copyTree(from: string, to: string): void {
  // Through the directory itself, since the names may be links to open descriptors.
  for (const content of copySteps(entriesOf(`${from}/.`), `${to}/.`))
    if (content) copyFileSync(content.from, content.to, COPY_FLAGS);
}

/**
 * Copies entries to `to`, in steps of bounded work. Names of one file stay names of one file, holes stay holes. Left out are
 * sockets, which mean nothing without their process, and devices in a user namespace, where the kernel makes none.
 */
export function* copySteps(entries: Iterable<CopiedEntry>, to: string): Generator<CopyContent | undefined> {
  const directories: { here: string; from: string; info: BigIntStats }[] = [];
  const firstNames = new Map<string, string>();
  for (const { below, from } of entries) {
    const here = below === '' ? to : `${to}/${below}`;
    const info = lstatSync(from, { bigint: true });
    if (info.isDirectory()) {
      makeDirectory(here, below === '');
      directories.push({ here, from, info });
    } else if (!info.isSocket()) {
      const file = `${info.dev}:${info.ino}`;
      const first = firstNames.get(file);
      if (first !== undefined) linkSync(first, here);
      else if (isDevice(info) && inUserNamespace()) continue;
      else {
        if (info.nlink > 1n) firstNames.set(file, here);
        yield* makeLike(here, from, info);
        describe(here, from, info);
      }
    }
    yield;
  }
  // Last, since making something in a directory changes its time.
  for (const { here, from, info } of directories.reverse()) {
    describe(here, from, info);
    yield;
  }
}

function* entriesOf(top: string, below = ''): Generator<CopiedEntry> {
  const from = below === '' ? top : `${top}/${below}`;
  yield { below, from };
  if (!lstatSync(from).isDirectory()) return;
  for (const name of readdirSync(from)) yield* entriesOf(top, below === '' ? name : `${below}/${name}`);
}

function makeDirectory(path: string, isTop: boolean): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (!(isTop && (error as NodeJS.ErrnoException).code === 'EEXIST')) throw error;
  }
}

function isDevice(info: BigIntStats): boolean {
  return info.isCharacterDevice() || info.isBlockDevice();
}

/** Bytes that stat(2) counts blocks in. */
const STAT_BLOCK = 512n;
/** Bytes of a sparse file that are copied in one step. */
const PIECE = 64 * 1024;

function* makeLike(to: string, from: string, info: BigIntStats): Generator<CopyContent | undefined> {
  if (info.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (!info.isFile()) mknod(to, (Number(info.mode) & S_IFMT) | 0o600, isDevice(info) ? info.rdev : 0n);
  else if (info.blocks * STAT_BLOCK >= info.size) yield { from, to };
  else yield* copySparse(from, to, Number(info.size));
}

function* copySparse(from: string, to: string, size: number): Generator<undefined> {
  const source = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const made = openSync(to, 'wx', 0o600);
    try {
      ftruncateSync(made, size);
      const buffer = Buffer.allocUnsafe(PIECE);
      for (let at = 0; at < size; ) {
        const piece = buffer.subarray(0, readSync(source, buffer, 0, PIECE, at));
        if (piece.length === 0) break;
        if (!isZeros(piece)) writeSync(made, piece, 0, piece.length, at);
        at += piece.length;
        yield;
      }
    } finally {
      closeSync(made);
    }
  } finally {
    closeSync(source);
  }
}

function describe(path: string, from: string, info: BigIntStats): void {
  lchownSync(path, Number(info.uid), Number(info.gid));
  if (!info.isSymbolicLink()) {
    // After the owner, whose change takes set-user-ID and capabilities away. A link has no mode of its own.
    chmodSync(path, Number(info.mode) & 0o7777);
    for (const [name, value] of xattrsOf(from)) setAttribute(path, name, value);
  }
  setTimes(path, info.mtimeNs);
}

/** A tmpfs has no attributes of users before Linux 6.6, so a copy there cannot have them. */
function setAttribute(path: string, name: string, value: Buffer): void {
  try {
    setXattr(path, name, value);
  } catch (error) {
    if (!(error instanceof KernelError && error.code === 'ENOTSUP')) throw error;
  }
}
