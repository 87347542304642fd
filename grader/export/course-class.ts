/** Reports of many submissions as one class: students, labs, and who has which grade. */

import path from 'node:path';
import { BadInput } from '../bad-input.ts';
import type { Lab } from '../lab.ts';
import type { Grade } from '../policy/grades.ts';
import type { LabReport, Report } from '../report.ts';
import { feedbackOf, plainLine } from './judged-tests.ts';
import type { Roster, RosterRow } from './roster.ts';

export interface CourseLab {
  id: string;
  /** E.g. `Lab 1: A process`. */
  label: string;
  title: string;
  maxPoints: number;
}

export interface Student {
  /** As `grade batch` names the student, or the name of the submission's directory. */
  key: string;
  /** What the roster says about the student; empty without a roster. */
  row: RosterRow;
  /** RFC 3339; of the newest report. */
  gradedAt: string;
  /** By the lab's id. A lab without a report is absent. */
  labs: ReadonlyMap<string, LabReport>;
  /** By the lab's id: what deadlines, attempts and people have made of it. Where absent, the report counts as it is. */
  grades: ReadonlyMap<string, Grade>;
}

export interface CourseClass {
  labs: readonly CourseLab[];
  students: readonly Student[];
  /** The roster's column names; empty without a roster. */
  columns: readonly string[];
}

export interface ReadReport {
  /** Where it was read from, for messages. */
  from: string;
  report: Report;
  /** Who handed it in, if that is known; else the name of the submission says so. */
  student?: string;
  /** RFC 3339: when a server saw it, if that is known. */
  received?: string;
}

/** Several reports of one student are one student, if no lab is in two of them. @throws BadInput */
export function courseClass(
  reports: readonly ReadReport[],
  roster?: Roster,
  grades: readonly Grade[] = [],
  course: readonly Lab[] = [],
): CourseClass {
  const students = new Map<string, { student: Student; labs: Map<string, LabReport>; from: Map<string, string> }>();
  for (const { from, report, student } of reports) {
    const key = studentOf({ from, report, student });
    const known = students.get(key.toLowerCase());
    const labs = known?.labs ?? new Map<string, LabReport>();
    const origin = known?.from ?? new Map<string, string>();
    for (const lab of report.labs) {
      if (labs.has(lab.lab))
        throw new BadInput(
          `${origin.get(lab.lab)} and ${from} both grade lab ${plainLine(lab.lab)} of "${key}". Give one of the two.`,
        );
      labs.set(lab.lab, lab);
      origin.set(lab.lab, from);
    }
    const gradedAt = known && known.student.gradedAt > report.gradedAt ? known.student.gradedAt : report.gradedAt;
    const row = roster?.rowOf(key) ?? {};
    students.set(key.toLowerCase(), {
      student: { key, row, gradedAt, labs, grades: gradesFor(key, grades) },
      labs,
      from: origin,
    });
  }
  // A person may have set a grade where nothing could be judged.
  for (const { student: key, override } of grades)
    if (override !== undefined && !students.has(key.toLowerCase())) {
      const labs = new Map<string, LabReport>();
      const row = roster?.rowOf(key) ?? {};
      const student = { key, row, gradedAt: override.at, labs, grades: gradesFor(key, grades) };
      students.set(key.toLowerCase(), { student, labs, from: new Map() });
    }
  const all = [...students.values()].map(({ student }) => student);
  return {
    labs: labsOf(reports, grades, course),
    students: all.sort((one, other) => (one.key < other.key ? -1 : 1)),
    columns: roster?.columns ?? [],
  };
}

function gradesFor(key: string, grades: readonly Grade[]): ReadonlyMap<string, Grade> {
  const own = grades.filter(({ student }) => student.toLowerCase() === key.toLowerCase());
  return new Map(own.map((grade) => [grade.lab, grade]));
}

/** Who a report is about. @throws BadInput for a directory that names no student */
export function studentOf({ student, report, from }: ReadReport): string {
  return keyOf(student ?? path.basename(report.submission), report, from);
}

function keyOf(name: string, { submission }: Report, from: string): string {
  const key = plainLine(name);
  if (key !== '' && key !== '.' && key !== '..') return key;
  throw new BadInput(
    `${from} is about the directory "${plainLine(submission)}", which does not name a student. ` +
      'Grade a directory that has the name of the student.',
  );
}

type LabFacts = Pick<LabReport, 'lab' | 'number' | 'title' | 'maxPoints'>;

/** Those that reports grade, and those of the course that have a grade without a report: open, or set by hand. */
function labsOf(reports: readonly ReadReport[], grades: readonly Grade[], course: readonly Lab[]): CourseLab[] {
  const labs = new Map<string, { lab: LabFacts; from: string }>();
  for (const { from, report } of reports)
    for (const lab of report.labs) {
      const known = labs.get(lab.lab);
      if (known !== undefined && known.lab.maxPoints !== lab.maxPoints)
        throw new BadInput(
          `Lab ${plainLine(lab.lab)} has ${known.lab.maxPoints} points in ${known.from} and ${lab.maxPoints} in ${from}: ` +
            'two versions of the course graded them. Grade all of them with one version.',
        );
      labs.set(lab.lab, known ?? { lab, from });
    }
  for (const { id, number, title } of course) {
    const grade = grades.find((each) => each.lab === id);
    if (grade !== undefined && !labs.has(id))
      labs.set(id, { lab: { lab: id, number, title, maxPoints: grade.maxPoints }, from: 'the grades' });
  }
  return [...labs.values()]
    .map(({ lab }) => lab)
    .sort((one, other) => one.number - other.number || (one.lab < other.lab ? -1 : 1))
    .map(({ lab, number, title, maxPoints }) => ({
      id: lab,
      label: `Lab ${number}: ${plainLine(title) || plainLine(lab)}`,
      title: plainLine(title),
      maxPoints,
    }));
}

/** The points of a lab; undefined if it has no report, or if some of its points could not be graded. */
export function finalPoints(student: Student, lab: string): number | undefined {
  const grade = student.grades.get(lab);
  if (grade !== undefined) return grade.points ?? undefined;
  const report = student.labs.get(lab);
  return report === undefined || report.ungradedPoints > 0 ? undefined : report.points;
}

/** What the student gets to read: what time or a person has done to the grade, then what the tests say. */
export function feedbackFor(student: Student, lab: string): string {
  const report = student.labs.get(lab);
  const note = student.grades.get(lab)?.note;
  return [...(note === undefined ? [] : [plainLine(note)]), ...(report === undefined ? [] : [feedbackOf(report)])].join(
    '\n',
  );
}

/** The first of some columns that has a value for the student. */
export function rosterValue({ row }: Student, ...columns: string[]): string {
  for (const column of columns) {
    const value = plainLine(row[column] ?? '');
    if (value !== '') return value;
  }
  return '';
}

export interface OpenGrade {
  student: string;
  lab: string;
  ungradedPoints: number;
}

/** Grades that cannot be entered yet, because of a fault of the grader or of what the machine lacks. */
export function openGrades({ students }: CourseClass): OpenGrade[] {
  return students.flatMap((student) =>
    [...new Set([...student.labs.keys(), ...student.grades.keys()])]
      .filter((lab) => finalPoints(student, lab) === undefined)
      .map((lab) => ({
        student: student.key,
        lab,
        ungradedPoints: student.grades.get(lab)?.openPoints ?? student.labs.get(lab)!.ungradedPoints,
      })),
  );
}

/** The same reports, with points that could not be graded counted as lost: an instructor's decision, never a default. */
export function withUngradedAsZero(reports: readonly ReadReport[]): ReadReport[] {
  return reports.map((read) => {
    const labs = read.report.labs.map((lab) => ({ ...lab, ungradedPoints: 0 }));
    return { ...read, report: { ...read.report, labs } };
  });
}

/** The same class with one lab only. @throws BadInput if no report grades it */
export function onlyLab(course: CourseClass, wanted: string): CourseClass {
  const labs = course.labs.filter(({ id }) => id === wanted);
  if (labs.length === 0)
    throw new BadInput(
      `None of the reports grades a lab "${wanted}". They grade ${course.labs.map(({ id }) => plainLine(id)).join(', ') || 'nothing'}.`,
    );
  const kept = (all: ReadonlyMap<string, LabReport>) => new Map([...all].filter(([id]) => id === wanted));
  return { ...course, labs, students: course.students.map((each) => ({ ...each, labs: kept(each.labs) })) };
}
