/** Names that differ in every run. */

import { draw } from '../../../grader/harness/random.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_';

/**
 * Different names of three to seven characters, of which none begins with another.
 * @param alphabet the characters to use; without it they are names of variables.
 */
export function names(count: number, alphabet?: string): string[] {
  const found: string[] = [];
  while (found.length < count) {
    const first = draw.pick([...(alphabet ?? LETTERS)]);
    const rest = Array.from({ length: draw.int(2, 6) }, () => draw.pick([...(alphabet ?? `${LETTERS}0123456789`)]));
    const name = [first, ...rest].join('');
    if (!found.some((other) => other.startsWith(name) || name.startsWith(other))) found.push(name);
  }
  return found;
}
