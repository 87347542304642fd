import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLabs, titlesOf } from '../lab.ts';
import { descendants } from './evidence.ts';
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
