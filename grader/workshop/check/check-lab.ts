/** Check one lab through the grader's harness, so that what a learner sees is what a grade would say. */

import { type LabReport, runLab } from '../../harness/run-lab.ts';
import { narrowed, titlesOf } from '../../lab.ts';
import type { CourseLab } from '../labs.ts';
import { progressOf, today, updateProgress } from '../progress.ts';
import { progressLine } from '../progress-line.ts';
import { isSolution } from '../starter.ts';
import { digestOf, lastCheck, rememberCheck } from './last-check.ts';

export interface CheckOptions {
  /** Keep the harness loaded, for the next check of the same process. */
  warm?: boolean;
  /** Only the tests of this task. What the whole lab is worth stays as it was then. */
  task?: number;
  /** What the inputs are drawn from; another one every time if absent. */
  seed?: number;
}

/** Shows a line of progress where a person waits at a terminal. */
export async function checkLab(lab: CourseLab, { warm, task, seed }: CheckOptions = {}): Promise<LabReport> {
  const digest = digestOf(lab.file);
  const tested = task === undefined ? lab : narrowed(lab, (_, id) => id === task);
  const progress = progressLine(`checking ${lab.id}`, titlesOf(tested).length);
  const report = await runLab({ lab: tested, file: lab.file, warm, seed, onTest: progress.step }).finally(progress.end);
  if (task !== undefined) return report;
  rememberCheck(lab, { digest, report });
  updateProgress((progress) => {
    const facts = progressOf(progress, lab.id);
    facts.points = { reached: report.points, of: report.maxPoints, ungraded: report.ungradedPoints };
    // A solution that was put in is a lab that was skipped.
    if (hasPassed(report) && !isSolution(lab)) facts.passed ??= today();
  });
  return report;
}

/** The report of the last check when the learner's file is still the same, else of a new one. */
export async function freshReport(lab: CourseLab): Promise<LabReport> {
  return lastCheck(lab)?.report ?? (await checkLab(lab));
}

/** Tests that this host cannot judge do not keep a lab from passing, if there is at least one task that it can. */
export function hasPassed({ tasks }: LabReport): boolean {
  return (
    tasks.some(({ outcome }) => outcome === 'passed') &&
    tasks.every(({ outcome }) => outcome === 'passed' || outcome === 'unsupported')
  );
}
