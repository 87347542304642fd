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
  /** How long each file of tests took, in seconds. */
  files: { name: string; seconds: number }[];
}

export function emptyTally(): Tally {
  return { passed: 0, failures: [], skipped: [], files: [] };
}

/** The last line of `./workshop test`. */
export function tallyLine({ passed, failures, skipped }: Tally): string {
  return `${passed} passed, ${failures.length} failed, ${skipped.length} skipped`;
}
