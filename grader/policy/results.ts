/** The results of a batch, as far as grades are made of them. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { BadInput } from '../bad-input.ts';
import { readEntry } from '../batch/entry.ts';
import { SUMMARY } from '../batch/results-folder.ts';
import { type Lab, maxPoints } from '../lab.ts';
import type { Handed } from './grades.ts';
import type { Override } from './overrides.ts';

const lineSchema = z.looseObject({
  student: z.string(),
  state: z.string(),
  reason: z.string().optional(),
  file: z.string(),
});
export type SubmissionLine = z.infer<typeof lineSchema>;

const summarySchema = z.looseObject({
  schema: z.literal('skiff/batch-summary/v1'),
  submissions: z.array(lineSchema),
});

export interface Results {
  handed: Handed[];
  /** Points of each lab that a report grades, by its id, in the course's order. */
  labs: Map<string, number>;
}

/** What the last `grade batch` into `out` graded, without what earlier ones have left there. @throws BadInput */
export function readResults(out: string): Results {
  const handed: Handed[] = [];
  const labs = new Map<string, { number: number; maxPoints: number }>();
  for (const { student, state, file } of summaryIn(out)) {
    // A result that does not hold any more says nothing.
    const entry = state === 'open' ? undefined : readEntry(path.join(out, file));
    for (const { lab, number, maxPoints } of entry?.report?.labs ?? []) {
      const known = labs.get(lab);
      if (known !== undefined && known.maxPoints !== maxPoints)
        throw new BadInput(
          `Lab ${lab} has ${known.maxPoints} points in some results and ${maxPoints} in others: two versions of the course ` +
            'graded them. Run grade batch again.',
        );
      labs.set(lab, { number, maxPoints });
    }
    handed.push({
      student,
      ...(entry?.received !== undefined && { received: entry.received }),
      isError: entry === undefined || entry.state === 'error',
      labs:
        entry?.report?.labs.map(({ lab, points, maxPoints, ungradedPoints }) => ({
          lab,
          points,
          maxPoints,
          ungradedPoints,
        })) ?? null,
    });
  }
  const ordered = [...labs].sort(([, one], [, other]) => one.number - other.number);
  return { handed, labs: new Map(ordered.map(([lab, { maxPoints }]) => [lab, maxPoints])) };
}

/** The labs that reports grade, and those of the course that a person has set a grade for. */
export function withOverridden(
  judged: ReadonlyMap<string, number>,
  overrides: readonly Override[],
  course: readonly Lab[],
): Map<string, number> {
  const labs = new Map(judged);
  for (const lab of course)
    if (overrides.some((each) => each.lab === lab.id) && !labs.has(lab.id)) labs.set(lab.id, maxPoints(lab));
  return labs;
}

/** The submissions of the last batch into `out`. @throws BadInput */
export function summaryIn(out: string): SubmissionLine[] {
  const file = path.join(out, SUMMARY);
  if (!fs.existsSync(file))
    throw new BadInput(`There is no ${file}. Give the directory of a grade batch that has run to its end.`);
  try {
    return summarySchema.parse(JSON.parse(fs.readFileSync(file, 'utf8'))).submissions;
  } catch {
    throw new BadInput(`${file} was not written by grade batch. Give the directory of its results.`);
  }
}
