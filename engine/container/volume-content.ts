/** What a new volume begins with: what the image has where it is mounted. Docker's documentation, "Volumes", "Mounting a volume". */

import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { resolveInTree } from '../image/build/build.ts';
import { copyOut } from '../image/build/copy-out.ts';
import { StackTree } from '../image/build/stack-tree.ts';
import type { ContainerMount } from './mounts.ts';
import type { StateRoot } from './root.ts';

/**
 * Fill the volumes among `mounts` that are new or empty. One that is new is there as a whole or not at all; one that is
 * there, and may be mounted somewhere, is filled in place.
 * @param lower the directories of the image's layers, topmost first.
 */
export async function fillVolumes(root: StateRoot, mounts: ContainerMount[], lower: string[]): Promise<void> {
  const tree = new StackTree(lower);
  for (const { type, copy, source, destination } of mounts) {
    if (type !== 'volume' || !copy || !isEmpty(source)) continue;
    const inImage = resolveInTree(tree, destination);
    if (inImage === undefined || tree.entry(inImage)?.type !== 'directory') continue;
    if (fs.existsSync(source)) await copyOut(tree, inImage, source);
    else await makeFilled(root, source, (made) => copyOut(tree, inImage, made));
  }
}

/** What is half made lies among the builds, which a daemon that begins sweeps. */
async function makeFilled(root: StateRoot, source: string, fill: (directory: string) => Promise<void>): Promise<void> {
  const made = path.join(root.builds, randomUUID());
  try {
    await fill(made);
    fs.mkdirSync(path.dirname(source), { recursive: true, mode: 0o755 });
    fs.renameSync(made, source);
  } catch (error) {
    // Another container that is made at the same time may have been faster.
    if (isEmpty(source)) throw error;
  } finally {
    fs.rmSync(made, { recursive: true, force: true });
  }
}

/** Or not there. */
function isEmpty(directory: string): boolean {
  try {
    return fs.readdirSync(directory).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}
