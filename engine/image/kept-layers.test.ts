import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import { KeptLayers } from './kept-layers.ts';

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-kept-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

test('what cannot be read is passed over, and what makes no sense is removed', () => {
  const kept = new KeptLayers(directory);
  const [blob, other, third] = ['blob', 'other', 'third'].map((text) => digestOf(text));
  const layer = { digest: blob!, diffId: other! };
  kept.add(layer);
  const file = (digest: string) => path.join(directory, digest.slice('sha256:'.length));
  // Cut off by a crash; a name that is not a digest; a directory; a link to what is not there.
  fs.writeFileSync(file(other!), 'sha256:12');
  fs.writeFileSync(path.join(directory, 'notes'), blob!);
  fs.mkdirSync(path.join(directory, 'folder'));
  fs.symlinkSync('nowhere', file(third!));
  expect(kept.list()).toEqual([layer]);
  expect(fs.existsSync(file(other!))).toBe(false);
  expect(fs.existsSync(path.join(directory, 'notes'))).toBe(false);
  expect(kept.forget('all')).toEqual([layer]);
  expect(kept.list()).toEqual([]);
});
