/** What the benchmark measures, and how a measurement is told. */

import type { Engines } from './engines/engines.ts';

export type Unit = 'ms' | 'MiB';

/** Another engine's value of the same figure, taken in the same run. */
export interface Comparison {
  /** E.g. `runc run`. */
  with: string;
  /** Null when it could not be measured; then `reason` says why. */
  value: number | null;
  reason?: string;
  /** The largest ratio ours / theirs that budgets.md allows; absent where it sets none. */
  budget?: number;
  stretch?: number;
}

export interface Result {
  /** E.g. `API create + start + wait + remove, p50`. */
  title: string;
  unit: Unit;
  /** Null when ours could not be measured; then `reason` says why. */
  ours: number | null;
  reason?: string;
  /** Further numbers of ours, e.g. `p90`. */
  also?: Record<string, number>;
  comparisons: Comparison[];
  /** The largest value that budgets.md allows, for a figure that stands beside no other engine. */
  limit?: number;
  stretchLimit?: number;
}

export interface Context {
  engines: Engines;
  /** Tells a person what is going on; not part of the result. */
  progress: (text: string) => void;
  /** How often to measure what budgets.md wants as a median of 200; fewer is quicker and rougher. */
  rounds: number;
}

export interface Figure {
  name: string;
  title: string;
  run(context: Context): Promise<Result[]>;
}
