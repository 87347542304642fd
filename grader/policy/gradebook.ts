/** The grades of a class, for people and for programs. */

import stringWidth from 'string-width';
import { printable } from '../batch/printable.ts';
import type { Grade } from './grades.ts';

export const GRADES_VERSION = 'skiff/grades/v1';

export function gradesDocument(grades: readonly Grade[]) {
  return { schema: GRADES_VERSION, grades };
}

/** A column for each lab; `*` marks what a person has set, `-` what is late, `open` what is not graded yet. */
export function gradesTable(grades: readonly Grade[], labs: readonly string[]): string {
  const students = [...new Set(grades.map(({ student }) => student))];
  const rows = [
    ['student', ...labs],
    ...students.map((student) => [
      printable(student),
      ...labs.map((lab) => cellOf(grades.find((each) => each.student === student && each.lab === lab))),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => stringWidth(row[column]!))));
  const line = (row: string[]) =>
    row.map((cell, column) => `${cell}${' '.repeat(widths[column]! - stringWidth(cell))}`).join('  ');
  const notes = grades
    .filter(({ note }) => note !== undefined)
    .map(({ student, lab, note }) => `${printable(student)}, ${lab}: ${printable(note!)}`);
  return [...rows.map((row) => line(row).trimEnd()), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

function cellOf(grade: Grade | undefined): string {
  if (grade === undefined) return '';
  if (grade.points === null) return 'open';
  const mark = grade.override !== undefined ? '*' : grade.late.kept < 1 ? '-' : '';
  return `${grade.points}${mark}`;
}
