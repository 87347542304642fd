import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { learnerFile, narrowed, readLabs, titlesOf } from '../lab.ts';
import { cmdline, descendants } from './evidence.ts';
import { home } from './home.ts';
import type { JudgeAnswer } from './judge.ts';
import { Judge } from './judge-client.ts';
import { runLab } from './run-lab.ts';
import { taskReports, verdict } from './verdict.ts';

const lab = readLabs(home).find(({ id }) => id === 'what-is-a-container')!;
const titles = titlesOf(lab);
const passed = (title: string) => ({ title, state: 'passed' as const, errors: [], durationMs: 1 });

function outcomesOf(answer: Omit<JudgeAnswer, 'id'>) {
  const tasks = taskReports(lab, (title) => verdict({ id: 1, ...answer }, title));
  return { outcomes: tasks.map(({ outcome }) => outcome), points: tasks.reduce((sum, { points }) => sum + points, 0) };
}

describe('a verdict', () => {
  test('is passed when every test of lab.json passed', () => {
    expect(outcomesOf({ tests: titles.map(passed), errors: [] })).toEqual({
      outcomes: lab.tasks.map(() => 'passed'),
      points: 100,
    });
  });

  test('is failed for a test that is missing, or that is there twice', () => {
    const missing = titles.slice(1).map(passed);
    expect(outcomesOf({ tests: missing, errors: [] }).outcomes[0]).toBe('failed');
    expect(outcomesOf({ tests: [...titles, titles[0]!].map(passed), errors: [] }).outcomes[0]).toBe('failed');
  });

  test('does not listen to tests that lab.json does not list', () => {
    expect(outcomesOf({ tests: ['task 9: anything at all'].map(passed), errors: [] }).points).toBe(0);
  });

  test.each([
    ['HarnessUnsupported', 'unsupported'],
    ['HarnessFailure', 'error'],
    ['AssertionError', 'failed'],
    ['SubjectDied', 'failed'],
  ])('of a test that ends in a %s is %s', (name, outcome) => {
    const failed = { state: 'failed' as const, errors: [{ name, message: 'why' }], durationMs: 1 };
    const tests = titles.map((title) => ({ title, ...failed }));
    expect(outcomesOf({ tests, errors: [] }).outcomes).toEqual(lab.tasks.map(() => outcome));
    // A hook around the tests tells its reason once, for all.
    const unrun = titles.map((title) => ({ title, state: 'skipped' as const, errors: [], durationMs: 0 }));
    expect(outcomesOf({ tests: unrun, errors: failed.errors }).outcomes).toEqual(lab.tasks.map(() => outcome));
  });

  test('is the harness’s fault when the suite does not run at all', () => {
    expect(outcomesOf({ tests: [], errors: [{ name: 'SyntaxError', message: 'no' }] }).outcomes[0]).toBe('error');
  });
});

describe('a fault of the harness', () => {
  let judge: Judge;
  beforeAll(() => {
    judge = new Judge();
  });
  afterAll(() => judge[Symbol.asyncDispose]());
  const file = path.join(home, 'solutions/00-what-is-a-container/membership.ts');

  test('costs the learner nothing: a shim that is killed is started anew', async () => {
    await judge.warmUp();
    const shim = descendants(process.pid).find(
      (pid) => fs.readFileSync(`/proc/${pid}/comm`, 'utf8') === 'skiff-shim\n',
    );
    process.kill(shim!, 'SIGKILL');
    const report = await runLab({ lab, file, judge });
    expect([report.outcome, report.points]).toEqual(['passed', 100]);
  });

  test('that comes twice is an error, and no zero', async () => {
    // Judged before, so that there is an old answer to be mistaken for a new one.
    expect((await runLab({ lab, file, judge })).points).toBe(100);
    const report = await runLab({ lab: { ...lab, module: 'no-such-suite' }, file, own: true, judge });
    expect(report.outcome).toBe('error');
    expect([report.points, report.ungradedPoints]).toEqual([0, 100]);
    expect(report.tasks[0]!.tests[0]!.message).toMatch(/The suite does not run/);
  });
});

test('with untilRed the tests after the first one that fails are not run', async () => {
  await using judge = new Judge();
  const file = path.join(home, 'labs/00-what-is-a-container/membership.ts');
  const outcomes = async (untilRed: boolean) =>
    (await runLab({ lab, file, judge, untilRed })).tasks.flatMap(({ tests }) => tests.map(({ outcome }) => outcome));
  expect(await outcomes(true)).toEqual(['failed', ...titles.slice(1).map(() => 'skipped')]);
  expect(await outcomes(false)).toEqual(titles.map(() => 'failed'));
});

describe('a judge that judges again', () => {
  let judge: Judge;
  beforeAll(() => {
    judge = new Judge();
  });
  afterAll(() => judge[Symbol.asyncDispose]());

  const own = path.join(home, 'solutions/00-what-is-a-container/membership.ts');
  const echo = path.join(home, 'grader/harness/testdata/echo.ts');
  /** Those that are asked nothing but what was drawn. */
  const parsing = narrowed(lab, (title) => /^task [12]:/.test(title));
  const messages = async (seed: number) => {
    const { tasks } = await runLab({ lab: parsing, file: echo, judge, seed });
    return tasks.flatMap(({ tests }) => tests.map(({ message }) => message));
  };

  test('draws the same inputs from the same seed, and others from another', async () => {
    const first = await messages(7);
    expect(first).toHaveLength(titlesOf(parsing).length);
    // And each test after a red has a process that nobody has asked before.
    for (const message of first) expect(message).toMatch(/call 1\b/);
    expect(await messages(7)).toEqual(first);
    expect(await messages(8)).not.toEqual(first);
  });

  /** Threads of the judging process that run JavaScript. */
  const threads = () => {
    const pid = descendants(process.pid).find((each) => cmdline(each).at(-1) === 'judge')!;
    const all = fs.readdirSync(`/proc/${pid}/task`);
    return all.filter((thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8') === 'node\n');
  };

  test('keeps its thread for files of its own user, and has another one after each submission', async () => {
    await runLab({ lab, file: own, judge });
    const before = threads();
    await runLab({ lab, file: own, judge });
    expect(threads()).toEqual(before);
    const submission = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-submission-'));
    try {
      const file = path.join(submission, learnerFile(lab));
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.copyFileSync(own, file);
      expect((await runLab({ lab, file, submission, judge })).points).toBe(100);
      expect(before.filter((thread) => !threads().includes(thread))).not.toEqual([]);
    } finally {
      fs.rmSync(submission, { recursive: true });
    }
    expect((await runLab({ lab, file: own, judge })).points).toBe(100);
  });
});
