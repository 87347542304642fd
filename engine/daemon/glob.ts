/**
 * Go's path.Match: `*` any characters but `/`, `?` one of them, `[a-z]` and `[^a-z]` classes, `\\` takes what follows as it
 * is. A pattern that is none matches nothing. Time grows with the product of both lengths at most.
 */
export function globMatches(pattern: string, name: string): boolean {
  let [at, from] = [0, 0];
  /** Where to go on when what follows the last star does not fit. */
  let star: { at: number; from: number } | undefined;
  while (from < name.length || at < pattern.length) {
    if (pattern[at] === '*') {
      star = { at: at + 1, from };
      at += 1;
      continue;
    }
    const next = from < name.length ? matchOne(pattern, at, name[from] as string) : undefined;
    if (next !== undefined) {
      at = next;
      from += 1;
      continue;
    }
    if (star === undefined || from >= name.length || name[star.from] === '/') return false;
    star.from += 1;
    [at, from] = [star.at, star.from];
  }
  return true;
}

/** Where the pattern goes on after `character`; undefined when it does not fit. */
function matchOne(pattern: string, at: number, character: string): number | undefined {
  const one = pattern[at];
  if (one === undefined) return undefined;
  if (one === '?') return character === '/' ? undefined : at + 1;
  if (one === '[') return matchClass(pattern, at + 1, character);
  if (one === '\\') return pattern[at + 1] === character ? at + 2 : undefined;
  return one === character ? at + 1 : undefined;
}

function matchClass(pattern: string, start: number, character: string): number | undefined {
  const negated = pattern[start] === '^';
  let at = negated ? start + 1 : start;
  let fits = false;
  for (let first = true; first || pattern[at] !== ']'; first = false) {
    const low = pattern[at];
    if (low === undefined) return undefined;
    const high = pattern[at + 1] === '-' ? pattern[at + 2] : undefined;
    if (character >= low && character <= (high ?? low)) fits = true;
    at += high === undefined ? 1 : 3;
  }
  return fits !== negated ? at + 1 : undefined;
}
