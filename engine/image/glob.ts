/**
 * Patterns from strangers, matched in time that grows with the product of both lengths and never faster: everything that
 * a pattern may still become is followed at once, character by character, and nothing is tried twice.
 */

/** What the text has to have next. */
type Token =
  | { kind: 'one'; character: string }
  | { kind: 'class'; ranges: [low: string, high: string][]; negated: boolean }
  /** One character, not `/` unless the pattern is loose; the same goes for a class. */
  | { kind: 'any' }
  /** Any number of these. */
  | { kind: 'star' }
  /** Any number of directories, each with its slash. */
  | { kind: 'directories' }
  /** Anything. */
  | { kind: 'rest' };

export interface GlobOptions {
  /** Whether `**` stands for any number of directories, as in a `.dockerignore`. */
  directories?: boolean;
  /** Whether `*` and `?` stand for `/` too, as in the shell's `${NAME#pattern}`. */
  loose?: boolean;
}

/** Characters: as long as a path can be. limits.h, PATH_MAX. */
export const PATTERN_MAX = 4096;

export class PatternTooLong extends Error {
  readonly code = 'PATTERN_TOO_LONG';
  override readonly name = 'PatternTooLong';
}

/**
 * Go's path.Match: `*`, `?`, `[a-z]`, `[^a-z]`; `\` makes the character after it plain. A `[` without its end is plain.
 * @throws PatternTooLong above PATTERN_MAX characters
 */
export function newGlob(pattern: string, { directories = false, loose = false }: GlobOptions = {}): Glob {
  if (pattern.length > PATTERN_MAX)
    throw new PatternTooLong(
      `the pattern "${pattern.slice(0, 40)}…" has ${pattern.length} characters; use at most ${PATTERN_MAX}`,
    );
  return new Glob(tokensOf([...pattern], directories), loose);
}

/** Whether the pattern fits the whole name; one that is too long fits nothing. */
export function globMatches(pattern: string, name: string): boolean {
  return pattern.length <= PATTERN_MAX && newGlob(pattern).matches(name);
}

/** Of a state that may go on behind its token, and of one that is in the middle of a directory's name. */
const OPEN = 1;
const INSIDE = 2;

export class Glob {
  readonly #tokens: Token[];
  readonly #loose: boolean;
  /** The whole pattern, when every character of it stands for itself. */
  readonly #literal: string | undefined;

  constructor(tokens: Token[], loose: boolean) {
    this.#tokens = tokens;
    this.#loose = loose;
    const characters = tokens.flatMap((token) => (token.kind === 'one' ? [token.character] : []));
    this.#literal = characters.length === tokens.length ? characters.join('') : undefined;
  }

  matches(text: string): boolean {
    if (this.#literal !== undefined) return text === this.#literal;
    const characters = [...text];
    return this.ends(characters).at(-1) === characters.length;
  }

  /** Whether it fits the path, or a directory that the path is in. */
  matchesWithin(path: string): boolean {
    if (this.#literal !== undefined) return path === this.#literal || path.startsWith(`${this.#literal}/`);
    const characters = [...path];
    return this.ends(characters).some((end) => end > 0 && (end === characters.length || characters[end] === '/'));
  }

  /** Where the parts of `text` end that begin at `from` and that it fits, ascending. */
  ends(text: string[], from = 0): number[] {
    const { length } = this.#tokens;
    let here = new Uint8Array(length + 1);
    let next = new Uint8Array(length + 1);
    const ends: number[] = [];
    here[0] = OPEN;
    for (let at = from; ; at++) {
      this.#passOver(here);
      if (here[length] === OPEN) ends.push(at);
      if (at === text.length || !this.#step(here, next, text[at]!)) return ends;
      [here, next] = [next, here];
      next.fill(0);
    }
  }

  /** The same pattern for a text that is read backwards. Not for one with `directories`. */
  reversed(): Glob {
    return new Glob([...this.#tokens].reverse(), this.#loose);
  }

  /** What may stand for nothing lets the token behind it begin here too. */
  #passOver(states: Uint8Array): void {
    for (const [state, { kind }] of this.#tokens.entries())
      if (states[state] === OPEN && (kind === 'star' || kind === 'directories' || kind === 'rest'))
        states[state + 1] = OPEN;
  }

  /** @returns whether anything can still become of it. */
  #step(here: Uint8Array, next: Uint8Array, character: string): boolean {
    let isAlive = false;
    const separates = character === '/' && !this.#loose;
    for (const [state, token] of this.#tokens.entries()) {
      if (here[state] === 0) continue;
      let [to, value] = [state, OPEN];
      if (token.kind === 'directories') value = character === '/' ? OPEN : INSIDE;
      else if (token.kind === 'star') {
        if (separates) continue;
      } else if (token.kind !== 'rest') {
        if (!fits(token, character, separates)) continue;
        to = state + 1;
      }
      if (next[to] !== OPEN) next[to] = value;
      isAlive = true;
    }
    return isAlive;
  }
}

function fits(token: Token, character: string, separates: boolean): boolean {
  if (token.kind === 'one') return token.character === character;
  if (separates) return false;
  if (token.kind === 'any') return true;
  return (
    token.kind === 'class' &&
    token.ranges.some(([low, high]) => low <= character && character <= high) !== token.negated
  );
}

function tokensOf(pattern: string[], directories: boolean): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === '*') {
      let last = at;
      while (pattern[last + 1] === '*') last += 1;
      const isDouble = directories && last > at;
      at = isDouble && pattern[last + 1] === '/' ? last + 1 : last;
      tokens.push({ kind: !isDouble ? 'star' : at === pattern.length - 1 ? 'rest' : 'directories' });
    } else if (character === '?') tokens.push({ kind: 'any' });
    else if (character === '\\' && at + 1 < pattern.length) tokens.push({ kind: 'one', character: pattern[++at]! });
    else {
      const found = character === '[' ? classAt(pattern, at + 1) : undefined;
      tokens.push(found?.token ?? { kind: 'one', character });
      at = found?.end ?? at;
    }
  }
  return tokens;
}

/** @param start behind the `[`. @returns undefined when there is no `]`. */
function classAt(pattern: string[], start: number): { token: Token; end: number } | undefined {
  const negated = pattern[start] === '^';
  const ranges: [string, string][] = [];
  let at = negated ? start + 1 : start;
  for (let first = true; first || pattern[at] !== ']'; first = false) {
    const read = () => (pattern[at] === '\\' && at + 1 < pattern.length ? pattern[at + 1] : pattern[at]);
    const width = () => (pattern[at] === '\\' ? 2 : 1);
    const low = read();
    if (low === undefined) return undefined;
    at += width();
    const isRange = pattern[at] === '-' && pattern[at + 1] !== ']' && pattern[at + 1] !== undefined;
    if (isRange) at += 1;
    const high = isRange ? read()! : low;
    if (isRange) at += width();
    ranges.push([low, high]);
  }
  return { token: { kind: 'class', ranges, negated }, end: at };
}
