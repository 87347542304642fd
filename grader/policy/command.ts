/** `grade gradebook` and `grade override`. */

import os from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { BadInput } from '../bad-input.ts';
import { printable } from '../batch/printable.ts';
import { refuse } from '../batch/submission.ts';
import { findLab } from '../check.ts';
import { home } from '../harness/home.ts';
import { maxPoints, readLabs } from '../lab.ts';
import { nearest } from '../workshop/nearest.ts';
import { gradesDocument, gradesTable } from './gradebook.ts';
import { type Gap, type Grade, gradesOf } from './grades.ts';
import { addOverride, readOverrides } from './overrides.ts';
import { noPolicy, type Policy, readPolicy } from './policy.ts';
import { readResults, withOverridden } from './results.ts';

export function addGradebook(program: Command): void {
  program
    .command('gradebook')
    .description('print the grades of a class: deadlines, attempts and grades set by hand are counted in')
    .argument('<results>', 'the directory that grade batch wrote to with --out')
    .option('--policy <file>', 'deadlines, lateness, extensions and attempts, as JSON')
    .option('--json', 'print the grades as JSON')
    .addHelpText(
      'after',
      '\nA policy, in which everything but "schema" may be left out:\n' +
        '  { "schema": "skiff/policy/v1",\n' +
        '    "labs": { "store": { "due": "2026-12-04T23:59:00+01:00" } },\n' +
        '    "extensions": { "ada": { "store": "2026-12-11T23:59:00+01:00" } },\n' +
        '    "late": { "grace": "15m", "perDay": 10, "cutOff": "7d" },\n' +
        '    "attempts": { "count": "best", "most": 10, "perDay": 3 } }' +
        '\n\nExamples:\n  ./grade gradebook grades --policy policy.json\n  ./grade gradebook grades --json',
    )
    .action((results: string, { policy, json }: { policy?: string; json?: boolean }) => {
      const course = readLabs(home);
      const overrides = readOverrides(results);
      const { handed, labs: judged } = readResults(results);
      const labs = withOverridden(judged, overrides, course);
      const terms = policyOf(
        policy,
        course.map(({ id }) => id),
        handed.map(({ student }) => student),
      );
      const grades = withoutGaps(gradesOf(handed, labs, terms, overrides));
      process.stdout.write(
        json ? `${JSON.stringify(gradesDocument(grades), null, 2)}\n` : `${gradesTable(grades, [...labs.keys()])}\n`,
      );
    });
}

/** @throws BadInput for a policy with an extension for what looks like a slip in the name of another student */
export function policyOf(file: string | undefined, labs: readonly string[], students: readonly string[]): Policy {
  if (file === undefined) return noPolicy;
  const policy = readPolicy(file, labs);
  const unknown = Object.keys(policy.extensions).filter((student) => !students.includes(student));
  const slips = unknown.filter((student) => nearest(student, students) !== undefined);
  refuse(slips.map((student) => `The policy ${file}, extensions: ${unknownStudent(student, students)}`));
  // An extension is often of a student who has not handed in yet.
  for (const student of unknown)
    process.stderr.write(
      `The policy ${file} has an extension for "${printable(student)}", who has handed in nothing.\n`,
    );
  return policy;
}

/** @throws BadInput that names every grade that cannot be made */
export function withoutGaps({ grades, gaps }: { grades: Grade[]; gaps: Gap[] }): Grade[] {
  refuse(
    gaps.map(({ student, lab, why }) => `${student}, ${lab}: ${why}. Fill in the column "received" of the roster.`),
  );
  return grades;
}

interface OverrideOptions {
  why: string;
  by?: string;
}

export function addOverrideCommand(program: Command): void {
  program
    .command('override')
    .description('set a grade by hand: it wins over what is judged, also in later runs')
    .argument('<results>', 'the directory that grade batch wrote to with --out')
    .argument('<student>', 'as grade batch names the student')
    .argument('<lab>', 'id, number or folder name')
    .argument('<points>', 'a number; "none" takes an override back', pointsOf)
    .requiredOption('--why <text>', 'the reason, which the student gets to read')
    .option('--by <name>', 'who decided it (default: the user who runs the command)')
    .addHelpText(
      'after',
      '\nExamples:\n  ./grade override grades ada store 85 --why "oral exam"' +
        '\n  ./grade override grades ada store none --why "entered for the wrong student"',
    )
    .action(
      async (results: string, student: string, typed: string, points: number | null, options: OverrideOptions) => {
        const { why, by = userName() } = options;
        for (const [name, text] of Object.entries({ '--why': why, '--by': by }))
          if (text.trim() === '' || /\p{Cc}/u.test(text)) throw new BadInput(`${name} must be one line of text.`);
        const lab = findLab(readLabs(home), typed);
        const { handed, labs } = readResults(results);
        const most = labs.get(lab.id) ?? maxPoints(lab);
        if (points !== null && points > most)
          throw new BadInput(`Lab ${lab.id} has ${most} points; ${points} are more than that.`);
        const students = handed.map((each) => each.student);
        const isKnown = students.includes(student) || readOverrides(results).some((each) => each.student === student);
        if (!isKnown) throw new BadInput(unknownStudent(student, students));
        const override = { student, lab: lab.id, points, by, at: new Date().toISOString(), why };
        await addOverride(results, override);
        process.stdout.write(
          points === null
            ? `${printable(student)}, ${lab.id}: what is judged counts again.\n`
            : `${printable(student)}, ${lab.id}: ${points} of ${most} points, set by ${by}.\n`,
        );
      },
    );
}

/** A user id may have no name, in a container say. */
function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return `user ${process.getuid?.()}`;
  }
}

function unknownStudent(typed: string, students: readonly string[]): string {
  const near = nearest(typed, students);
  return `The results hold no student "${printable(typed)}".${near === undefined ? '' : ` Did you mean "${near}"?`}`;
}

function pointsOf(text: string): number | null {
  if (text === 'none') return null;
  const points = /^\d{1,4}(\.\d{1,2})?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(points)) throw new InvalidArgumentError('It must be a number of at most two decimals, or "none".');
  return points;
}
