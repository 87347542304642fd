/** Hidden tests, as an instructor writes them and a submission meets them. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import type { Report } from '../report.ts';

const LAB = '00-what-is-a-container';
const FILE = `labs/${LAB}/membership.ts`;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-hidden-'));
const pack = path.join(folder, 'pack');
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const put = (name: string, text: string) => {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  fs.writeFileSync(path.join(folder, name), text);
};
const solution = fs.readFileSync(path.join(home, 'solutions', LAB, 'membership.ts'), 'utf8');

const SUITE = `
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSubject } from '#harness/suite';
let subject;
beforeAll(async () => { subject = await openSubject(); });
afterAll(async () => { await subject?.[Symbol.asyncDispose](); });
const parse = (link) => subject.call('parseNamespaceLink', link);
test('a link of the secret kind', async () => expect(await parse('uts:[4711]')).toEqual({ name: 'uts', inode: 4711 }));
test('a second secret', async () => expect(await parse('net:[4712]')).toEqual({ name: 'net', inode: 4712 }));
test('an open one', async () => expect(await parse('pid:[4713]')).toEqual({ name: 'pid', inode: 4713 }));
`;
const TESTS = {
  schema: 'skiff/hidden/v1',
  tests: [
    { title: 'a link of the secret kind', points: 5 },
    { title: 'a second secret', points: 3, feedback: 'title' },
    { title: 'an open one', points: 2, feedback: 'full' },
  ],
};

function grade(...args: string[]) {
  return spawnSync(path.join(home, 'grade'), args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
}

function hiddenTask(name: string) {
  const { stdout, stderr } = grade('check', name, '--hidden', 'pack', '--json', '-');
  const report = JSON.parse(stdout) as Report;
  expect(stderr).not.toContain('secret kind');
  return { report, task: report.labs[0]!.tasks.at(-1)! };
}

const copies = () => fs.readdirSync(path.join(home, '.workshop')).filter((name) => name.startsWith(`hidden-`));

beforeAll(() => {
  put(`pack/${LAB}/hidden.test.ts`, SUITE);
  put(`pack/${LAB}/hidden.json`, JSON.stringify(TESTS));
  put(`honest/${FILE}`, solution);
});

test('count beside the public ones, and leave no copy', () => {
  const { report, task } = hiddenTask('honest');
  expect(report).toMatchObject({ points: 110, maxPoints: 110, ungradedPoints: 0 });
  expect(task).toMatchObject({ title: 'Hidden tests', outcome: 'passed', points: 10, maxPoints: 10 });
  expect(task.tests.map(({ title }) => title)).toEqual(['hidden test 1', 'a second secret', 'an open one']);
  expect(copies().filter((name) => !fs.existsSync(`/proc/${name.split('-')[1]}`))).toEqual([]);
});

test('tell a student who fails them as much as the instructor allowed, and nothing of what they asked', () => {
  const wrong = solution.replace('export function parseNamespaceLink', 'function honest');
  put(`wrong/${FILE}`, `${wrong}\nexport function parseNamespaceLink(link) { throw new Error('asked ' + link); }\n`);
  const { report, task } = hiddenTask('wrong');
  expect(task.points).toBe(0);
  const [none, title, full] = task.tests;
  expect(none).toMatchObject({ title: 'hidden test 1', outcome: 'failed' });
  expect(title).toMatchObject({ title: 'a second secret', outcome: 'failed' });
  for (const each of [none, title]) {
    expect(each!.message).toBe('A hidden test failed. Read the invariants of the chapter again.');
    expect(each!.evidence).toBeUndefined();
  }
  expect(full!.message).toContain('asked pid:[4713]');
  expect(JSON.stringify(report)).not.toMatch(/4711|4712|secret kind/);
});

test('are not told by a module that remembers what it was asked, nor by how long it takes', () => {
  put(
    `diary/${FILE}`,
    `const all = [];
${solution.replace('export function parseNamespaceLink', 'function honest')}
export function parseNamespaceLink(link) {
  all.push(link);
  console.log('asked', all.join(' '));
  if (link === 'pid:[4713]') throw new Error(all.join(' '));
  return honest(link);
}
`,
  );
  const { report, task } = hiddenTask('diary');
  expect(task.tests.map(({ outcome }) => outcome)).toEqual(['passed', 'passed', 'failed']);
  expect(task.tests[2]!.message).toContain('4713');
  expect(JSON.stringify(report)).not.toMatch(/4711|4712|secret kind/);
  expect(task.tests.slice(0, 2).map(({ durationMs }) => durationMs)).toEqual([0, 0]);
});

test('that the solution does not pass are told before anything is graded', () => {
  const [first, ...rest] = TESTS.tests;
  put(`slip/${LAB}/hidden.test.ts`, SUITE);
  put(
    `slip/${LAB}/hidden.json`,
    JSON.stringify({ ...TESTS, tests: [{ ...first, title: 'a link of a secret kind' }, ...rest] }),
  );
  put(`broken/${LAB}/hidden.test.ts`, `import './helper.ts';\n${SUITE}`);
  put(`broken/${LAB}/hidden.json`, JSON.stringify(TESTS));
  for (const [name, message] of [
    ['slip', /The hidden test "a link of a secret kind" of lab what-is-a-container: the solution does not pass it/],
    ['broken', /the solution does not pass it: The suite does not run/],
  ] as const) {
    const { status, stderr } = grade('check', 'honest', '--hidden', name);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  }
});

test('are not to be found by what they judge', () => {
  put(
    `thief/${FILE}`,
    `import fs from 'node:fs';
const seen = [];
const walk = (at, depth) => {
  let names = [];
  try { names = fs.readdirSync(at); } catch {}
  for (const name of names) {
    if (/hidden|pack/.test(name)) seen.push(at + '/' + name);
    if (depth > 0 && !['proc', 'sys'].includes(name)) walk(at + '/' + name, depth - 1);
  }
};
walk('', 4);
for (const place of ${JSON.stringify([pack, path.join(home, '.workshop')])}) if (fs.existsSync(place)) seen.push(place);
export function parseNamespaceLink() { throw new Error('found ' + JSON.stringify(seen.filter((name) => !name.includes('node')))); }
`,
  );
  const { task } = hiddenTask('thief');
  expect(task.tests[2]!.message).toContain('found []');
});

test('are part of what a batch grades by: another pack is another grade', () => {
  fs.mkdirSync(path.join(folder, 'class'));
  fs.cpSync(path.join(folder, 'honest'), path.join(folder, 'class/ada'), { recursive: true });
  const batch = () => {
    const { stdout, stderr, status } = grade(
      'batch',
      'class',
      '--out',
      'out',
      '--seed',
      '5',
      '--hidden',
      'pack',
      '--json',
    );
    expect(status, stderr).toBe(0);
    return { points: (JSON.parse(stdout) as { submissions: { points: number }[] }).submissions[0]!.points, stderr };
  };
  expect(batch()).toMatchObject({ points: 110, stderr: expect.stringContaining('110 of 110') });
  expect(batch()).toEqual({ points: 110, stderr: '' });
  put(`pack/${LAB}/hidden.json`, JSON.stringify({ ...TESTS, tests: TESTS.tests.slice(0, 2) }));
  expect(batch()).toMatchObject({ points: 108, stderr: expect.stringContaining('108 of 108') });
});

test.each([
  [
    'a pack among the submissions',
    () => put(`honest/pack/${LAB}/hidden.json`, '{}'),
    'honest/pack',
    /lie among the submissions/,
  ],
  ['a pack that is missing', () => {}, 'missing', /The hidden tests missing cannot be read/],
  [
    'a pack of nothing',
    () => put('empty/readme', ''),
    'empty',
    /empty has no hidden tests\. Each lab has a folder there/,
  ],
  [
    'an unknown lab',
    () => put('odd/99-sails/hidden.json', '{}'),
    'odd',
    /hidden tests for 99-sails: folders are called as in labs/,
  ],
  [
    'tests without a suite',
    () => put(`half/${LAB}/hidden.json`, JSON.stringify(TESTS)),
    'half',
    /need .*hidden\.test\.ts/,
  ],
  [
    'a document of something else',
    () => {
      put(`other/${LAB}/hidden.json`, '{"tests":[]}');
      put(`other/${LAB}/hidden.test.ts`, SUITE);
    },
    'other',
    /does not describe hidden tests/,
  ],
])('%s is refused', (_, make, name, message) => {
  make();
  const { status, stderr } = grade('check', 'honest', '--hidden', name);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});
