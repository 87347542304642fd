/** Files of an image, copied out of its layers as they are merged: onto the host, where a container gets them mounted. */

import { copyFile, lutimes, mkdir } from 'node:fs/promises';
import { COPY_FLAGS, type CopiedEntry, copySteps } from '../../runtime/copy-tree.ts';
import { Turn } from '../turn.ts';
import { walk } from './sources.ts';
import type { StackTree } from './stack-tree.ts';

/**
 * @param path in `tree`, without a link on the way.
 * @param to becomes what is at `path`: it is made, or is a directory already and becomes like that one. What stays what it
 *   is, and what is left out, is said at `copySteps`.
 */
export async function copyOut(tree: StackTree, path: string, to: string): Promise<void> {
  // The root of an image from scratch is nowhere on the host.
  if (tree.entry(path)?.host === '') {
    await mkdir(to, { recursive: true, mode: 0o755 });
    await lutimes(to, 0, 0);
    return;
  }
  const turn = new Turn();
  for (const content of copySteps(entriesOf(tree, path), to)) {
    if (content) await copyFile(content.from, content.to, COPY_FLAGS);
    await turn.pass();
  }
}

function* entriesOf(tree: StackTree, path: string): Generator<CopiedEntry> {
  for (const { below, entry } of walk({ tree, path })) yield { below, from: entry.host };
}
