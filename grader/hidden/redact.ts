/** What a student gets to read of hidden tests, and how their points join the lab's. */

import type { LabFolder } from '../lab.ts';
import { type LabReport, type TestReport, worst } from '../report.ts';
import type { HiddenLab, HiddenTest } from './pack.ts';

/** The report of a lab with that of its hidden tests, as far as students may see it. */
export function withHidden(open: LabReport, parts: readonly LabReport[], { lab, tests }: HiddenLab): LabReport {
  const judged = parts.flatMap(({ tasks }) => tasks.flatMap((task) => task.tests));
  const shown = tests.map((test, index) =>
    redacted(judged.find(({ title }) => title === test.title)!, index + 1, test),
  );
  const sum = (value: (test: TestReport) => number) => judged.reduce((total, test) => total + value(test), 0);
  const points = sum((test) => test.points);
  const maxPoints = sum((test) => test.maxPoints);
  const outcome = worst(judged.map((test) => test.outcome));
  const [{ id, title }] = lab.tasks as [LabFolder['tasks'][number]];
  return {
    ...open,
    outcome: worst([open.outcome, outcome]),
    points: open.points + points,
    maxPoints: open.maxPoints + maxPoints,
    ungradedPoints: open.ungradedPoints + parts.reduce((total, part) => total + part.ungradedPoints, 0),
    tasks: [...open.tasks, { id, title, outcome, points, maxPoints, tests: shown }],
  };
}

function redacted(test: TestReport, number: number, { feedback }: HiddenTest): TestReport {
  if (feedback === 'full') return test;
  const { message: _, evidence: __, ...bare } = test;
  const title = feedback === 'title' ? test.title : `hidden test ${number}`;
  // Whether it was judged at all is not a secret of the test's.
  const said = test.outcome === 'passed' ? {} : { message: why[test.outcome] };
  // By how long it takes a module could tell what it was asked.
  return { ...bare, title, durationMs: 0, ...said };
}

const why: Record<Exclude<TestReport['outcome'], 'passed'>, string> = {
  failed: 'A hidden test failed. Read the invariants of the chapter again.',
  skipped: 'A hidden test was not tried.',
  error: 'The grader failed; this says nothing about your work.',
  unsupported: 'This machine lacks what the hidden test needs.',
};
