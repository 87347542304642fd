/** How the judge hands stacks to the plank `overlay`. Mounts are made in the subject's own namespace, where the judge looks at them. */

import * as fs from 'node:fs';
import type { Change, OverlayStack, Owner } from '#contract/overlay';
import { mount } from '#kernel/mounts';
import { changesOf, makeRootDirectories, overlayData } from '#overlay';
import { layerIn } from '../../engine/runtime/layer-directory.ts';
import { type Entries, layerOf } from './testing/entries.ts';

/** Task 1 alone: what the plank says of the stack goes to the kernel as it is. */
export function mountByData(target: string, stack: OverlayStack): void {
  mount({ source: 'overlay', target, type: 'overlay', data: overlayData(stack, true) });
}

export function makeWithUmask(umask: number, root: { upper: string; work: string }, like: string, owner?: Owner): void {
  const before = process.umask(umask);
  try {
    makeRootDirectories(root, like, owner);
  } finally {
    process.umask(before);
  }
}

/** @param lowers topmost first. */
export function changesOfEntries(upper: Entries, lowers: Entries[]): Change[] {
  return changesOf(layerOf(upper), lowers.map(layerOf));
}

/** @param stacks each with the upper first. */
export function changesOfAll(stacks: [upper: Entries, ...lowers: Entries[]][]): Change[][] {
  return stacks.map(([upper, ...lowers]) => changesOfEntries(upper, lowers));
}

export function changesOnDisk(upper: string, lowers: string[]): Change[] {
  return changesOf(layerIn(upper), lowers.map(layerIn));
}

/** What a program in the container would do, step by step. */
export type Step =
  | { write: string; text: string }
  | { append: string; text: string }
  | { mkdir: string }
  | { remove: string }
  | { chmod: string; mode: number }
  | { chown: string; uid: number; gid: number }
  | { link: string; target: string }
  | { rename: string; to: string };

/** A new directory `place` with these trees in it. */
export function makeTrees(place: string, trees: Record<string, Step[]>): void {
  fs.mkdirSync(place);
  for (const [name, steps] of Object.entries(trees)) {
    fs.mkdirSync(`${place}/${name}`);
    work(`${place}/${name}`, steps);
  }
}

/** Another file system below a layer, with one file in it. */
export function mountTmpfs(target: string, name: string): void {
  mount({ source: 'tmpfs', target, type: 'tmpfs' });
  fs.writeFileSync(`${target}/${name}`, '');
}

export function work(root: string, steps: Step[]): void {
  for (const step of steps) {
    if ('write' in step) fs.writeFileSync(`${root}/${step.write}`, step.text);
    else if ('append' in step) fs.appendFileSync(`${root}/${step.append}`, step.text);
    else if ('mkdir' in step) fs.mkdirSync(`${root}/${step.mkdir}`);
    else if ('remove' in step) fs.rmSync(`${root}/${step.remove}`, { recursive: true });
    else if ('chmod' in step) fs.chmodSync(`${root}/${step.chmod}`, step.mode);
    else if ('chown' in step) fs.chownSync(`${root}/${step.chown}`, step.uid, step.gid);
    else if ('link' in step) fs.symlinkSync(step.target, `${root}/${step.link}`);
    else fs.renameSync(`${root}/${step.rename}`, `${root}/${step.to}`);
  }
}
