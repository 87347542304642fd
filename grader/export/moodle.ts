/**
 * Grades for Moodle's CSV import: one column that names the student, then a grade and a feedback for each lab. Both are there
 * because an imported feedback without a grade takes the grade away.
 */

import {
  type CourseClass,
  type CourseLab,
  feedbackFor,
  finalPoints,
  rosterValue,
  type Student,
} from './course-class.ts';
import { csvTable } from './csv.ts';
import type { ClassExporter } from './exporter.ts';
import { columnOf, refuseUnknownBlanks, studentsWithGrades } from './gradebook.ts';

export const moodle: ClassExporter = {
  name: 'moodle',
  about: 'Moodle: grades and feedback of a class, for Grades > Import > CSV file',
  extension: 'csv',
  ofClass: (course) => {
    refuseUnknownBlanks(course, (lab) => columnOf(lab, course) !== undefined);
    const students = studentsWithGrades(course);
    const hasMail = students.length > 0 && students.every((student) => mailOf(student) !== '');
    return csvTable([
      [hasMail ? 'Email address' : 'Username', ...course.labs.flatMap(({ label }) => [label, `${label} (feedback)`])],
      ...students.map((student) => [
        hasMail ? mailOf(student) : rosterValue(student, 'Username', 'username') || student.key,
        ...course.labs.flatMap((lab) => gradeCells(student, lab, course)),
      ]),
    ]);
  },
};

function mailOf(student: Student): string {
  return rosterValue(student, 'Email address', 'email', 'Email');
}

function gradeCells(student: Student, lab: CourseLab, course: CourseClass): [number | string, string] {
  const points = finalPoints(student, lab.id);
  if (points !== undefined) return [points, feedbackFor(student, lab.id)];
  // Moodle writes "-" for a grade that is absent, and takes it for one.
  const kept = rosterValue(student, columnOf(lab, course) ?? '');
  return [kept === '-' ? '' : kept, rosterValue(student, `${lab.label} (feedback)`, `${lab.label} (Feedback)`)];
}
