/** What a tree is, for comparing what different tools made of an image. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { getXattr, listXattrs } from '#kernel/xattr';
import { describeTree } from '../../engine/image/test-support.ts';
import { TREE } from './awkward.ts';

/** Entry by entry: kind, mode, owner, time, target, content, hard links, extended attributes. */
export function treeIn(root: string): Record<string, string> {
  const directory = join(root, TREE);
  return Object.fromEntries(
    Object.entries(describeTree(directory)).map(([path, facts]) => [
      path,
      `${facts}${attributesOf(join(directory, path))}`,
    ]),
  );
}

function attributesOf(path: string): string {
  return listXattrs(path)
    .sort()
    .map((name) => ` ${name}=${getXattr(path, name)?.toString('hex')}`)
    .join('');
}

/** The same of an archive of a root file system, unpacked by GNU tar below `scratch`. */
export function treeInArchive(archive: string, scratch: string): Record<string, string> {
  const root = mkdtempSync(join(scratch, 'tree-'));
  execFileSync('tar', [
    '--xattrs',
    '--xattrs-include=*',
    '--numeric-owner',
    '--warning=no-timestamp',
    '-C',
    root,
    '-xpf',
    archive,
  ]);
  return treeIn(root);
}

/** Docker's export leaves all attributes out but the capabilities of a file. */
export function withoutNotes(tree: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(tree).map(([path, facts]) => [path, facts.replace(/ user\.note=\S+/, '')]));
}

export function withoutDirectoryTimes(tree: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).map(([path, facts]) => [path, facts.replace(/^(mode=4\d{4} .*) mtime=\d+/, '$1')]),
  );
}
