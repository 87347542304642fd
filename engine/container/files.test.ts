import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AtomicFile, writeAtomically } from './atomic-file.ts';
import { acquireLock } from './lock.ts';
import { defaultRootDirectory, openRoot } from './root.ts';
import { Trash } from './trash.ts';

let base: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-files-'));
});
afterEach(() => fs.rmSync(base, { recursive: true }));

test('a write that fails leaves the old content', async () => {
  const file = path.join(base, 'file');
  await writeAtomically(file, 'old');
  fs.mkdirSync(`${file}.new`);
  await expect(writeAtomically(file, 'new')).rejects.toThrow();
  expect(fs.readFileSync(file, 'utf8')).toBe('old');
});

test('of many saves the last one stays, and each is waited for until it or a newer one is there', async () => {
  const file = path.join(base, 'file');
  const atomic = new AtomicFile(file);
  const saves = Array.from({ length: 50 }, async (_, number) => {
    await atomic.save(() => String(number));
    expect(Number(fs.readFileSync(file, 'utf8'))).toBeGreaterThanOrEqual(number);
  });
  await Promise.all(saves);
  expect(fs.readFileSync(file, 'utf8')).toBe('49');
  expect(fs.readdirSync(base)).toEqual(['file']);
});

test('a file that is closed is not written any more', async () => {
  const file = path.join(base, 'file');
  const atomic = new AtomicFile(file);
  const saving = atomic.save(() => 'one');
  await atomic.close();
  await saving;
  fs.rmSync(file);
  await atomic.save(() => 'two');
  expect(fs.readdirSync(base)).toEqual([]);
});

test('what is thrown away is gone from its place at once, and from the disk soon', async () => {
  const warnings: string[] = [];
  const trash = new Trash(path.join(base, 'trash'), (message) => warnings.push(message));
  for (const name of ['a', 'b']) fs.mkdirSync(path.join(base, name, 'deep'), { recursive: true });
  trash.discard(path.join(base, 'a'));
  trash.discard(path.join(base, 'b'));
  trash.discard(path.join(base, 'nothing'));
  expect(fs.readdirSync(base)).toEqual(['trash']);
  await trash.emptied(60_000);
  expect(fs.readdirSync(path.join(base, 'trash'))).toEqual([]);
  expect(warnings).toEqual([]);
});

test('what an earlier daemon did not get to remove is removed by the next', async () => {
  fs.mkdirSync(path.join(base, 'trash', 'left', 'behind'), { recursive: true });
  await new Trash(path.join(base, 'trash'), () => {}).emptied(60_000);
  expect(fs.readdirSync(path.join(base, 'trash'))).toEqual([]);
});

test('a lock is held against everyone, this process included, until it is released', () => {
  const file = path.join(base, 'lock');
  const lock = acquireLock(file);
  expect(() => acquireLock(file)).toThrow(new RegExp(`Another daemon \\(process ${process.pid}\\)`));
  lock.release();
  acquireLock(file).release();
});

test('a root opened by two names is one root, and shows nothing of its containers to others', () => {
  const dir = path.join(base, 'root');
  const root = openRoot(dir);
  fs.symlinkSync(dir, path.join(base, 'link'));
  expect(openRoot(path.join(base, 'link'))).toEqual(root);
  expect(fs.statSync(root.containers).mode & 0o077).toBe(0);
  expect(fs.statSync(root.volumes).mode & 0o077).toBe(0);
});

test('SKIFF_ROOT says where the root is, else it depends on who one is', () => {
  expect(defaultRootDirectory({ SKIFF_ROOT: '/some/where' })).toBe('/some/where');
  const mine = process.getuid?.() === 0 ? '/var/lib/skiff' : '/data/skiff';
  expect(defaultRootDirectory({ XDG_DATA_HOME: '/data' })).toBe(mine);
});
