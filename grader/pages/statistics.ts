/** How a class did, as numbers. */

import type { Grade } from '../policy/grades.ts';
import type { LabReport } from '../report.ts';

/** Tenths of the points: from 0 up to 10 %, …, from 90 % up to all of them. */
const BINS = 10;

export interface LabStatistics {
  graded: number;
  open: number;
  /** undefined while nobody is graded. */
  mean: number | undefined;
  median: number | undefined;
  /** How many have all points. */
  full: number;
  bins: number[];
}

export function labStatistics(grades: readonly Grade[]): LabStatistics {
  const closed = grades.filter(({ points }) => points !== null);
  const points = closed.map((grade) => grade.points!).sort((one, other) => one - other);
  const bins = Array.from({ length: BINS }, () => 0);
  for (const grade of closed) bins[Math.min(BINS - 1, Math.floor((grade.points! / grade.maxPoints) * BINS))]! += 1;
  const middle = (points.length - 1) / 2;
  return {
    graded: closed.length,
    open: grades.length - closed.length,
    mean: points.length === 0 ? undefined : points.reduce((sum, each) => sum + each, 0) / points.length,
    median: points.length === 0 ? undefined : (points[Math.floor(middle)]! + points[Math.ceil(middle)]!) / 2,
    full: closed.filter((grade) => grade.points! >= grade.maxPoints).length,
    bins,
  };
}

export interface TestStatistics {
  task: number;
  title: string;
  /** How often it passed or failed. */
  judged: number;
  failed: number;
}

/** Counts over reports of one lab, which need not be kept in memory. */
export class TestCounts {
  readonly #counts = new Map<string, TestStatistics>();

  add({ tasks }: LabReport): void {
    for (const { id, tests } of tasks)
      for (const { title, outcome } of tests) {
        const key = `${id} ${title}`;
        const count = this.#counts.get(key) ?? { task: id, title, judged: 0, failed: 0 };
        if (outcome === 'passed' || outcome === 'failed') count.judged += 1;
        if (outcome === 'failed') count.failed += 1;
        this.#counts.set(key, count);
      }
  }

  /** Those that somebody failed, the one that most got wrong first. */
  failures(): TestStatistics[] {
    return [...this.#counts.values()]
      .filter(({ failed }) => failed > 0)
      .sort((one, other) => other.failed - one.failed || one.task - other.task || (one.title < other.title ? -1 : 1));
  }
}
