/** From results to grades: attempts, lateness, and what a person has set. Pure: the same input gives the same grades. */

import { counted } from './attempts.ts';
import { dueOf, inTime, type Lateness, latenessOf } from './late.ts';
import { type Override, overrideOf } from './overrides.ts';
import type { Policy } from './policy.ts';

/** One submission of one student, as it was judged. */
export interface Handed {
  student: string;
  /** RFC 3339: when the server saw it. */
  received?: string;
  /** The grader failed: what it would have earned is not known. */
  isError: boolean;
  /** null when nothing could be judged. */
  labs: readonly LabScore[] | null;
}

export interface LabScore {
  lab: string;
  points: number;
  maxPoints: number;
  /** Points of tests that could not be judged. */
  ungradedPoints: number;
}

export interface Grade {
  student: string;
  lab: string;
  maxPoints: number;
  /** What counts, with at most two decimals; null while it is open. */
  points: number | null;
  /** What the attempt that counts has earned, before lateness; null without such an attempt. */
  earned: number | null;
  /** When the attempt that counts was received. */
  received?: string;
  late: Lateness;
  attempts: { handedIn: number; counted: number };
  override?: Override;
  /** While it is open: how many points could not be graded yet. */
  openPoints?: number;
  /** Why it is open, or differs from what was earned: one sentence for the student. */
  note?: string;
}

/** What a grade cannot be made without. */
export interface Gap {
  student: string;
  lab: string;
  why: string;
}

interface Scored {
  received: number | undefined;
  at: string | undefined;
  earned: number;
  /** Points that could not be judged. */
  ungraded: number;
  maxPoints: number;
  late: Lateness;
}

/** @param labs those that are graded, with their points. */
export function gradesOf(
  handed: readonly Handed[],
  labs: ReadonlyMap<string, number>,
  policy: Policy,
  overrides: readonly Override[],
): { grades: Grade[]; gaps: Gap[] } {
  const students = new Set([...handed.map(({ student }) => student), ...overrides.map(({ student }) => student)]);
  const grades: Grade[] = [];
  const gaps: Gap[] = [];
  for (const student of [...students].sort())
    for (const [lab, maxPoints] of labs) {
      const own = handed.filter((each) => each.student === student);
      const override = overrideOf(overrides, student, lab);
      const scored = own.flatMap((each) => scoreOf(each, lab, maxPoints, policy, gaps));
      if (scored.length === 0 && override === undefined) continue;
      grades.push(gradeOf(student, lab, maxPoints, scored, policy, override));
    }
  // What a person has set needs no time.
  return { grades, gaps: gaps.filter(({ student, lab }) => overrideOf(overrides, student, lab) === undefined) };
}

function scoreOf(
  { student, received, isError, labs }: Handed,
  lab: string,
  maxPoints: number,
  policy: Policy,
  gaps: Gap[],
): Scored[] {
  const judged = labs?.find((each) => each.lab === lab);
  // Without a report it is not known which labs it would have been graded for.
  if (judged === undefined && !(isError && labs === null)) return [];
  const due = dueOf(student, lab, policy);
  const at = received === undefined ? undefined : Date.parse(received);
  if (due !== undefined && at === undefined)
    gaps.push({ student, lab, why: 'has a deadline, but it is not known when the submission was received' });
  return [
    {
      received: at,
      at: received,
      earned: judged?.points ?? 0,
      ungraded: judged?.ungradedPoints ?? maxPoints,
      maxPoints: judged?.maxPoints ?? maxPoints,
      late: due === undefined || at === undefined ? inTime : latenessOf(at, due, policy.late),
    },
  ];
}

function gradeOf(
  student: string,
  lab: string,
  maxPoints: number,
  scored: readonly Scored[],
  policy: Policy,
  override: Override | undefined,
): Grade {
  const valid = counted(scored, policy.attempts);
  const chosen = policy.attempts.count === 'last' ? valid.at(-1) : best(valid);
  const grade = {
    student,
    lab,
    maxPoints,
    earned: chosen?.earned ?? null,
    ...(chosen?.at !== undefined && { received: chosen.at }),
    late: chosen?.late ?? inTime,
    attempts: { handedIn: scored.length, counted: valid.length },
  };
  if (override !== undefined)
    return { ...grade, points: override.points, override, note: `Set by ${override.by}: ${override.why}` };
  // An attempt that could still turn out better keeps a "best" open.
  const unknown = policy.attempts.count === 'last' ? (chosen?.ungraded ?? 0) : openPoints(valid, keptPoints(chosen!));
  if (unknown > 0)
    return { ...grade, points: null, openPoints: unknown, note: `${unknown} points could not be graded yet.` };
  const points = keptPoints(chosen!);
  return { ...grade, points, ...(chosen!.late.kept < 1 && { note: lateNote(chosen!.late) }) };
}

/** The first of those with the most points. */
function best(attempts: readonly Scored[]): Scored | undefined {
  const [first, ...rest] = attempts;
  return rest.reduce((one, other) => (keptPoints(other) > keptPoints(one!) ? other : one), first);
}

function openPoints(attempts: readonly Scored[], reached: number): number {
  const better = attempts.filter(({ earned, ungraded, late }) => (earned + ungraded) * late.kept > reached);
  return Math.max(0, ...better.map(({ ungraded }) => ungraded));
}

function keptPoints({ earned, late }: Scored): number {
  return Math.round(earned * late.kept * 100) / 100;
}

function lateNote({ days, kept }: Lateness): string {
  const share = Math.round(kept * 1000) / 10;
  return kept === 0
    ? 'Handed in too late: 0 points.'
    : `Handed in ${days} ${days === 1 ? 'day' : 'days'} late: ${share} % of the points.`;
}
