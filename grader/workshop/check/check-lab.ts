/** Check one lab through the grader's harness, so that what a learner sees is what a grade would say. */

import { type LabReport, runLab } from '../../harness/run-lab.ts';
import type { CourseLab } from '../labs.ts';
import { progressOf, today, updateProgress } from '../progress.ts';
import { digestOf, lastCheck, rememberCheck } from './last-check.ts';

/** @param options.warm keep the harness loaded, for the next check of the same process. */
export async function checkLab(lab: CourseLab, options: { warm?: boolean } = {}): Promise<LabReport> {
  const digest = digestOf(lab.file);
  const report = await runLab({ lab, file: lab.file, ...options });
  rememberCheck(lab, { digest, report });
  updateProgress((progress) => {
    const facts = progressOf(progress, lab.id);
    facts.points = { reached: report.points, of: report.maxPoints };
    if (hasPassed(report)) facts.passed ??= today();
  });
  return report;
}

/** The report of the last check when the learner's file is still the same, else of a new one. */
export async function freshReport(lab: CourseLab): Promise<LabReport> {
  return lastCheck(lab)?.report ?? (await checkLab(lab));
}

/** What this host cannot judge keeps nobody from passing, as long as it could judge something. */
export function hasPassed({ tasks }: LabReport): boolean {
  return (
    tasks.some(({ outcome }) => outcome === 'passed') &&
    tasks.every(({ outcome }) => outcome === 'passed' || outcome === 'unsupported')
  );
}
