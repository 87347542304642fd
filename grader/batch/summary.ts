/** What became of a batch, for people and for programs. */

import path from 'node:path';
import type { LabFolder } from '../lab.ts';
import { type Entry, entryFile, readEntry, type State } from './entry.ts';
import { printable } from './printable.ts';
import type { Submission } from './submission.ts';

interface Line {
  student: string;
  email?: string;
  /** RFC 3339. */
  received?: string;
  submission: string;
  /** `open`: not graded yet. */
  state: State | 'open';
  reason?: string;
  /** null when there is no report. */
  points: number | null;
  maxPoints: number | null;
  /** Points of tests that are `error` or `unsupported`: neither earned nor lost. */
  ungradedPoints: number | null;
  labs: { lab: string; points: number; maxPoints: number; ungradedPoints: number }[];
  /** The full result, relative to the directory of the results. */
  file: string;
}

export interface Summary {
  schema: 'skiff/batch-summary/v1';
  seed: number;
  /** Whether all submissions have the inputs of `seed`; else each has its own, which its report names. */
  isSeedShared: boolean;
  /** Ids of the labs that were asked for; null for all that a submission has a file for. */
  labs: string[] | null;
  count: Record<State | 'open', number>;
  submissions: Line[];
  /** Names in the folder that are not submissions. */
  ignored: string[];
}

interface Of {
  submissions: Submission[];
  seed: number;
  isSeedShared: boolean;
  labs: LabFolder[] | undefined;
  out: string;
  ignored: string[];
  /** Files of results that are of other files, labs, or another seed or grader than this run's. */
  outdated: ReadonlySet<string>;
}

/** Results are read one at a time: what is held does not grow with their messages. */
export function summaryOf({ submissions, seed, isSeedShared, labs, out, ignored, outdated }: Of): Summary {
  const lines = submissions.map((submission) => lineOf(submission, out, outdated));
  const count = { graded: 0, empty: 0, unreadable: 0, error: 0, open: 0 };
  for (const { state } of lines) count[state] += 1;
  return {
    schema: 'skiff/batch-summary/v1',
    seed,
    isSeedShared,
    labs: labs?.map(({ id }) => id) ?? null,
    count,
    submissions: lines,
    ignored,
  };
}

const OUTDATED: Partial<Pick<Entry, 'state' | 'reason' | 'report'>> = {
  reason: 'its result is of an earlier run, with other files, labs, or another seed or grader',
};

function lineOf({ student, email, received, name }: Submission, out: string, outdated: ReadonlySet<string>): Line {
  const file = entryFile(out, student, received);
  const entry = outdated.has(file) ? OUTDATED : readEntry(file);
  const { state = 'open', reason, report = null } = entry ?? {};
  return {
    student,
    ...(email === undefined ? {} : { email }),
    ...(received === undefined ? {} : { received }),
    submission: name,
    state,
    ...(reason === undefined ? {} : { reason }),
    points: report?.points ?? null,
    maxPoints: report?.maxPoints ?? null,
    ungradedPoints: report?.ungradedPoints ?? null,
    labs: (report?.labs ?? []).map(({ lab, points, maxPoints, ungradedPoints }) => ({
      lab,
      points,
      maxPoints,
      ungradedPoints,
    })),
    file: path.relative(out, file),
  };
}

/** What the states mean to the person who has to do something about it. */
const advice: Record<Exclude<keyof Summary['count'], 'graded'>, string> = {
  empty: 'without any file of a lab',
  unreadable: 'that cannot be read',
  error: 'with a fault of the grader: run the same command with --only error',
  open: 'not graded yet: run the same command without --only',
};

/** @param out as the person typed it. */
export function terminalSummary(summary: Summary, out: string): string {
  const { count, submissions, seed, isSeedShared, ignored } = summary;
  const lines = [...labLines(submissions), `${count.graded} of ${submissions.length} submissions graded`];
  for (const [state, meaning] of Object.entries(advice) as [keyof typeof advice, string][]) {
    if (count[state] === 0) continue;
    lines.push(`${count[state]} ${meaning}`);
    for (const line of submissions.filter((each) => each.state === state))
      lines.push(`  ${printable(line.student)}${line.reason === undefined ? '' : `: ${oneLine(line.reason)}`}`);
  }
  const ungraded = submissions.filter(({ state, ungradedPoints }) => state === 'graded' && (ungradedPoints ?? 0) > 0);
  if (ungraded.length > 0)
    lines.push(`${ungraded.length} with points that this machine cannot judge: ./workshop doctor says what it lacks`);
  if (ignored.length > 0) lines.push(`Not submissions: ${ignored.map(printable).join(', ')}`);
  const shared = isSeedShared ? `, seed ${seed}` : '';
  lines.push(`Results: ${path.join(out, 'summary.json')} and ${path.join(out, 'submissions')}${shared}`);
  return lines.join('\n');
}

/** How each lab went: how many handed it in, the mean, and how many have all points. */
function labLines(submissions: Line[]): string[] {
  const byLab = new Map<string, Line['labs']>();
  for (const each of submissions.flatMap(({ labs }) => labs))
    byLab.set(each.lab, [...(byLab.get(each.lab) ?? []), each]);
  return [...byLab].map(([lab, all]) => {
    const mean = all.reduce((sum, { points }) => sum + points, 0) / all.length;
    const full = all.filter(({ points, maxPoints }) => points === maxPoints).length;
    return `${lab}: ${all.length} graded, mean ${mean.toFixed(1)} of ${all[0]!.maxPoints} points, ${full} with all points`;
  });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 300);
}
