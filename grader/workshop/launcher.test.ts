import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Clone, makeClone } from './testing/clone.ts';

let clone: Clone;
beforeAll(() => {
  clone = makeClone();
  expect(clone.run('workshop', 'progress')).toMatchObject({ status: 0, stderr: '' });
});
beforeEach(() => {
  clone.git('checkout', '--quiet', '--', 'labs');
});
afterAll(() => clone?.remove());

const bundle = () => path.join(clone.home, '.build/default/workshop.cjs');
const help = (command: string, cwd = clone.home) =>
  spawnSync(command, ['--help'], { cwd, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });

describe('a launcher', () => {
  test('finds its clone through chains of symbolic links and names with spaces', () => {
    const folder = fs.mkdtempSync(path.join(clone.home, '..', 'links '));
    fs.symlinkSync(path.join(clone.home, 'workshop'), path.join(folder, 'one'));
    fs.symlinkSync('one', path.join(folder, 'two'));
    expect(help(path.join(folder, 'two'), '/').stdout).toContain('Usage: workshop');
    expect(help('./two', folder).stdout).toContain('Usage: workshop');
  });

  test.each(['workshop', 'grade', 'skiff'])(
    '%s says it when its output cannot be written, and no more than that',
    (name) => {
      const shell = (line: string) =>
        spawnSync('bash', ['-c', line, path.join(clone.home, name)], { encoding: 'utf8' });
      const full = shell('"$0" --help > /dev/full');
      expect(full.stderr).toBe(`${name}: the output cannot be written: no space left on device\n`);
      expect(full.status).toBe(1);
      const closed = shell('"$0" --help | true; echo "$PIPESTATUS"');
      expect(closed.stderr).toBe('');
      expect(['0\n', '141\n']).toContain(closed.stdout);
    },
  );

  test('builds again when a source is newer, and only then', () => {
    const before = fs.statSync(bundle()).mtimeMs;
    expect(clone.run('workshop', '--help').status).toBe(0);
    expect(fs.statSync(bundle()).mtimeMs).toBe(before);

    const source = 'grader/workshop/main.ts';
    const text = clone.read(source);
    clone.write(source, text.replace('lab by lab.', 'lab by changed lab.'));
    expect(clone.run('workshop', '--help').stdout).toContain('lab by changed lab.');
    clone.write(source, text);
  });

  test('when many start at once after a change each runs a whole bundle', async () => {
    fs.rmSync(path.join(clone.home, '.build/default'), { recursive: true });
    const started = Array.from({ length: 6 }, () => clone.start('workshop', ['--help'], { stdio: 'ignore' }));
    const ended = started.map((child) => new Promise((resolve) => child.once('close', resolve)));
    expect(await Promise.all(ended)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(fs.readdirSync(path.dirname(bundle())).filter((name) => /\.\d+$/.test(name))).toEqual([]);
  });

  test('a source that does not compile is named by file and line, and stops only the commands that need it', () => {
    const source = 'grader/workshop/home.ts';
    const good = clone.read(source);
    clone.write(source, 'const half = ;\n');
    const broken = clone.run('workshop', 'list');
    expect(broken).toMatchObject({ status: 1, stdout: '' });
    expect(broken.stderr).toContain('grader/workshop/home.ts:1:14: Unexpected ";"');
    expect(clone.run('skiff', '--version').status).toBe(0);
    clone.write(source, good);
    expect(clone.run('workshop', 'list')).toMatchObject({ status: 0, stderr: '' });
  });

  test('without node it says so and what to do', () => {
    const { status, stderr } = spawnSync('/bin/sh', [path.join(clone.home, 'workshop')], {
      encoding: 'utf8',
      env: { PATH: path.join(clone.home, 'labs') },
    });
    expect(status).toBe(1);
    expect(stderr).toContain('Node.js is not installed. Install version 20.19 or newer');
  });

  test('an old node is refused by its version', () => {
    const folder = fs.mkdtempSync(path.join(clone.home, '..', 'old-node-'));
    fs.writeFileSync(path.join(folder, 'node'), '#!/bin/sh\n[ "$1" = --version ] && echo v18.2.0\nexit 1\n', {
      mode: 0o755,
    });
    const { status, stderr } = spawnSync(path.join(clone.home, 'workshop'), [], {
      encoding: 'utf8',
      env: { PATH: `${folder}:${process.env.PATH}` },
    });
    expect(status).toBe(1);
    expect(stderr).toContain(`Node.js v18.2.0 at ${folder}/node is too old`);
  });
});

describe('the build', () => {
  const build = (...args: string[]) =>
    spawnSync(process.execPath, [path.join(clone.home, 'engine/build.mjs'), ...args], { encoding: 'utf8' });

  test("with conditions the learner's plank is in the engine, and the engine's own is not", () => {
    const file = 'labs/01-process/process.ts';
    clone.write(
      file,
      clone
        .read(file)
        .replace(/^/, 'export const mark = () => "a learner was here";\n')
        .replace(/throw new NotImplemented\('process', 1\)/, 'throw new Error(mark())'),
    );
    expect(build('--conditions', 'lab-process')).toMatchObject({ status: 0, stderr: '' });
    const swapped = clone.read('.build/lab-process/shim.cjs');
    expect(swapped).toContain('a learner was here');
    expect(clone.read('.build/default/shim.cjs')).not.toContain('a learner was here');
  });

  test("a plank that does not compile is named as the learner's", () => {
    clone.write('labs/01-process/process.ts', 'export function wait( {\n');
    const { status, stderr } = build('--conditions', 'lab-process', '--need', 'skiff');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Your plank does not compile\.\nlabs\/01-process\/process\.ts:\d+:\d+: /);
  });

  test('a condition that names no plank is rejected', () => {
    expect(build('--conditions', '../../etc')).toMatchObject({ status: 2 });
    expect(build('--need', 'nothing')).toMatchObject({ status: 2 });
  });
});
