/** What was typed, or what it names, cannot be graded: a whole sentence with the way out. The command exits with 2. */
export class BadInput extends Error {
  override readonly name = 'BadInput';
}
