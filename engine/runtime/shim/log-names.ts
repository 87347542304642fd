/** How the files of one log are called: the one that is written, for 0, the one before it, for 1, and so on. */
export function rotatedName(path: string, number: number): string {
  return number === 0 ? path : `${path}.${number}`;
}
