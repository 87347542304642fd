/** Users and groups by the image's own files, for `--chown`. passwd(5), group(5). */

import { readFileSync } from 'node:fs';
import { resolveInTree } from './build.ts';
import { InvalidBuild } from './build-error.ts';
import type { Owner } from './destination.ts';
import type { StackTree } from './stack-tree.ts';

/** Bytes. The files come with the image. */
const LARGEST_FILE = 4 << 20;
const ID_MAX = 2 ** 32 - 2;

/** @param chown `user[:group]`, each a name or a number; without a group it is that of the user's name, or the user's number. @throws InvalidBuild */
export function ownerOf(image: StackTree, chown: string): Owner {
  const [user = '', group] = chown.split(':', 2);
  const uid = idIn(image, user, 'etc/passwd') ?? refuse('user', user, 'etc/passwd');
  if (group === undefined) return { uid, gid: idIn(image, user, 'etc/group') ?? uid };
  return { uid, gid: idIn(image, group, 'etc/group') ?? refuse('group', group, 'etc/group') };
}

function idIn(image: StackTree, name: string, file: string): number | undefined {
  if (/^\d{1,10}$/.test(name)) return Number(name) <= ID_MAX ? Number(name) : undefined;
  const lines = read(image, file).split('\n');
  const id = (name !== '' && lines.find((each) => each.startsWith(`${name}:`))?.split(':')[2]) || '';
  return /^\d{1,10}$/.test(id) && Number(id) <= ID_MAX ? Number(id) : undefined;
}

function refuse(kind: string, name: string, file: string): never {
  throw new InvalidBuild(
    `unable to convert uid/gid chown string to host mapping: can't find ${kind} ${name}: the image's /${file} has none; use a number`,
  );
}

function read(image: StackTree, file: string): string {
  const path = resolveInTree(image, file);
  const entry = path === undefined ? undefined : image.entry(path);
  return entry?.type === 'file' && entry.size <= LARGEST_FILE ? readFileSync(entry.host, 'utf8') : '';
}
