/** Work on many files lets the thread go on in between. What is counted are turns of the event loop, not milliseconds. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ArchiveEntry, packArchive } from './archive.ts';
import { copyOut } from './build/copy-out.ts';
import { copyEntries } from './build/destination.ts';
import { describeSources } from './build/sources.ts';
import { StackTree } from './build/stack-tree.ts';
import { applyLayer } from './layer.ts';
import { sortInTurns, Turn } from './turn.ts';

const FILES = 20_000;
/** Turns of the loop that so many files leave at the least: they take seconds, and a turn some milliseconds. */
const LEAST = 20;

let directory: string;
beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-turns-'));
});
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

/** How often the loop came round while `work` was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const count = () => {
    turns++;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  await work();
  over = true;
  return turns;
}

function* entries(): Generator<ArchiveEntry> {
  const mtime = new Date(0);
  for (let file = 0; file < FILES; file++) {
    if (file % 500 === 0) yield { type: 'directory', path: `d${file / 500}`, mode: 0o755, mtime };
    yield { type: 'file', path: `d${Math.floor(file / 500)}/${file}`, mode: 0o644, mtime, content: 'x' };
  }
}

test('an archive of many small files is packed, unpacked, described, copied and laid into an image in turns', async () => {
  const context = path.join(directory, 'context');
  fs.mkdirSync(context);
  const steps: Record<string, () => Promise<unknown>> = {
    unpack: () => applyLayer(packArchive(entries()), context, { whiteouts: 'remove' }),
    describe: () => describeSources([{ tree: new StackTree([context]), name: 'x', path: '' }]),
    copy: () => copyOut(new StackTree([context]), '', path.join(directory, 'copy')),
    lay: async () => {
      const sources = [{ tree: new StackTree([context]), name: 'x', path: '' }];
      const request = { sources, inline: [], destination: '/x/', owner: undefined, mode: undefined, time: new Date(0) };
      const made = await copyEntries(new StackTree([]), request);
      expect(made.length).toBe(FILES + FILES / 500 + 1);
      for await (const chunk of packArchive(made)) expect(chunk.length).toBeGreaterThan(0);
    },
  };
  for (const [name, step] of Object.entries(steps)) expect(await turnsDuring(step), name).toBeGreaterThan(LEAST);
});

test('property: entries that are sorted in turns are in the order of Array.sort', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(50), { maxLength: 6000, size: 'max' }), async (numbers) => {
      const list = numbers.map((number, at) => ({ key: String.fromCharCode(number), at }));
      const sorted = await sortInTurns(list, ({ key }) => key, new Turn());
      const wanted = [...list].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      expect(sorted).toEqual(wanted);
    }),
    { numRuns: 20 },
  );
});
