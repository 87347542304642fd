/** What a learning platform's gradebook already has, so that an import changes no grade that it should not. */

import { BadInput } from '../bad-input.ts';
import { type CourseClass, type CourseLab, finalPoints, type Student } from './course-class.ts';

/** The roster's column for a lab: its label, title or id, with what Canvas (an id) or Moodle (`Real`) adds in brackets. */
export function columnOf({ id, label, title }: CourseLab, { columns }: CourseClass): string | undefined {
  const names = [label, title, id].map((name) => name.toLowerCase());
  return columns.find((column) => names.includes(column.replace(/ \((?:\d+|Real)\)$/, '').toLowerCase()));
}

/** Students with a grade to enter. A row without one would change nothing, or delete something. */
export function studentsWithGrades({ students, labs }: CourseClass): Student[] {
  return students.filter((student) => labs.some(({ id }) => finalPoints(student, id) !== undefined));
}

/**
 * Both Canvas and Moodle take an empty cell as "delete the grade", so it may only stand where the gradebook has none.
 * @param isKnown whether it is known what the gradebook has for the lab
 * @throws BadInput
 */
export function refuseUnknownBlanks(course: CourseClass, isKnown: (lab: CourseLab) => boolean): void {
  for (const lab of course.labs.filter((each) => !isKnown(each))) {
    const open = studentsWithGrades(course).filter((student) => finalPoints(student, lab.id) === undefined);
    if (open.length === 0) continue;
    const others = open.length === 1 ? '' : ` and ${open.length - 1} more`;
    throw new BadInput(
      `There is no grade for lab ${lab.id} of ${open[0]!.key}${others}, and an empty cell would delete what the platform has. ` +
        `Export one lab at a time with --lab ${lab.id}, or give the gradebook exported from the platform with --roster.`,
    );
  }
}
