/** From a learner's file to a verdict. The report is written here, from what lab.json expects, not from what ran. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type LabFolder, learnerFile, maxPoints, suiteOf, type Task } from '../lab.ts';
import { type LabReport, plain, type TaskReport, type TestReport, worst } from '../report.ts';
import { bundleModule, bundleOwn, Refused, readLearnerFile } from './bundle.ts';
import type { JudgeAnswer, JudgedTest } from './judge.ts';
import { Judge } from './judge-client.ts';

export type { LabReport } from '../report.ts';

export interface LabRun {
  lab: LabFolder;
  /** The learner's module. It is read once, and never run in this process. */
  file: string;
  /** A submission that `file` is the usual path in; nothing between the two may be a link then. */
  submission?: string;
  /** `file` is this clone's own and may import other files of it: the engine's module, to prove the checks with. */
  own?: boolean;
  /** Keep the judging process for the next run of this process. */
  warm?: boolean;
  /** Judge with this one, which the caller keeps. */
  judge?: Judge;
}

let kept: Judge | undefined;

/** Judge one lab. A fault of the harness is tried once more, and then reported as `error`. */
export async function runLab({ lab, file, submission, own, warm = false, judge: given }: LabRun): Promise<LabReport> {
  const start = performance.now();
  const judge = given ?? kept ?? new Judge();
  if (warm && given === undefined) kept = judge;
  const workFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-lab-'));
  try {
    // Loading vitest and bundling the module take about as long; neither waits for the other.
    judge.warmUp().catch(() => {});
    const { digest, tasks } = await judgeFile(
      lab,
      submission === undefined ? [path.dirname(file), path.basename(file)] : [submission, learnerFile(lab)],
      own ?? false,
      judge,
      path.join(workFolder, 'module.cjs'),
    );
    return {
      lab: lab.id,
      number: lab.number,
      title: lab.title,
      file: learnerFile(lab),
      digest,
      outcome: worst(tasks.map(({ outcome }) => outcome)),
      points: sum(tasks, (task) => task.points),
      maxPoints: maxPoints(lab),
      ungradedPoints: sum(tasks, ({ outcome, maxPoints }) =>
        outcome === 'error' || outcome === 'unsupported' ? maxPoints : 0,
      ),
      durationMs: Math.round(performance.now() - start),
      tasks,
    };
  } finally {
    fs.rmSync(workFolder, { recursive: true, force: true });
    if (given === undefined && !warm) await judge[Symbol.asyncDispose]();
    if (warm) judge.unref();
  }
}

async function judgeFile(
  lab: LabFolder,
  file: [root: string, below: string],
  own: boolean,
  judge: Judge,
  target: string,
) {
  let source: string;
  try {
    source = readLearnerFile(...file);
    fs.writeFileSync(target, await (own ? bundleOwn(lab, path.join(...file)) : bundleModule(lab, source)));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const message = plain(error.message);
    return { digest: null, tasks: report(lab, () => ({ outcome: 'failed', message, durationMs: 0 })) };
  }
  const digest = createHash('sha256').update(source).digest('hex');
  const first = await attempt(lab, judge, target);
  const tasks = hasError(first) ? await attempt(lab, judge, target) : first;
  return { digest, tasks };
}

async function attempt(lab: LabFolder, judge: Judge, module: string): Promise<TaskReport[]> {
  let answer: JudgeAnswer;
  try {
    answer = await judge.run(suiteOf(lab), module);
  } catch (error) {
    const message = `The harness failed, not your work: ${plain((error as Error).message)}`;
    return report(lab, () => ({ outcome: 'error', message, durationMs: 0 }));
  }
  return report(lab, (title) => verdict(answer, title));
}

type Verdict = Omit<TestReport, 'title'>;

/** One verdict for each test of lab.json, whatever ran. */
function report(lab: LabFolder, judged: (title: string) => Verdict): TaskReport[] {
  return lab.tasks.map((task: Task) => {
    const tests = task.tests.map((title) => ({ title, ...judged(title) }));
    const outcome = worst(tests.map((test) => test.outcome));
    const { id, title, points } = task;
    return { id, title, outcome, points: outcome === 'passed' ? points : 0, maxPoints: points, tests };
  });
}

function verdict({ tests, errors }: JudgeAnswer, title: string): Verdict {
  const all = tests.filter((test) => test.title === title);
  const [test] = all;
  const durationMs = Math.round(test?.durationMs ?? 0);
  if (test === undefined || all.length > 1) {
    const message = `The suite ${test === undefined ? 'did not run' : 'ran more than once'} "${title}".`;
    return { outcome: 'failed', message: plain([message, ...errors].join('\n')), durationMs };
  }
  if (test.state === 'passed' && test.errors.length === 0) return { outcome: 'passed', durationMs };
  if (test.errors.some(({ name }) => name === 'HarnessUnsupported'))
    return { outcome: 'unsupported', message: messageOf(test), durationMs };
  if (test.errors.some(({ name }) => name === 'HarnessFailure'))
    return { outcome: 'error', message: messageOf(test), durationMs };
  if (test.state === 'failed') return { outcome: 'failed', message: messageOf(test), ...evidenceOf(test), durationMs };
  // A hook that failed leaves its tests unrun.
  if (errors.length > 0) return { outcome: 'failed', message: plain(errors.join('\n')), durationMs };
  return { outcome: 'skipped', message: 'Skipped by the suite.', durationMs };
}

function messageOf({ errors }: JudgedTest): string {
  const [first] = errors;
  if (first === undefined) return 'The test failed and did not say why.';
  const name = /^(Error|AssertionError|Subject\w+|Harness\w+)$/.test(first.name) ? '' : `${first.name}: `;
  return plain(`${name}${first.message}`);
}

function evidenceOf({ errors }: JudgedTest): { evidence?: string } {
  const { expected, actual } = errors[0] ?? {};
  if (expected === undefined && actual === undefined) return {};
  return { evidence: plain(`expected: ${expected ?? 'undefined'}\nfound:    ${actual ?? 'undefined'}`) };
}

function hasError(tasks: TaskReport[]): boolean {
  return tasks.some((task) => task.tests.some(({ outcome }) => outcome === 'error'));
}

function sum<T>(items: T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
