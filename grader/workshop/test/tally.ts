/** How many checks there were, and how each ended. */

export interface Failure {
  title: string;
  /** What happened, as text of one or more lines. */
  detail: string;
}

export interface Tally {
  passed: number;
  failures: Failure[];
  skipped: { title: string; reason: string }[];
}

export function emptyTally(): Tally {
  return { passed: 0, failures: [], skipped: [] };
}

/** The last line of `./workshop test`. */
export function tallyLine({ passed, failures, skipped }: Tally): string {
  return `${passed} passed, ${failures.length} failed, ${skipped.length} skipped`;
}
