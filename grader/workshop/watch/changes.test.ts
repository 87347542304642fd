import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchForChanges } from './changes.ts';

let folder: string;
let file: string;
let stop = () => {};
let changes: number;
const notes: string[] = [];

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'watch-'));
  file = path.join(folder, 'plank.ts');
  fs.writeFileSync(file, 'one');
  changes = 0;
  notes.length = 0;
  stop = watchForChanges(
    file,
    () => changes++,
    (why) => notes.push(why),
  );
});
afterEach(() => {
  stop();
  fs.rmSync(folder, { recursive: true });
});

const changed = (times: number) => vi.waitFor(() => expect(changes).toBe(times), { timeout: 60_000, interval: 5 });

test('a save in place is one change, however many writes it takes', async () => {
  const fd = fs.openSync(file, 'w');
  for (const piece of ['t', 'w', 'o']) fs.writeSync(fd, piece);
  fs.closeSync(fd);
  await changed(1);
  fs.writeFileSync(file, 'three');
  await changed(2);
  expect(notes).toEqual([]);
});

test('a save by renaming a new file over the old one is seen, and the next one too', async () => {
  for (const times of [1, 2]) {
    fs.writeFileSync(`${file}~`, `version ${times}`);
    fs.renameSync(`${file}~`, file);
    await changed(times);
  }
});

test('other files of the folder change nothing', async () => {
  fs.writeFileSync(path.join(folder, 'other.ts'), 'x');
  fs.writeFileSync(file, 'two');
  await changed(1);
});

test('where no event arrives the file is polled, which is said once', async () => {
  // A write by another name of the same file tells the folder of this name nothing.
  const elsewhere = fs.mkdtempSync(path.join(os.tmpdir(), 'watch-'));
  const otherName = path.join(elsewhere, 'same');
  fs.linkSync(file, otherName);
  // The link itself is an event of neither content nor folder.
  fs.writeFileSync(otherName, 'two');
  await changed(1);
  fs.writeFileSync(otherName, 'three!');
  await changed(2);
  expect(notes).toEqual(['this file system sends no events']);
  fs.rmSync(elsewhere, { recursive: true });
});
