import type { Outcome, Report } from '../report.ts';

export const marks: Record<Outcome, string> = { passed: '✔', failed: '✘', skipped: '–', error: '!', unsupported: '?' };

/** E.g. `85 of 100 points, 10 not graded`. */
export function score({ points, maxPoints, ungradedPoints }: Pick<Report, 'points' | 'maxPoints' | 'ungradedPoints'>) {
  const ungraded = ungradedPoints > 0 ? `, ${ungradedPoints} not graded` : '';
  return `${points} of ${maxPoints} points${ungraded}`;
}

export function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

/** Why points are open, for the reader of the report; null when none are. */
export function whyUngraded(outcomes: Outcome[]): string | null {
  const reasons: string[] = [];
  if (outcomes.includes('error'))
    reasons.push('"!" is a fault of the grader, seen twice: grade again before you decide about these points.');
  if (outcomes.includes('unsupported'))
    reasons.push('"?" is something this machine lacks: grade on one that has it; ./workshop doctor says what it is.');
  return reasons.length === 0 ? null : reasons.join('\n');
}
