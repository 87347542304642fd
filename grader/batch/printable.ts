/** A name is a folder's or a roster's, and may hold what moves a cursor. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, '\ufffd');
}
