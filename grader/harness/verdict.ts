/** From what the judging process saw to what the report says of each test that lab.json expects. */

import type { LabFolder, Task } from '../lab.ts';
import { plain, type TaskReport, type TestReport, worst } from '../report.ts';
import type { JudgeAnswer, JudgedTest } from './judge.ts';

export type Verdict = Omit<TestReport, 'title' | 'points' | 'maxPoints'>;

/** One verdict for each test of lab.json, whatever ran. */
export function taskReports(lab: LabFolder, judged: (title: string) => Verdict): TaskReport[] {
  return lab.tasks.map((task: Task) => {
    const tests = task.tests.map(({ title, points }) => {
      const found = judged(title);
      return { title, ...found, points: found.outcome === 'passed' ? points : 0, maxPoints: points };
    });
    const outcome = worst(tests.map((test) => test.outcome));
    const points = tests.reduce((sum, test) => sum + test.points, 0);
    return { id: task.id, title: task.title, outcome, points, maxPoints: task.points, tests };
  });
}

export function verdict({ tests, errors, spent }: JudgeAnswer, title: string): Verdict {
  const all = tests.filter((test) => test.title === title);
  const [test] = all;
  const around = plain(errors.map(({ message }) => message).join('\n'));
  if (test === undefined && spent !== undefined) return { outcome: 'failed', message: plain(spent), durationMs: 0 };
  // Suites are ours: that one does not run at all is never the learner's doing.
  if (tests.length === 0)
    return { outcome: 'error', message: plain(`The suite does not run: ${around}`), durationMs: 0 };
  if (test === undefined || all.length > 1) {
    const what = test === undefined ? 'did not run' : 'ran more than once';
    return { outcome: 'failed', message: plain(`The suite ${what} "${title}".\n${around}`), durationMs: 0 };
  }
  const durationMs = Math.round(test.durationMs);
  if (test.state === 'passed' && test.errors.length === 0) return { outcome: 'passed', durationMs };
  // A hook around the tests that fails leaves them unrun; then its reason is theirs.
  const unrun = test.state !== 'failed' && errors.length > 0;
  const reasons = unrun ? errors : test.errors;
  const message = unrun ? around : messageOf(test);
  if (reasons.some(({ name }) => name === 'HarnessUnsupported')) return { outcome: 'unsupported', message, durationMs };
  if (reasons.some(({ name }) => name === 'HarnessFailure')) return { outcome: 'error', message, durationMs };
  if (unrun || test.state === 'failed') return { outcome: 'failed', message, ...evidenceOf(test), durationMs };
  return { outcome: 'skipped', message: 'Skipped by the suite.', durationMs };
}

const MOST_PRINTED_LINES = 10;
const LONGEST_LINE = 200;

/** What differs, then where in the learner's file, then what the module printed. */
function messageOf({ errors, printed = '' }: JudgedTest): string {
  const [first] = errors;
  if (first === undefined) return 'The test failed and did not say why.';
  const name = /^(Error|AssertionError|Subject\w+|Harness\w+)$/.test(first.name) ? '' : `${first.name}: `;
  const lines = printed === '' ? [] : printed.split('\n').slice(-MOST_PRINTED_LINES);
  const said =
    lines.length === 0
      ? ''
      : `\nThe module printed:\n${lines.map((line) => `  ${line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)} …` : line}`).join('\n')}`;
  return plain(`${name}${inPlainWords(first.message)}${first.frames ?? ''}${said}`);
}

/** What chai says of calls and promises, for people who have not read chai. */
function inPlainWords(message: string): string {
  return message
    .replace(/expected \[Function[^\]]*\] to throw an error/, 'should throw, and did not')
    .replace(/promise resolved "([\s\S]*)" instead of rejecting/, 'should throw, and returned $1 instead')
    .replace(/promise rejected "([\s\S]*)" instead of resolving/, 'should return, and threw $1 instead');
}

function evidenceOf({ errors }: JudgedTest): { evidence?: string } {
  const { expected, actual, message = '' } = errors[0] ?? {};
  if (inPlainWords(message) !== message) return {};
  // What our own matchers say has it already, and only what differs.
  if (expected === undefined || actual === undefined) return {};
  return { evidence: plain(`expected: ${expected ?? 'undefined'}\nfound:    ${actual ?? 'undefined'}`) };
}
