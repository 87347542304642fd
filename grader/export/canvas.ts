/**
 * The gradebook of Canvas, to be imported there: student columns, of which Section is the last, then one column for each lab.
 * Canvas finds a student by ID, SIS User ID, SIS Login ID, then name, and an assignment by `Title (id)` or by its exact title.
 */

import { finalPoints, rosterValue, type Student } from './course-class.ts';
import { csvTable } from './csv.ts';
import type { ClassExporter } from './exporter.ts';
import { columnOf, refuseUnknownBlanks, studentsWithGrades } from './gradebook.ts';

const STUDENT_COLUMNS = ['Student', 'ID', 'SIS User ID', 'SIS Login ID', 'Section'];
/** A row whose first cell contains this sets the points of the columns. */
const POINTS_ROW = 'Points Possible';

export const canvas: ClassExporter = {
  name: 'canvas',
  about: 'Canvas: grades of a class, for Grades > Import (give the exported gradebook as --roster)',
  extension: 'csv',
  ofClass: (course) => {
    // The gradebook shows which assignments there are: a lab that it lacks is a new one.
    const isGradebook = course.columns.includes('Student') && course.columns.includes('ID');
    refuseUnknownBlanks(course, (lab) => isGradebook || columnOf(lab, course) !== undefined);
    const labs = course.labs.map((lab) => ({ ...lab, column: columnOf(lab, course) ?? lab.label }));
    return csvTable([
      [...STUDENT_COLUMNS, ...labs.map(({ column }) => column)],
      [POINTS_ROW, '', '', '', '', ...labs.map(({ maxPoints }) => maxPoints)],
      ...studentsWithGrades(course).map((student) => [
        ...studentCells(student),
        ...labs.map(({ id, column }) => finalPoints(student, id) ?? rosterValue(student, column)),
      ]),
    ]);
  },
};

function studentCells(student: Student): string[] {
  const first = rosterValue(student, 'first_name', 'First name');
  const last = rosterValue(student, 'last_name', 'Last name', 'Surname');
  const composed = last !== '' && first !== '' ? `${last}, ${first}` : last || first;
  const name = rosterValue(student, 'Student') || composed || student.key;
  return [
    // A student of that name would set the points of the columns.
    name.toLowerCase().includes(POINTS_ROW.toLowerCase()) ? 'Student' : name,
    rosterValue(student, 'ID'),
    rosterValue(student, 'SIS User ID'),
    rosterValue(student, 'SIS Login ID', 'username', 'Username') || student.key,
    rosterValue(student, 'Section', 'section'),
  ];
}
