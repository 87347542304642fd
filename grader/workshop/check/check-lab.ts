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

export function hasPassed(report: LabReport): boolean {
  return report.tasks.length > 0 && report.tasks.every((task) => task.outcome === 'passed');
}
