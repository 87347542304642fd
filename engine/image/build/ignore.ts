/** What a `.dockerignore` leaves out. Dockerfile reference, ".dockerignore file". */

import { posix } from 'node:path';
import { type Glob, newGlob } from '../glob.ts';

/** More would be matched with each file of the context. */
export const RULES_MAX = 10_000;

interface Rule {
  glob: Glob;
  /** Takes back what rules before it leave out. */
  isException: boolean;
}

/**
 * @returns whether a path (without a leading `/`) is left out.
 * @throws PatternTooLong, and Error for more rules than RULES_MAX
 */
export function newIgnoreFilter(text: string): (path: string) => boolean {
  const rules = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((line) => ruleOf(line) ?? []);
  if (rules.length > RULES_MAX)
    throw new Error(`.dockerignore has ${rules.length} rules; use at most ${RULES_MAX}, and "**" for many files`);
  // Only the last one that fits counts, so the search begins at the end.
  rules.reverse();
  return (path) => {
    const found = rules.find(({ glob }) => glob.matchesWithin(path));
    return found !== undefined && !found.isException;
  };
}

function ruleOf(line: string): Rule | undefined {
  const text = line.trim();
  if (text === '' || line.startsWith('#')) return undefined;
  const isException = text.startsWith('!');
  const given = isException ? text.slice(1).trim() : text;
  if (given === '') return undefined;
  const cleaned = posix.normalize(given);
  const pattern = cleaned.replace(/^\/(?=.)/, '').replace(/(?<=.)\/$/, '');
  return { glob: newGlob(pattern, { directories: true }), isException };
}
