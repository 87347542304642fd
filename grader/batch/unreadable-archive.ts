/** Faults of what was handed in: they are reported to the student, and never as faults of the grader. */

/** A directory may not be read by the grader, which is for the student to mend. A whole sentence. */
export class UnreadableDirectory extends Error {
  override readonly name = 'UnreadableDirectory';
}

/** An archive cannot be read, which is for the student to mend. The message goes on after "The archive cannot be read: ". */
export class UnreadableArchive extends Error {
  override readonly name = 'UnreadableArchive';
}

/** Whether a mode is in the way of the grader. */
export function isForbidden(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
}
