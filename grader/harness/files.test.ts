/** What a submission can put in the judge's way, made here by hand. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as files from './files.ts';

let folder: string;
beforeEach(() => {
  // In memory where that is to be had: a disk takes milliseconds to remove a directory.
  folder = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'skiff-files-'));
});
afterEach(() => files.removeTree(folder));

const at = (name: string) => path.join(folder, name);

test('a FIFO, a directory and a socket are not read, and nothing waits for them', () => {
  execFileSync('mkfifo', [at('fifo')]);
  fs.mkdirSync(at('directory'));
  expect(() => files.readFileSync(at('fifo'))).toThrow('fifo should be a regular file; it is a FIFO.');
  expect(() => files.readFileSync(at('directory'))).toThrow('directory should be a regular file; it is a directory.');
  expect(() => files.writeFileSync(at('fifo'), 'x')).toThrow(/ENXIO/);
  expect(() => files.cpSync(folder, `${folder}-copy`, { recursive: true })).toThrow(/is a FIFO/);
  files.removeTree(`${folder}-copy`);
});

test('a link is not copied: a program that reads the copy would follow it', () => {
  fs.symlinkSync('/etc/hostname', at('link'));
  expect(() => files.cpSync(folder, `${folder}-copy`, { recursive: true })).toThrow(
    /link should be a regular file; it is a symbolic link/,
  );
  files.removeTree(`${folder}-copy`);
  fs.rmSync(at('link'));
});

test('a file of 2 GiB of holes is neither read nor copied', () => {
  fs.writeFileSync(at('sparse'), 'x');
  fs.truncateSync(at('sparse'), 2 * 2 ** 30);
  expect(() => files.readFileSync(at('sparse'))).toThrow(/sparse has 2147483648 bytes; the judge reads at most/);
  expect(() => files.cpSync(folder, `${folder}-copy`, { recursive: true })).toThrow(/it is not copied/);
  expect(fs.readdirSync(`${folder}-copy`)).toEqual([]);
  fs.rmdirSync(`${folder}-copy`);
});

test('a file of procfs, whose size is 0, is read', () => {
  expect(files.readFileSync('/proc/self/stat', 'latin1')).toMatch(/^\d+ \(/);
});

test('a directory of too many names is not listed', () => {
  fs.mkdirSync(at('many'));
  for (let n = 0; n <= files.MOST_NAMES; n++) fs.mkdirSync(at(`many/${n}`));
  expect(() => files.readdirSync(at('many'))).toThrow(/many has more than 20000 names/);
  expect(() => files.readdirSync(folder, { recursive: true })).toThrow(/more than 20000 names/);
});

test('a tree deeper than a path can be long, with names that are not UTF-8, is removed', () => {
  const name = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.alloc(198, 'x')]);
  let fd = fs.openSync(folder, fs.constants.O_DIRECTORY);
  for (let depth = 0; depth < 60; depth++) {
    const next = Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
    fs.mkdirSync(next);
    const below = fs.openSync(next, fs.constants.O_DIRECTORY);
    fs.closeSync(fd);
    fd = below;
  }
  fs.writeFileSync(`/proc/self/fd/${fd}/file`, 'x');
  fs.closeSync(fd);
  fs.symlinkSync('/etc', at('link'));
  files.removeTree(folder);
  expect(fs.existsSync(folder)).toBe(false);
  expect(fs.existsSync('/etc/passwd')).toBe(true);
});

test('the paths of a tree are those that node gives, without a link being followed', () => {
  fs.mkdirSync(at('a/b'), { recursive: true });
  fs.writeFileSync(at('a/b/c'), '');
  fs.symlinkSync('/etc', at('a/link'));
  expect(files.readdirSync(folder, { recursive: true }).sort()).toEqual(['a', 'a/b', 'a/b/c', 'a/link']);
});
