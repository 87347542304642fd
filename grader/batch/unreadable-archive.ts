/** An archive cannot be read, which is for the student to mend. The message goes on after "The archive cannot be read: ". */
export class UnreadableArchive extends Error {
  override readonly name = 'UnreadableArchive';
}
