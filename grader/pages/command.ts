/** `grade report`: the results of a batch as pages. */

import path from 'node:path';
import type { Command } from 'commander';
import { readEntry } from '../batch/entry.ts';
import { writeDocument } from '../export/write-document.ts';
import { home } from '../harness/home.ts';
import { readLabs } from '../lab.ts';
import { policyOf, withoutGaps } from '../policy/command.ts';
import { type Grade, gradesOf } from '../policy/grades.ts';
import { readOverrides } from '../policy/overrides.ts';
import { readResults, type SubmissionLine, summaryIn, withOverridden } from '../policy/results.ts';
import type { LabReport } from '../report.ts';
import { type ClassLab, type ClassStudent, classPage } from './class-page.ts';
import { mistakesOf } from './mistakes.ts';
import { TestCounts } from './statistics.ts';
import { studentPage } from './student-page.ts';

interface Options {
  policy?: string;
  out?: string;
  title: string;
  json?: boolean;
}

export function addReport(program: Command): void {
  program
    .command('report')
    .description('write the results of a batch as web pages: one of the class, and one to send to each student')
    .argument('<results>', 'the directory that grade batch wrote to with --out')
    .option('--policy <file>', 'count in deadlines, lateness and attempts, as grade gradebook does')
    .option('--out <directory>', 'write the pages there (default: report/ in the results)')
    .option('--title <text>', 'the heading of the page of the class', 'Grades of the class')
    .option('--json', 'print which files were written as JSON')
    .addHelpText(
      'after',
      '\nThe pages need no network and no program but a browser. The page of a student names no other student.' +
        '\n\nExamples:\n  ./grade report grades\n  ./grade report grades --policy policy.json --out pages --title "Containers, autumn"',
    )
    .action(report);
}

function report(results: string, { policy, out = path.join(results, 'report'), title, json }: Options): void {
  const course = readLabs(home);
  const overrides = readOverrides(results);
  const { handed, labs: judged } = readResults(results);
  const labs = withOverridden(judged, overrides, course);
  const students = [...new Set(handed.map(({ student }) => student))].sort();
  const terms = policyOf(
    policy,
    course.map(({ id }) => id),
    students,
  );
  const grades = withoutGaps(gradesOf(handed, labs, terms, overrides));
  const counts = new Map([...labs.keys()].map((lab) => [lab, new TestCounts()]));
  const titles = new Map<string, { number: number; title: string }>();
  const lines = summaryIn(results);
  const written: string[] = [];
  const rows = students.map((student): ClassStudent => {
    const own = lines.filter((line) => line.student === student);
    const ownGrades = grades.filter((grade) => grade.student === student);
    const reports = reportsThatCount(results, own, ownGrades);
    for (const [lab, labReport] of reports) {
      counts.get(lab)!.add(labReport);
      titles.set(lab, { number: labReport.number, title: labReport.title });
    }
    const remarks = own.filter(({ state }) => state !== 'graded').map(({ state, reason }) => remarkOf(state, reason));
    // The name of a result is fit for a file, and one of its own.
    const file = path.join('students', `${path.basename(own[0]!.file, '.json')}.html`);
    writeDocument(path.join(out, file), studentPage({ student, grades: ownGrades, reports, remarks }), 0o600);
    written.push(path.join(out, file));
    return { student, href: file.split('/').map(encodeURIComponent).join('/'), grades: ownGrades, remarks };
  });
  const classLabs = [...labs].map(([id, points]): ClassLab => {
    const known = course.find((lab) => lab.id === id);
    return {
      id,
      number: titles.get(id)?.number ?? known?.number ?? 0,
      title: titles.get(id)?.title ?? known?.title ?? id,
      maxPoints: points,
      failures: counts.get(id)!.failures(),
      mistakes: known === undefined ? new Map() : mistakesOf(known),
    };
  });
  const received = handed.flatMap((each) => (each.received === undefined ? [] : [each.received]));
  const index = path.join(out, 'index.html');
  const madeAt = new Date().toISOString();
  writeDocument(index, classPage({ title, labs: classLabs, students: rows, received, madeAt }), 0o600);
  process.stdout.write(
    json
      ? `${JSON.stringify({ files: [index, ...written] }, null, 2)}\n`
      : `${index}: the class. ${written.length} pages of students in ${path.join(out, 'students')}\n`,
  );
}

/** By the lab's id: of several attempts the one that the grade is of. */
function reportsThatCount(results: string, own: readonly SubmissionLine[], grades: readonly Grade[]) {
  const reports = new Map<string, LabReport>();
  for (const { file, state } of own) {
    const entry = state === 'open' ? undefined : readEntry(path.join(results, file));
    for (const lab of entry?.report?.labs ?? []) {
      const grade = grades.find((each) => each.lab === lab.lab);
      if (grade?.received === undefined || grade.received === entry?.received) reports.set(lab.lab, lab);
    }
  }
  return reports;
}

function remarkOf(state: string, reason: string | undefined): string {
  const said: Record<string, string> = {
    empty: 'Handed in without any file of a lab.',
    unreadable: 'Handed in what cannot be read.',
    error: 'The grader failed; this is not a grade.',
    open: 'Not graded yet.',
  };
  // The words of a fault of the grader are about the instructor's machine.
  return [said[state] ?? state, ...(reason === undefined || state === 'error' ? [] : [reason])].join(' ');
}
