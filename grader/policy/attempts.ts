/** Which of a student's attempts at a lab count. */

import type { Policy } from './policy.ts';

const DAY = 86_400_000;

export interface Attempt {
  /** Milliseconds since 1970, as the server saw the push; undefined when that is not known. */
  received: number | undefined;
}

/**
 * Those that count, in the order in which they came. An attempt beyond `perDay` in the 24 hours before it does not count,
 * and does not use up anything either. Without times there is only one attempt, which counts.
 */
export function counted<A extends Attempt>(attempts: readonly A[], { most, perDay }: Policy['attempts']): A[] {
  const taken: A[] = [];
  for (const attempt of [...attempts].sort((one, other) => timeOf(one) - timeOf(other))) {
    if (taken.length === most) break;
    const within = taken.filter((earlier) => timeOf(attempt) - timeOf(earlier) < DAY);
    if (perDay === undefined || within.length < perDay) taken.push(attempt);
  }
  return taken;
}

function timeOf({ received }: Attempt): number {
  return received ?? 0;
}
