import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePathInRoot } from './path-in-root.ts';

let above: string;
let root: string;
beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'skiff-path-'));
  root = join(above, 'root');
  mkdirSync(root);
});
afterEach(() => rmSync(above, { recursive: true, force: true }));

const links: [title: string, target: string, made: string][] = [
  ['an absolute target', '/gone/dir', 'gone/dir'],
  ['a relative target', 'gone/dir', 'gone/dir'],
  ['a target that leaves the root', '../../../../gone', 'gone'],
  ['a target with dots in it', 'gone/./there/..', 'gone'],
];
for (const kind of ['directory', 'file'] as const)
  test.each(links)(`a ${kind} at a link to nothing is made where the link leads: %s`, (_, target, made) => {
    symlinkSync(target, join(root, 'link'));
    makePathInRoot(root, '/link', target.endsWith('..') ? 'directory' : kind);
    const { mode } = statSync(join(root, made));
    expect(mode & 0o777).toBe(kind === 'file' && !target.endsWith('..') ? 0o644 : 0o755);
    expect(readdirSync(above)).toEqual(['root']);
  });

test('a path below a link to nothing, and through several of them, is made within the root', () => {
  symlinkSync('/second/below', join(root, 'first'));
  symlinkSync('../third', join(root, 'second'));
  makePathInRoot(root, '/first/a/b', 'file');
  expect(statSync(join(root, 'third/below/a/b')).isFile()).toBe(true);
  expect(readdirSync(above)).toEqual(['root']);
});

test('two dots behind a link lead to the parent of what it names', () => {
  mkdirSync(join(root, 'deep/er'), { recursive: true });
  symlinkSync('deep/er', join(root, 'link'));
  symlinkSync('link/../made', join(root, 'other'));
  makePathInRoot(root, '/other', 'directory');
  expect(existsSync(join(root, 'deep/made'))).toBe(true);
});

test('the umask does not count', () => {
  const before = process.umask(0o077);
  try {
    makePathInRoot(root, '/a/b', 'directory');
    makePathInRoot(root, '/a/c', 'file');
  } finally {
    process.umask(before);
  }
  expect(['a', 'a/b', 'a/c'].map((name) => statSync(join(root, name)).mode & 0o777)).toEqual([0o755, 0o755, 0o644]);
});

test('loops of links, and paths below a file, are errors', () => {
  symlinkSync('two', join(root, 'one'));
  symlinkSync('one', join(root, 'two'));
  writeFileSync(join(root, 'file'), '');
  expect(() => makePathInRoot(root, '/one/a', 'directory')).toThrow(/ELOOP/);
  expect(() => makePathInRoot(root, '/file/a', 'directory')).toThrow(/ENOTDIR/);
  symlinkSync('grow/x', join(root, 'grow'));
  expect(() => makePathInRoot(root, '/grow', 'directory')).toThrow(/ELOOP/);
});
