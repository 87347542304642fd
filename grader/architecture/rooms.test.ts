/** The rule on the door: imports only lead downward, and never in a circle. docs/architecture.md says why. */

import { execFileSync } from 'node:child_process';
import { builtinModules } from 'node:module';
import { describe, expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import { circles, type Import, importsOf } from './imports.ts';
import { breaches, roomOf, rooms } from './rooms.ts';

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', '*.ts'], {
  cwd: home,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /^(engine|grader|labs|solutions)\//.test(file))
  .filter((file) => !/\/(testdata|wrong|correct)\//.test(file));
const imports = importsOf(home, files);

describe('the rooms', () => {
  test('import only from below', () => {
    expect(breaches(imports)).toEqual([]);
  });

  test('have no circles, types included', () => {
    expect(circles(imports)).toEqual([]);
  });

  test('are all of the engine, so that no file escapes the rule', () => {
    const sources = files.filter((file) => /^engine\/.*\//.test(file));
    expect(sources.filter((file) => roomOf(file) === undefined)).toEqual([]);
    expect(imports.length).toBeGreaterThan(3000);
  });
});

describe('the rule catches', () => {
  const indices = rooms.map((_, index) => index);

  test.each(indices.slice(0, -1).map((index) => [rooms[index]!.folder, index] as const))(
    'an import upward from %s, also of a plank and of a type',
    (folder, index) => {
      const from = `${folder}/new.ts`;
      const upward: Import[] = [{ from, to: `${rooms[index + 1]!.folder}/some.ts`, line: 1 }];
      expect(breaches(upward)).toHaveLength(1);
    },
  );

  test.each([
    ['engine/kernel/new.ts', "import { applyLayer } from '#layer';"],
    ['engine/runtime/new.ts', "import { cacheKey } from '#build';"],
    ['engine/cli/new.ts', "import { spawn } from '#process';"],
    ['engine/kernel/new.ts', "import type { Spec } from '#spec';"],
    ['engine/runtime/new.ts', "export type { ImageRecord } from '../image/images.ts';"],
    ['engine/image/new.ts', "const later = await import('../daemon/daemon.ts');"],
    ['engine/daemon/new.ts', "import koffi from 'koffi';"],
    ['engine/image/new.ts', "import { draw } from '../../labs/08-layer/layer.ts';"],
  ])('in %s: %s', (file, text) => {
    expect(breaches(importsOf(home, [file], () => text))).toHaveLength(1);
  });

  test('a circle of two files, of three, and of one with itself', () => {
    const edge = (from: string, to: string): Import => ({ from, to, line: 1 });
    expect(circles([edge('a', 'b'), edge('b', 'c'), edge('c', 'a'), edge('d', 'a')])).toEqual([['a', 'b', 'c']]);
    expect(circles([edge('a', 'b'), edge('b', 'a'), edge('e', 'e')])).toEqual([['a', 'b'], ['e']]);
  });
});

test('every package that is imported is in package.json', async () => {
  const { default: manifest } = await import('../../package.json', { with: { type: 'json' } });
  const known = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  const outside = imports.filter(({ to }) => !/^(node:|engine|grader|labs|solutions|package\.json)/.test(to));
  const packages = outside.map(({ to }) =>
    to
      .split('/')
      .slice(0, to.startsWith('@') ? 2 : 1)
      .join('/'),
  );
  expect([...new Set(packages)].filter((name) => !known.includes(name) && !builtinModules.includes(name))).toEqual([]);
});
