/** Reports of a class with deadlines, attempts and grades set by hand counted in. */

import path from 'node:path';
import { withoutGaps } from '../policy/command.ts';
import { type Grade, gradesOf, type Handed } from '../policy/grades.ts';
import { readOverrides } from '../policy/overrides.ts';
import type { Policy } from '../policy/policy.ts';
import { type ReadReport, studentOf } from './course-class.ts';

export interface Settled {
  /** Of several attempts at a lab, the one that counts. */
  reports: ReadReport[];
  grades: Grade[];
}

/** @throws BadInput for a deadline and a submission without a time, and for overrides that cannot be read. */
export function settled(reports: readonly ReadReport[], policy: Policy): Settled {
  const handed = reports.map(handedOf);
  const labs = new Map(reports.flatMap(({ report }) => report.labs.map(({ lab, maxPoints }) => [lab, maxPoints])));
  const overrides = [...new Set(reports.flatMap(resultsOf))].flatMap(readOverrides);
  const grades = withoutGaps(gradesOf(handed, labs, policy, overrides));
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

/** The directory of the batch that a result lies in: grades set by hand are kept there. */
function resultsOf({ from, student }: ReadReport): string[] {
  const folder = path.dirname(path.resolve(from));
  return student !== undefined && path.basename(folder) === 'submissions' ? [path.dirname(folder)] : [];
}
