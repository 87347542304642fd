/** The tests of a report in one flat list, as most formats want them. */

import {
  type LabReport,
  type Outcome,
  plain,
  type Report,
  type TaskReport,
  type TestReport,
  withoutControls,
} from '../report.ts';

export interface JudgedTest {
  /** `lab/task.test`, unique in a report: the number of the test counts from 1 within its task. */
  id: string;
  /** Never empty. */
  name: string;
  lab: LabReport;
  task: TaskReport;
  outcome: Outcome;
  points: number;
  /** 0 for a test that was not graded: its points are neither earned nor lost. */
  countedPoints: number;
  maxPoints: number;
  durationMs: number;
  /** Why it did not pass; empty for a test that passed. */
  reason: string;
}

const WITHOUT_MESSAGE: Record<Outcome, string> = {
  passed: '',
  failed: 'The test failed.',
  skipped: 'Not tried, because a test that it builds on failed.',
  error: 'The grader failed twice. Grade again.',
  unsupported: 'This machine lacks what the test needs. Grade on another machine.',
};

export function isGraded(outcome: Outcome): boolean {
  return outcome !== 'error' && outcome !== 'unsupported';
}

export function judgedTests(report: Pick<Report, 'labs'>): JudgedTest[] {
  return report.labs.flatMap((lab) =>
    lab.tasks.flatMap((task, taskIndex) => task.tests.map((test, index) => judged(lab, task, test, taskIndex, index))),
  );
}

function judged(lab: LabReport, task: TaskReport, test: TestReport, taskIndex: number, index: number): JudgedTest {
  const id = `${plainLine(lab.lab)}/${taskIndex + 1}.${index + 1}`;
  return {
    id,
    name: plainLine(test.title) || id,
    lab,
    task,
    outcome: test.outcome,
    points: isGraded(test.outcome) ? test.points : 0,
    countedPoints: isGraded(test.outcome) ? test.maxPoints : 0,
    maxPoints: test.maxPoints,
    durationMs: Math.round(test.durationMs),
    reason: reasonOf(test),
  };
}

function reasonOf({ outcome, message, evidence }: TestReport): string {
  if (outcome === 'passed') return '';
  const said = [message, evidence]
    .map((part) => plainText(part ?? ''))
    .filter((part) => part !== '')
    .join('\n\n');
  if (said === '') return WITHOUT_MESSAGE[outcome];
  return isGraded(outcome) ? said : `Not graded: ${said}`;
}

/** A report is a file that anybody may have changed: text from it is cleaned once more. */
export function plainText(text: string): string {
  return wholeLetters(plain(text));
}

/** The same, of any length: for text that is put together from parts which have been shortened. */
export function uncutText(text: string): string {
  return wholeLetters(withoutControls(text));
}

function wholeLetters(text: string): string {
  // A cut may fall between the two halves of a letter, and noncharacters may not stand in XML 1.0, section 2.2.
  return text.replace(/\p{Cs}|\ufffe|\uffff/gu, '\ufffd');
}

export function plainLine(text: string): string {
  return plainText(text).replace(/\s+/g, ' ').trim();
}

export interface Totals {
  points: number;
  /** Points that could be earned on the machine that graded. */
  countedPoints: number;
  ungradedPoints: number;
}

export function totalsOf(tests: readonly JudgedTest[]): Totals {
  const sum = (value: (test: JudgedTest) => number) => tests.reduce((total, test) => total + value(test), 0);
  return {
    points: sum(({ points }) => points),
    countedPoints: sum(({ countedPoints }) => countedPoints),
    ungradedPoints: sum(({ maxPoints, countedPoints }) => maxPoints - countedPoints),
  };
}

/** E.g. `2 of 3 tests passed. Failed: it waits (expected 1, saw 2)`, for cells and comments: one line, at most 1,000 letters. */
export function feedbackOf(lab: LabReport): string {
  const tests = judgedTests({ labs: [lab] });
  const passed = tests.filter(({ outcome }) => outcome === 'passed').length;
  const open = tests
    .filter(({ outcome }) => outcome !== 'passed')
    .map(({ name, outcome, reason }) => `${outcome}: ${name} (${plainLine(reason)})`);
  return shortened([`${passed} of ${tests.length} tests passed`, ...open].join('; '), 1_000);
}

/** The first `length` letters; a letter is never cut in two. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${Array.from(text.slice(0, length)).slice(0, -1).join('')}…`;
}
