import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Digest } from './digest.ts';
import { Garbage } from './garbage.ts';
import { Snapshots } from './snapshots.ts';
import { Store } from './store.ts';

let directory: string;
let store: Store;
let garbage: Garbage;
beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-garbage-'));
  store = await Store.open(directory);
  garbage = new Garbage(store, await Snapshots.open(path.join(directory, 'snapshots')));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

async function discarded(count: number): Promise<Digest[]> {
  const blobs: Digest[] = [];
  for (let each = 0; each < count; each += 1) blobs.push((await store.put(`blob ${each}`)).digest);
  garbage.discard({ blobs });
  return blobs;
}

test('a sweep stops when a hold begins, and the rest goes after it', async () => {
  const blobs = await discarded(30);
  const sweeping = garbage.sweep([]);
  const release = garbage.hold();
  // The first one is being deleted, the last one not yet; both are stored under the hold.
  for (const each of [0, 29]) await store.put(`blob ${each}`);
  await sweeping;
  expect(await store.has(blobs[0]!)).toBe(true);
  expect(await store.has(blobs[29]!)).toBe(true);
  expect(release()).toBe(true);
  await garbage.sweep([]);
  expect(await store.list()).toEqual([blobs[0]]);
  expect(fs.readdirSync(path.join(directory, 'scratch'))).toEqual([]);
});

test('what is not there any more does not stop a sweep', async () => {
  const [first, second] = await discarded(2);
  await store.remove(first!);
  await garbage.sweep([]);
  expect(await store.has(second!)).toBe(false);
});
