/** What an instruction copies: found, and described for the cache. */

import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { findSources } from '#build';
import type { SourceFile } from '#contract/build';
import { Turn } from '../turn.ts';
import { InvalidBuild } from './build-error.ts';
import type { StackEntry, StackTree } from './stack-tree.ts';

/** One thing to copy: a file, or a directory whose content is meant. */
export interface Source {
  tree: StackTree;
  /** The name it gets in a directory. */
  name: string;
  /** In `tree`, without a link on the way. */
  path: string;
  /**
   * Whether its owners and times are kept: those of an archive and of a stage are part of what they are, those of a context
   * only tell who cloned it, and when.
   */
  keepOwners?: boolean;
  /** Whether `--chown` counts all the same. It does for a stage, and not for what is in an archive. */
  chownable?: boolean;
}

/** Entries that one instruction copies. */
const ENTRIES_MAX = 1_000_000;
/** Bytes that are read at once; larger files are read in pieces. */
const SMALL = 1024 * 1024;

/**
 * All that `patterns` name.
 * @param where in the error, e.g. `the build context`
 * @throws InvalidBuild when one of them names nothing
 */
export function sourcesFor(tree: StackTree, patterns: string[], where: string, hint: string): Source[] {
  return patterns.flatMap((pattern) => {
    const found = findSources(tree, pattern);
    if (found.length === 0) throw new InvalidBuild(`"${pattern}" is not in ${where}. ${hint}`);
    return found.map(({ name, path }) => ({ tree, name: name.slice(name.lastIndexOf('/') + 1), path }));
  });
}

/** What a source consists of, itself first, each directory before what is in it. Sockets are passed over. */
export function* walk({ tree, path }: Pick<Source, 'tree' | 'path'>): Generator<{ below: string; entry: StackEntry }> {
  const stack = [''];
  let count = 0;
  for (let below = stack.pop(); below !== undefined; below = stack.pop()) {
    if (++count > ENTRIES_MAX) throw new InvalidBuild(`more than ${ENTRIES_MAX} files are copied at once; copy fewer`);
    const here = [path, below].filter((part) => part !== '').join('/');
    const entry = tree.entry(here);
    if (!entry || entry.special === 'socket') continue;
    yield { below, entry };
    if (entry.type !== 'directory') continue;
    const names = tree.names(here).sort().reverse();
    stack.push(...names.map((name) => (below === '' ? name : `${below}/${name}`)));
  }
}

/** What `cacheKey` is told of the sources. */
export async function describeSources(sources: Source[]): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const turn = new Turn();
  for (const [index, source] of sources.entries()) {
    /** The first name of each file that has several. */
    const linked = new Map<string, string>();
    for (const { below, entry } of walk(source)) {
      await turn.pass();
      const kept = source.keepOwners ? ` ${entry.uid}:${entry.gid} ${Math.floor(entry.mtime.getTime() / 1000)}` : '';
      const first = entry.inode === undefined ? undefined : linked.get(entry.inode);
      if (entry.inode !== undefined && first === undefined) linked.set(entry.inode, below);
      const link = first === undefined ? '' : ` = ${first}`;
      const special = entry.special === undefined ? '' : ` ${entry.special} ${entry.device ?? ''}`;
      files.push({
        path: `${index}/${source.name}${kept}/${below}${link}${special}`,
        type: (entry.type === 'other' ? 'file' : entry.type) as SourceFile['type'],
        mode: entry.mode,
        mtime: Math.floor(entry.mtime.getTime() / 1000),
        ...(entry.type === 'file' && { digest: await digestOfFile(entry) }),
        ...(entry.target !== undefined && { target: entry.target }),
      });
    }
  }
  return await folded(files, turn);
}

/** Files that `cacheKey` looks at one by one: it has no turns. */
const FILES_MOST = 1000;

/** Many files as few, each with the digest of what many are, in their order, which is the same for the same content. */
async function folded(files: SourceFile[], turn: Turn): Promise<SourceFile[]> {
  if (files.length <= FILES_MOST) return files;
  const parts: SourceFile[] = [];
  for (let at = 0; at < files.length; at += FILES_MOST) {
    const part = files
      .slice(at, at + FILES_MOST)
      .map(({ path, type, mode, digest, target }) => [path, type, mode, digest, target]);
    const digest = `sha256:${createHash('sha256').update(JSON.stringify(part)).digest('hex')}`;
    parts.push({ path: `${at}`, type: 'file', mode: 0, mtime: 0, digest });
    await turn.pass();
  }
  return parts;
}

async function digestOfFile({ host, size }: StackEntry): Promise<string> {
  const hash = createHash('sha256');
  if (size <= SMALL) hash.update(readFileSync(host));
  else for await (const chunk of createReadStream(host, { highWaterMark: SMALL })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
