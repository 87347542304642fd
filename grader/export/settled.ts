/** Reports of a class with deadlines, attempts and grades set by hand counted in. */

import { BadInput } from '../bad-input.ts';
import type { Lab } from '../lab.ts';
import { withoutGaps } from '../policy/command.ts';
import { type Grade, gradesOf, type Handed } from '../policy/grades.ts';
import { type Override, overrideOf, readOverrides } from '../policy/overrides.ts';
import type { Policy } from '../policy/policy.ts';
import { withOverridden } from '../policy/results.ts';
import { type ReadReport, studentOf } from './course-class.ts';
import { batchOf } from './current-results.ts';
import { plainLine } from './judged-tests.ts';
import type { SkippedResult } from './read-reports.ts';

export interface Settled {
  /** Of several attempts at a lab, the one that counts. */
  reports: ReadReport[];
  grades: Grade[];
}

/**
 * @param skipped results without a report: a person may have set a grade for them, and a fault of the grader keeps one open.
 * @throws BadInput for a deadline and a submission without a time, and for overrides that cannot be read or do not agree
 */
export function settled(
  reports: readonly ReadReport[],
  skipped: readonly SkippedResult[],
  policy: Policy,
  course: readonly Lab[],
): Settled {
  const handed = [...reports.map(handedOf), ...skipped.map(handedWithoutReport)];
  const judged = new Map(reports.flatMap(({ report }) => report.labs.map(({ lab, maxPoints }) => [lab, maxPoints])));
  const overrides = overridesOf([...reports, ...skipped]);
  const grades = withoutGaps(gradesOf(handed, withOverridden(judged, overrides, course), policy, overrides));
  const isChosen = (read: ReadReport, lab: string) => {
    const grade = grades.find((each) => each.student === studentOf(read) && each.lab === lab);
    return grade?.received === undefined || grade.received === read.received;
  };
  return {
    reports: reports.map((read) => {
      const kept = read.report.labs.filter(({ lab }) => isChosen(read, lab));
      return { ...read, report: { ...read.report, labs: kept } };
    }),
    grades,
  };
}

function handedOf(read: ReadReport): Handed {
  return {
    student: studentOf(read),
    ...(read.received !== undefined && { received: read.received }),
    isError: false,
    labs: read.report.labs,
  };
}

function handedWithoutReport({ student, received, isError }: SkippedResult): Handed {
  return { student, ...(received !== undefined && { received }), isError, labs: null };
}

/** Those that count, of every batch that the results are of; names as exports have them. */
function overridesOf(results: readonly { from: string }[]): Override[] {
  const counting = new Map<string, Override>();
  for (const out of new Set(results.flatMap(({ from }) => batchOf(from) ?? []))) {
    const all = readOverrides(out);
    for (const { student, lab } of all) {
      const override = overrideOf(all, student, lab);
      if (override === undefined) continue;
      const own = { ...override, student: plainLine(student) };
      const key = JSON.stringify([own.student, lab]);
      const other = counting.get(key);
      if (other !== undefined && other.points !== own.points)
        throw new BadInput(
          `Two results have different grades set by hand for ${own.student}, lab ${lab}: ${other.points} and ${own.points}. ` +
            'Take one of them back with ./grade override.',
        );
      counting.set(key, own);
    }
  }
  return [...counting.values()];
}
