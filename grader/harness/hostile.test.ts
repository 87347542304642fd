/** Submissions that try to get a grade by other means, or to do harm. Each fails, and nothing else is disturbed. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLabs } from '../lab.ts';
import { markdownReport } from '../render/markdown.ts';
import type { LabReport } from '../report.ts';
import { home } from './home.ts';
import { Judge } from './judge-client.ts';
import { runLab } from './run-lab.ts';

const folder = path.join(home, 'grader/harness/testdata/hostile');
const labs = readLabs(home);
const lab = (id: string) => labs.find((each) => each.id === id)!;
const pure = lab('what-is-a-container');

/** Files of this machine that anybody may write, if only he can find them. */
const canaries = [os.tmpdir(), path.join(home, '.build')].map((at) => path.join(at, `report-${process.pid}.json`));
const CANARY = '{"outcome":"failed"}';
let judge: Judge;

/** A folder with a FIFO: what opens it waits for ever. */
const pipes = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-pipes-'));
execFileSync('mkfifo', [path.join(pipes, 'fifo.txt')]);

beforeAll(async () => {
  judge = new Judge();
  await judge.warmUp();
  for (const canary of canaries) {
    fs.writeFileSync(canary, CANARY);
    fs.chmodSync(canary, 0o666);
  }
});
afterAll(async () => {
  await judge[Symbol.asyncDispose]();
  for (const canary of canaries) fs.rmSync(canary);
  fs.rmSync(pipes, { recursive: true });
});

/** What each attack is answered with. Every test fails with a sentence; the one given is among them. */
const attacks: [name: string, sentence: RegExp, labId?: string, patience?: number][] = [
  ['imports-vitest', /the import of "vitest" is refused: a lab is one file/],
  ['overrides-expect', /passed: should be absent, is true/],
  ['patches-builtins', /is cannot be replaced while a module is checked/],
  ['patches-one-by-one', /replaced: not one/],
  ['evals', /in reach: none of the names/],
  ['globs-solution', /the import of "..\/..\/solutions\/.*" is refused/],
  ['globs-engine', /the import of "..\/..\/engine\/.*" is refused/],
  ['reads-by-attribute', /the import of ".*\/etc\/sha\*" is refused/],
  ['exits', /process that runs your module is gone: it ended with exit code 0/],
  ['exits-at-import', /process that runs your module is gone: it ended with exit code 0/],
  ['loops', /did not return within 1 seconds/],
  ['loops-at-import', /module was not loaded within \d+ seconds/],
  ['never-resolves', /did not return within 1 seconds/],
  ['rewrites-report', /should be/],
  ['reads-answers', /found nothing/],
  ['pretends', /it is shared/, 'namespaces'],
  ['floods', /sent a line of more than 1 MiB to the judge, and was ended/],
  ['floods-output', /printed more than 16 MiB and was ended/],
  ['forges', /sent an answer to a question|sent a message of an unknown shape/],
  ['forges-ids', /sent an answer to a question \(77\) that was not asked/],
  ['pretends-unsupported', /this machine lacks everything/],
  ['kills-everyone', /should be/],
  ['fork-bomb', /should be|did not return/],
  // A machine may need seconds to fill so much memory.
  ['memory-bomb', /used more memory than the sandbox has/, pure.id, 30_000],
  ['fills-disk', /should be|did not return/],
  ['huge-answer', /should be/],
  ['deep-answer', /was ended|should be|did not return/],
  ['imports-host-file', /the import of "\/etc\/passwd" is refused/],
  ['imports-host-json', /the import of "..\/..\/package.json" is refused/],
  ['imports-solution', /the import of "..\/..\/solutions\/.*" is refused/],
  ['imports-engine-plank', /the import of "#membership" is refused/],
  ['requires-solution', /the import of "..\/..\/solutions\/.*" is refused/],
  ['throws-at-import', /throws while it is loaded: Error: no such luck/],
  ['exports-nothing', /exports no function named parseNamespaceLink/],
  ['does-not-compile', /membership\.ts:\d+:\d+: does not compile/],
  ['escapes-terminal', /✔ passed/],
];

describe('a hostile submission earns nothing', () => {
  test.each(attacks)('%s', async (name, sentence, labId = pure.id, patience = 1_000) => {
    const report = await runLab({ lab: lab(labId), file: path.join(folder, `${name}.mjs`), judge, patience });
    const tests = report.tasks.flatMap((task) => task.tests);
    expect(report.points, messages(report)).toBe(0);
    expect(report.ungradedPoints, messages(report)).toBe(0);
    for (const task of report.tasks) expect(task.outcome, messages(report)).toBe('failed');
    expect(
      tests.some(({ message }) => sentence.test(message ?? '')),
      messages(report),
    ).toBe(true);
    for (const { outcome, message } of tests) if (outcome === 'failed') expect(message).not.toBe('');
    for (const canary of canaries) expect(fs.readFileSync(canary, 'utf8')).toBe(CANARY);
    expect(messages(report)).not.toMatch(/root:/);
  });

  const broken = 'export function parseNamespaceLink(link) { return { name: link }';
  const doubling = Array.from({ length: 29 }, (_, n) => `A${n + 1} = \`\${A${n}}\${A${n}}\`,`).join('\n');
  const againstTheCompiler: [name: string, text: string, sentence: RegExp][] = [
    [
      'a comment that names a file of the host',
      `${broken}\n//# sourceMappingURL=../../../../../../etc/passwd`,
      /:\d+:\d+: does not compile/,
    ],
    [
      'a comment that names a file without end',
      `${broken}\n//# sourceMappingURL=file:///dev/zero`,
      /:\d+:\d+: does not compile/,
    ],
    [
      'constants that double',
      `export enum E { A0 = 'aaaaaaaaaaaaaaaa',\n${doubling} }`,
      /compiles to more than|ran out of time, memory or stack|to compile/,
    ],
    ['brackets without end', '('.repeat(1_000_000), /cannot be compiled|does not compile|to compile/],
  ];
  const named = (load: string) => `const x = String(process.pid);\nexport const parseNamespaceLink = () => ${load};`;
  const text = ', { with: { type: "text" } }';
  againstTheCompiler.push(
    ['a pattern that meets a FIFO', named(`import(\`../../../../../../../..${pipes}/\${x}\`${text})`), /is refused/],
    ['a pattern over /proc', named(`import(\`../../../../../../../../proc/\${x}\`${text})`), /is refused/],
    [
      'a pattern over everything',
      named(`import(\`../../../../../../../../\${x}\`${text})`),
      /is refused|more than 8 MiB|ran out of|in bundle/,
    ],
  );
  test.each(againstTheCompiler)(
    '%s, against the compiler',
    async (_, text, sentence) => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-compiler-'));
      try {
        const file = path.join(folder, 'membership.ts');
        fs.writeFileSync(file, text);
        const report = await runLab({ lab: pure, file, judge });
        expect(report.points).toBe(0);
        expect(report.ungradedPoints, messages(report)).toBe(0);
        expect(messages(report)).toMatch(sentence);
        expect(messages(report)).not.toMatch(/root:/);
      } finally {
        fs.rmSync(folder, { recursive: true });
      }
    },
    60_000,
  );

  test('a module that is a symbolic link', async () => {
    const submission = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-linked-'));
    const file = path.join(submission, 'labs/00-what-is-a-container/membership.ts');
    try {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.symlinkSync(path.join(home, 'solutions/00-what-is-a-container/membership.ts'), file);
      const linkedFile = await runLab({ lab: pure, file, submission, judge });
      expect(messages(linkedFile)).toMatch(/membership\.ts is a symbolic link/);
      fs.rmSync(path.join(submission, 'labs'), { recursive: true });
      fs.symlinkSync(path.join(home, 'labs'), path.join(submission, 'labs'));
      const linkedFolder = await runLab({ lab: pure, file, submission, judge });
      expect(messages(linkedFolder)).toMatch(/labs is a symbolic link/);
      for (const { points } of [linkedFile, linkedFolder]) expect(points).toBe(0);
    } finally {
      fs.rmSync(submission, { recursive: true });
    }
  });

  test('a module that is not a file, or far too long', async () => {
    const submission = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-odd-'));
    const file = path.join(submission, 'membership.ts');
    try {
      fs.mkdirSync(file);
      expect(messages(await runLab({ lab: pure, file, judge }))).toMatch(/is not a regular file/);
      fs.rmdirSync(file);
      fs.writeFileSync(file, ' '.repeat(2 << 20));
      expect(messages(await runLab({ lab: pure, file, judge }))).toMatch(/at most 1 MiB/);
    } finally {
      fs.rmSync(submission, { recursive: true });
    }
  });
});

test('what a submission says cannot draw on a terminal or close its fence in a page', async () => {
  const report = await runLab({ lab: pure, file: path.join(folder, 'escapes-terminal.mjs'), judge });
  const text = messages(report);
  expect(text).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  const page = markdownReport({
    schema: 'skiff/report/v1',
    submission: '',
    seed: 1,
    gradedAt: new Date().toISOString(),
    grader: { version: '', node: '', kernel: '', arch: '' },
    points: 0,
    maxPoints: 100,
    ungradedPoints: 0,
    durationMs: 0,
    labs: [report],
  });
  expect(page).toContain('````text');
});

test('after all of them, the same judge still finds an honest answer right', async () => {
  const file = path.join(home, 'solutions/00-what-is-a-container/membership.ts');
  const report = await runLab({ lab: pure, file, judge });
  expect(report.points, messages(report)).toBe(report.maxPoints);
});

function messages(report: LabReport): string {
  const all = report.tasks.flatMap(({ tests }) =>
    tests.map(({ title, outcome, message }) => ({ title, outcome, message })),
  );
  return all
    .map(({ title, outcome, message }) => `${outcome} ${title}: ${message?.replaceAll('\n', ' ⏎ ')}`)
    .join(' | ');
}
