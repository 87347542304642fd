/** From a learner's file to a verdict. The report is written here, from what lab.json expects, not from what ran. */

import { createHash, randomInt } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { type LabFolder, learnerFile, maxPoints, suiteOf, titlesOf } from '../lab.ts';
import { type LabReport, type Outcome, plain, type TaskReport, worst } from '../report.ts';
import { readLearnerFile } from './bundle.ts';
import { home } from './home.ts';
import type { JudgeAnswer, JudgeRequest } from './judge.ts';
import { Judge } from './judge-client.ts';
import { Refused } from './refused.ts';
import { taskReports, verdict } from './verdict.ts';

export type { LabReport } from '../report.ts';

export interface LabRun {
  /** Only the tests it lists are run: see `narrowed`. */
  lab: LabFolder;
  /** The learner's module. It is read once, and never run in this process. */
  file: string;
  /** A submission that `file` is the usual path in; nothing between the two may be a link then. */
  submission?: string;
  /** `file` is this clone's own and may import other files of it: the engine's module, to prove the checks with. */
  own?: boolean;
  /** What the inputs of the tests are drawn from, 0 to 2³¹ − 1; another one in every run if absent. */
  seed?: number;
  /** Milliseconds a call of the module may take, 5,000 if absent. */
  patience?: number;
  /** Skip the tests that come after the first one that fails. */
  untilRed?: boolean;
  /** Keep the judging process for the next run of this process. */
  warm?: boolean;
  /** Judge with this one, which the caller keeps. */
  judge?: Judge;
  /** Called as each test ends, for a line of progress. */
  onTest?: (title: string) => void;
}

let kept: Judge | undefined;

/** Judge one lab. A fault of the harness is tried once more, and then reported as `error`: see `controlled`. */
export async function runLab(run: LabRun): Promise<LabReport> {
  const { lab, warm = false, judge: given } = run;
  const start = performance.now();
  const seed = run.seed ?? randomInt(2 ** 31);
  const judge = given ?? kept ?? new Judge();
  if (warm && given === undefined) kept = judge;
  try {
    // Loading vitest and bundling the module take about as long; neither waits for the other.
    judge.warmUp().catch(() => {});
    const { digest, tasks } = await judgeFile({ ...run, seed }, judge);
    return {
      lab: lab.id,
      number: lab.number,
      title: lab.title,
      file: learnerFile(lab),
      digest,
      seed,
      outcome: worst(tasks.map(({ outcome }) => outcome)),
      points: sum(tasks, (task) => task.points),
      maxPoints: maxPoints(lab),
      ungradedPoints: sum(
        tasks.flatMap(({ tests }) => tests),
        ({ outcome, maxPoints }) => (outcome === 'error' || outcome === 'unsupported' ? maxPoints : 0),
      ),
      durationMs: Math.round(performance.now() - start),
      tasks,
    };
  } finally {
    if (given === undefined && !warm) await judge[Symbol.asyncDispose]();
    if (warm) judge.unref();
  }
}

async function judgeFile(
  { lab, file, submission, own, patience, untilRed, seed, onTest }: LabRun & { seed: number },
  judge: Judge,
) {
  const [root, below] =
    submission === undefined ? [path.dirname(file), path.basename(file)] : [submission, learnerFile(lab)];
  let source: string;
  try {
    source = readLearnerFile(root, below);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const message = plain(error.message);
    return { digest: null, tasks: taskReports(lab, () => ({ outcome: 'failed', message, durationMs: 0 })) };
  }
  const digest = createHash('sha256').update(source).digest('hex');
  const leakProof = submission !== undefined;
  const withoutSandbox = lab.lane === 'pure' && submission === undefined;
  const suite = { suite: suiteOf(lab), titles: titlesOf(lab), seed };
  const module = { folder: lab.folder, source: own ? { own: file } : { text: source } };
  const request = { ...suite, ...module, patience, untilRed, leakProof, plain: withoutSandbox };
  const attempt = () =>
    judgeModule(lab, request, async (asked) => {
      const answer = await judge.run(asked, onTest);
      // The next lab is judged in a session in which nothing has been left.
      if (answer.leaks !== undefined && answer.leaks.length > 0) await judge[Symbol.asyncDispose]();
      return answer;
    });
  let tasks = await attempt();
  if (has(tasks, 'error')) {
    // With everything anew: a shim that has ended, say, would not come back by being asked again.
    await judge[Symbol.asyncDispose]();
    tasks = await attempt();
  }
  if (own || !leakProof || !(has(tasks, 'error') || has(tasks, 'unsupported'))) return { digest, tasks };
  if (has(tasks, 'error')) await judge[Symbol.asyncDispose]();
  return { digest, tasks: controlled(tasks, await control(lab, seed, judge)) };
}

/** What the solution gets on this machine, title by title, for each suite and choice of tests. */
const controls = new Map<string, Map<string, Outcome>>();

/**
 * Judge the solution in the place of a submission. What it meets as well is the machine's fault or the harness's; what
 * only the submission meets is the submission's, by whatever words it came out of the sandbox.
 */
async function control(lab: LabFolder, seed: number, judge: Judge): Promise<Map<string, Outcome>> {
  const key = JSON.stringify([suiteOf(lab), titlesOf(lab)]);
  const known = controls.get(key);
  if (known !== undefined) return known;
  const own = path.join(home, 'solutions', path.basename(lab.folder), `${lab.module}.ts`);
  if (!fs.existsSync(own)) return new Map();
  const suite = { suite: suiteOf(lab), titles: titlesOf(lab), seed };
  const request = { ...suite, folder: lab.folder, source: { own }, leakProof: true, plain: false };
  const tasks = await judgeModule(lab, request, (asked) => judge.run(asked));
  const outcomes = new Map(tasks.flatMap(({ tests }) => tests.map(({ title, outcome }) => [title, outcome] as const)));
  // A fault of the harness may be gone by the next time; what the machine lacks is not.
  if (!has(tasks, 'error')) controls.set(key, outcomes);
  return outcomes;
}

function controlled(tasks: TaskReport[], solution: Map<string, Outcome>): TaskReport[] {
  return tasks.map((task) => {
    const tests = task.tests.map((test) => {
      const excused = test.outcome === 'error' || test.outcome === 'unsupported';
      if (!excused || solution.get(test.title) !== 'passed') return test;
      const message = plain(`${test.message}\nOnly with this module: the solution passes the same test here.`);
      return { ...test, outcome: 'failed' as const, message };
    });
    return { ...task, tests, outcome: worst(tests.map(({ outcome }) => outcome)) };
  });
}

type Asked = Omit<JudgeRequest, 'id'>;

async function judgeModule(
  lab: LabFolder,
  request: Asked,
  run: (request: Asked) => Promise<JudgeAnswer>,
): Promise<TaskReport[]> {
  let answer: JudgeAnswer;
  try {
    answer = await run(request);
  } catch (error) {
    const message = `The harness failed, not your work: ${plain((error as Error).message)}`;
    return taskReports(lab, () => ({ outcome: 'error', message, durationMs: 0 }));
  }
  if (answer.refused !== undefined) {
    const message = plain(answer.refused);
    return taskReports(lab, () => ({ outcome: 'failed', message, durationMs: 0 }));
  }
  if (answer.leaks !== undefined && answer.leaks.length > 0) {
    const message = plain(`The module left on this machine what could not be removed: ${answer.leaks.join('; ')}.`);
    return taskReports(lab, () => ({ outcome: 'failed', message, durationMs: 0 }));
  }
  return taskReports(lab, (title) => verdict(answer, title));
}

function has(tasks: TaskReport[], wanted: Outcome): boolean {
  return tasks.some((task) => task.tests.some(({ outcome }) => outcome === wanted));
}

function sum<T>(items: T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
