/** What a build may copy from: the client's archive, unpacked, less what .dockerignore names. */

import { mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ignoreFilter } from '#build';
import { compressionOf, decompress, HEAD } from '../compression.ts';
import { applyLayer } from '../layer.ts';
import { Turn } from '../turn.ts';
import { resolveInTree } from './build.ts';
import { InvalidBuild } from './build-error.ts';
import { RULES_MAX } from './ignore.ts';
import { walk } from './sources.ts';
import { StackTree } from './stack-tree.ts';

/** Bytes of the context as it is sent. */
const SIZE_MAX = 16 * 1024 ** 3;
/** Bytes of a Dockerfile or a .dockerignore. */
const TEXT_MAX = 1024 * 1024;

export interface Context {
  tree: StackTree;
  /** The text of a file in it; undefined when there is none. Also one that is ignored. */
  text(path: string): string | undefined;
}

/**
 * Unpack the tar `source`, compressed or not, into `directory`, which is made. Links in it are links and lead nowhere: what
 * reads it follows them itself.
 * @throws HostileArchive, UnexpectedEnd, the source's error
 */
export async function unpackContext(source: AsyncIterable<Uint8Array>, directory: string): Promise<Context> {
  mkdirSync(directory, { mode: 0o700 });
  const { compression, bytes } = await sniff(bounded(source));
  const tar = compression === 'none' ? bytes : decompress(Readable.from(bytes, { objectMode: false }), compression);
  await applyLayer(tar, directory, { whiteouts: 'remove', ownership: false });
  return openContext(directory);
}

/** A context that is there as a directory. */
export function openContext(directory: string): Context {
  const tree = new StackTree([directory]);
  return {
    tree,
    text: (path) => {
      const resolved = resolveInTree(tree, path);
      const entry = resolved === undefined ? undefined : tree.entry(resolved);
      if (entry?.type !== 'file') return undefined;
      if (entry.size > TEXT_MAX)
        throw new InvalidBuild(`${path} has more than ${TEXT_MAX} bytes; is it what you mean?`);
      return readFileSync(entry.host, 'utf8');
    },
  };
}

/**
 * Take out of the unpacked context what `<dockerfile>.dockerignore`, else `.dockerignore`, names. A client may have done
 * so already; one that sends an archive of its own has not.
 */
export async function applyIgnore(context: Context, directory: string, dockerfile: string): Promise<void> {
  const rules = context.text(`${dockerfile}.dockerignore`) ?? context.text('.dockerignore');
  if (rules === undefined) return;
  const turn = new Turn();
  const isIgnored = await filterInTurns(rules, turn);
  const directories: string[] = [];
  for (const { below, entry } of walk({ tree: context.tree, path: '' })) {
    await turn.pass();
    if (below === '' || !(await isIgnored(below))) continue;
    if (entry.type === 'directory') directories.push(below);
    else rmSync(join(directory, below));
  }
  for (const path of directories.reverse())
    try {
      rmdirSync(join(directory, path));
    } catch {
      // An exception of the rules is in it, and so it stays.
    }
}

/** Rules that a path is held against without a look at the clock. */
const RULES_AT_ONCE = 50;

/**
 * The last rule that fits counts, so the last fifty are asked first. Where they leave nothing out, either none of them
 * fits or an exception does: only in the second case is a path kept that a rule before them leaves out.
 */
async function filterInTurns(rules: string, turn: Turn): Promise<(path: string) => Promise<boolean>> {
  const lines = rules.replace(/^\uFEFF/, '').split('\n');
  if (lines.length > RULES_MAX)
    throw new InvalidBuild(
      `.dockerignore has ${lines.length} lines; use at most ${RULES_MAX}, and "**" for many files`,
    );
  const parts: { leavesOut: (path: string) => boolean; keeps: (path: string) => boolean }[] = [];
  for (let at = 0; at < lines.length; at += RULES_AT_ONCE) {
    const part = lines.slice(at, at + RULES_AT_ONCE).join('\n');
    const afterAll = /^\s*!/m.test(part) ? ignoreFilter(`**\n${part}`) : () => true;
    parts.unshift({ leavesOut: ignoreFilter(part), keeps: (path) => !afterAll(path) });
    await turn.pass();
  }
  return async (path) => {
    for (const { leavesOut, keeps } of parts) {
      if (leavesOut(path)) return true;
      if (keeps(path)) return false;
      await turn.pass();
    }
    return false;
  };
}

async function* bounded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > SIZE_MAX)
      throw new InvalidBuild(
        `the build context is larger than ${SIZE_MAX} bytes; name what is not needed in .dockerignore`,
      );
    yield Buffer.from(chunk);
  }
}

async function sniff(source: AsyncGenerator<Buffer>) {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < HEAD) {
    const { value, done } = await source.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  async function* whole() {
    if (head.length > 0) yield head;
    yield* source;
  }
  return { compression: compressionOf(head), bytes: whole() };
}
