/** What a deadline takes from a grade. Times are milliseconds since 1970, as the server saw the push. */

import type { Policy } from './policy.ts';

const DAY = 86_400;

export interface Lateness {
  /** Seconds after the deadline; 0 in time, or within the grace. */
  seconds: number;
  /** Days begun since the deadline. */
  days: number;
  /** From 0 to 1: the part of the points that is kept. */
  kept: number;
}

export const inTime: Lateness = { seconds: 0, days: 0, kept: 1 };

export function latenessOf(received: number, due: number, { grace, perDay, cutOff }: Policy['late']): Lateness {
  const seconds = Math.ceil((received - due) / 1000);
  if (seconds <= grace) return inTime;
  const days = Math.ceil(seconds / DAY);
  const isTooLate = cutOff !== undefined && seconds > cutOff;
  return { seconds, days, kept: isTooLate ? 0 : Math.max(0, 1 - (perDay * days) / 100) };
}

/** The deadline of one student for one lab: an extension wins over the lab's own. Undefined without a deadline. */
export function dueOf(student: string, lab: string, { labs, extensions }: Policy): number | undefined {
  const own = Object.hasOwn(extensions, student) ? extensions[student] : undefined;
  if (own !== undefined && Object.hasOwn(own, lab)) return own[lab];
  return Object.hasOwn(labs, lab) ? labs[lab]!.due : undefined;
}
