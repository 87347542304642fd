/** A tree that an image brought, copied with all its marks. Nothing in it is followed anywhere. */

import {
  chmodSync,
  copyFileSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { mknod } from '#kernel/nodes';

/** What is in directory `from` into directory `to`, which is there; and the mode and the owner of `from` itself. */
export function copyTree(from: string, to: string): void {
  for (const name of readdirSync(from)) copyEntry(`${from}/${name}`, `${to}/${name}`);
  // Through the directory itself, since the names may be links to open descriptors.
  copyMarks(`${from}/.`, `${to}/.`);
}

function copyEntry(from: string, to: string): void {
  const stat = lstatSync(from);
  if (stat.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (stat.isDirectory()) {
    mkdirSync(to);
    copyTree(from, to);
  } else if (stat.isFile()) copyFileSync(from, to);
  else mknod(to, stat.mode, BigInt(stat.rdev));
  copyMarks(from, to);
}

function copyMarks(from: string, to: string): void {
  const { uid, gid, mode, atimeMs, mtimeMs } = lstatSync(from);
  lchownSync(to, uid, gid);
  // After the owner, whose change takes set-user-ID away. A link has no mode of its own.
  if (!lstatSync(to).isSymbolicLink()) chmodSync(to, mode & 0o7777);
  lutimesSync(to, atimeMs / 1000, mtimeMs / 1000);
}
