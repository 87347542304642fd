/** Users and groups by the image's own files, for `--chown`. passwd(5), group(5). */

import { readFileSync } from 'node:fs';
import { resolveInTree } from './build.ts';
import { InvalidBuild } from './build-error.ts';
import type { Owner } from './destination.ts';
import type { StackTree } from './stack-tree.ts';

/** Bytes. The files come with the image. */
const LARGEST_FILE = 4 << 20;
const ID_MAX = 2 ** 32 - 2;

/** @param chown `user[:group]`, each a name or a number; without a group it is the user's number. @throws InvalidBuild */
export function ownerOf(image: StackTree, chown: string): Owner {
  const [user = '', group = user] = chown.split(':', 2);
  return { uid: idOf(image, 'user', user, 'etc/passwd'), gid: idOf(image, 'group', group, 'etc/group') };
}

function idOf(image: StackTree, kind: string, name: string, file: string): number {
  if (/^\d{1,10}$/.test(name)) {
    if (Number(name) <= ID_MAX) return Number(name);
  } else {
    const line = read(image, file)
      .split('\n')
      .find((each) => each.startsWith(`${name}:`));
    const id = line?.split(':')[2] ?? '';
    if (name !== '' && /^\d{1,10}$/.test(id)) return Number(id);
  }
  throw new InvalidBuild(
    `unable to convert uid/gid chown string to host mapping: can't find ${kind} ${name}: no such ${kind} in the image's /${file}; use a number`,
  );
}

function read(image: StackTree, file: string): string {
  const path = resolveInTree(image, file);
  const entry = path === undefined ? undefined : image.entry(path);
  return entry?.type === 'file' && entry.size <= LARGEST_FILE ? readFileSync(entry.host, 'utf8') : '';
}
