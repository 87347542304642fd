import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTree } from './remove-tree.ts';

let base: string;
let tree: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-remove-'));
  tree = path.join(base, 'tree');
  fs.mkdirSync(tree);
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

test('a symbolic link is removed and what it points to stays', async () => {
  const kept = path.join(base, 'kept');
  fs.mkdirSync(kept);
  fs.writeFileSync(path.join(kept, 'file'), 'precious');
  fs.symlinkSync(kept, path.join(tree, 'link'));
  fs.symlinkSync(path.join(kept, 'file'), path.join(tree, 'link-to-file'));
  await removeTree(tree);
  expect(fs.existsSync(tree)).toBe(false);
  expect(fs.readFileSync(path.join(kept, 'file'), 'utf8')).toBe('precious');
});

test('a root that is itself a symbolic link loses only the link', async () => {
  const link = path.join(base, 'link');
  fs.writeFileSync(path.join(tree, 'file'), '');
  fs.symlinkSync(tree, link);
  await removeTree(link);
  expect(fs.readdirSync(base)).toEqual(['tree']);
  expect(fs.readdirSync(tree)).toEqual(['file']);
});

test('names that are not UTF-8, FIFOs and directories of mode 000 are removed', async () => {
  fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe, 0x80])]), '');
  execFileSync('mkfifo', [path.join(tree, 'fifo')]);
  fs.mkdirSync(path.join(tree, 'work', 'work'), { recursive: true });
  fs.chmodSync(path.join(tree, 'work', 'work'), 0o000);
  await removeTree(tree);
  expect(fs.readdirSync(base)).toEqual([]);
});

test('directories nested deeper than a path can be long are removed', async () => {
  const nest =
    "for (let n = 0; n < 60; n++) { fs.mkdirSync('x'.repeat(200)); process.chdir('x'.repeat(200)); } fs.writeFileSync('file', '')";
  execFileSync(process.execPath, ['-e', nest], { cwd: tree });
  await removeTree(tree);
  expect(fs.readdirSync(base)).toEqual([]);
});

test('what is not there is no error', async () => {
  await removeTree(path.join(base, 'nothing'));
});
