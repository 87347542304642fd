import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'skiff-fork-'));
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  buildSync({
    entryPoints: [resolve('engine/kernel/testdata/forks.ts')],
    outfile: join(directory, 'forks.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['koffi'],
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const forks = (...args: string[]) =>
  JSON.parse(
    execFileSync(process.execPath, ['--single-threaded', '--v8-pool-size=0', join(directory, 'forks.mjs'), ...args], {
      encoding: 'utf8',
    }),
  );

describe.skipIf(process.getuid?.() !== 0)('fork (needs root for new namespaces)', () => {
  test('200 children of a process with a churning heap all run JavaScript, and their exit codes arrive', () => {
    expect(forks('200').statuses).toEqual({ 'as told': 200 });
  });

  test('what a child does to its UTS namespace stays there', () => {
    expect(forks('3').hostname).toBe(hostname());
  });

  test('a child that throws ends with 125 and never goes on as a second parent', () => {
    expect(forks('2', 'throws').statuses).toEqual({ [`wait status ${125 << 8}`]: 2 });
  });
});
