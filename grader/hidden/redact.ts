/** What a student gets to read of hidden tests, and how their points join the lab's. */

import { type LabReport, type TestReport, worst } from '../report.ts';
import type { HiddenTest } from './pack.ts';

/** The report of a lab with that of its hidden tests, as far as students may see it. */
export function withHidden(open: LabReport, hidden: LabReport, tests: readonly HiddenTest[]): LabReport {
  const tasks = hidden.tasks.map((task) => ({
    ...task,
    tests: task.tests.map((test, index) => redacted(test, index + 1, tests.find(({ title }) => title === test.title)!)),
  }));
  return {
    ...open,
    outcome: worst([open.outcome, hidden.outcome]),
    points: open.points + hidden.points,
    maxPoints: open.maxPoints + hidden.maxPoints,
    ungradedPoints: open.ungradedPoints + hidden.ungradedPoints,
    durationMs: open.durationMs + hidden.durationMs,
    tasks: [...open.tasks, ...tasks],
  };
}

function redacted(test: TestReport, number: number, { feedback }: HiddenTest): TestReport {
  if (feedback === 'full') return test;
  const { message: _, evidence: __, ...bare } = test;
  const title = feedback === 'title' ? test.title : `hidden test ${number}`;
  // Whether it was judged at all is not a secret of the test's.
  const said = test.outcome === 'passed' ? {} : { message: why[test.outcome] };
  return { ...bare, title, ...said };
}

const why: Record<Exclude<TestReport['outcome'], 'passed'>, string> = {
  failed: 'A hidden test failed. Read the invariants of the chapter again.',
  skipped: 'A hidden test was not tried.',
  error: 'The grader failed; this says nothing about your work.',
  unsupported: 'This machine lacks what the hidden test needs.',
};
