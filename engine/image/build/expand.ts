/** Variables in instructions. Dockerfile reference, "Environment replacement"; POSIX, shell command language, 2.6.2. */

import { Matcher, RE2JS } from 're2js';
import { type Glob, newGlob, PATTERN_MAX } from '../glob.ts';

/** A `${…}` that nobody can read, or a variable that had to be set. */
export class BadSubstitution extends Error {
  readonly code = 'SUBSTITUTION_INVALID';
  override readonly name = 'BadSubstitution';
}

const DEPTH_MAX = 20;
/** Characters. A word may double itself with every variable. */
const LENGTH_MAX = 1024 * 1024;

export function expand(word: string, variables: Record<string, string>, escapeToken = '\\'): string {
  const reader = new Reader(word, new Map(Object.entries(variables)), escapeToken);
  return reader.until('', 0);
}

class Reader {
  readonly #text: string;
  readonly #variables: Map<string, string>;
  readonly #escape: string;
  #at = 0;

  constructor(text: string, variables: Map<string, string>, escapeToken: string) {
    this.#text = text;
    this.#variables = variables;
    this.#escape = escapeToken;
  }

  /** Read to the character `end`, which is consumed; to the end of the text if it is empty. */
  until(end: string, depth: number): string {
    if (depth > DEPTH_MAX) throw new BadSubstitution(`substitutions are nested more than ${DEPTH_MAX} deep`);
    let result = '';
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (character === end) {
        this.#at += 1;
        return result;
      }
      result += this.#next(character, depth);
      if (result.length > LENGTH_MAX) throw new BadSubstitution(`a word becomes longer than ${LENGTH_MAX} characters`);
    }
    if (end !== '')
      throw new BadSubstitution(`syntax error: missing '${end}' in ${JSON.stringify(this.#text.slice(0, 100))}`);
    return result;
  }

  #next(character: string, depth: number): string {
    if (character === "'") return this.#singleQuoted();
    if (character === '"') return this.#doubleQuoted(depth);
    if (character === '$') return this.#variable(depth);
    this.#at += 1;
    if (character !== this.#escape) return character;
    // The last character of all has nothing to escapeToken.
    return this.#at < this.#text.length ? this.#text[this.#at++]! : character;
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end === -1) throw new BadSubstitution(`unexpected end of statement while looking for matching single-quote`);
    const quoted = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return quoted;
  }

  #doubleQuoted(depth: number): string {
    let result = '';
    for (this.#at += 1; this.#at < this.#text.length; ) {
      const character = this.#text[this.#at]!;
      if (character === '"') {
        this.#at += 1;
        return result;
      }
      if (character === '$') {
        result += this.#variable(depth);
        continue;
      }
      const following = this.#text[this.#at + 1] ?? '';
      const plain = character === this.#escape && following !== '' && ['"', '$', this.#escape].includes(following);
      result += plain ? following : character;
      this.#at += plain ? 2 : 1;
    }
    throw new BadSubstitution(`unexpected end of statement while looking for matching double-quote`);
  }

  #variable(depth: number): string {
    this.#at += 1;
    if (this.#text[this.#at] !== '{') {
      const name = this.#name();
      return name === '' ? '$' : (this.#variables.get(name) ?? '');
    }
    this.#at += 1;
    const name = this.#name();
    if (name === '')
      throw new BadSubstitution(
        `bad substitution: \${ is not followed by a name in ${JSON.stringify(this.#text.slice(0, 100))}`,
      );
    const value = this.#variables.get(name);
    const [modifier] = /^(?::[-+?]|[-+?]|##?|%%?|\/\/?|\})/.exec(this.#text.slice(this.#at, this.#at + 2)) ?? [];
    if (modifier === undefined)
      throw new BadSubstitution(
        this.#at >= this.#text.length
          ? `syntax error: missing '}' after \${${name}`
          : `unsupported modifier (${this.#text.slice(this.#at, this.#at + 2)}) in substitution of ${name}; there are :- - :+ + :? ? # ## % %% / //`,
      );
    this.#at += modifier.length;
    if (modifier === '}') return value ?? '';
    if (modifier.startsWith('/')) {
      const from = this.until('/', depth + 1);
      return replace(value ?? '', from, this.until('}', depth + 1), modifier === '//');
    }
    return modified(name, value, modifier, this.until('}', depth + 1));
  }

  /** A name of letters, digits and `_`; or a number or a special character, which the shell calls parameters. */
  #name(): string {
    const [name = ''] = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])/.exec(this.#text.slice(this.#at)) ?? [];
    this.#at += name.length;
    return name;
  }
}

function modified(name: string, value: string | undefined, modifier: string, word: string): string {
  const isSet = modifier.startsWith(':') ? (value ?? '') !== '' : value !== undefined;
  switch (modifier.at(-1)) {
    case '-':
      return isSet ? (value ?? '') : word;
    case '+':
      return isSet ? word : '';
    case '?':
      if (isSet) return value ?? '';
      throw new BadSubstitution(`${name}: ${word === '' ? 'not allowed to be unset' : word}`);
    default:
      return trimmed(value ?? '', modifier, word);
  }
}

/** `#` and `##` take the shortest and the longest match away in front, `%` and `%%` at the end. */
function trimmed(value: string, modifier: string, pattern: string): string {
  const isFront = modifier.startsWith('#');
  const characters = isFront ? [...value] : [...value].reverse();
  const glob = globOf(pattern, characters.length);
  const ends = (isFront ? glob : glob.reversed()).ends(characters);
  const length = modifier.length === 2 ? ends.at(-1) : ends[0];
  if (length === undefined) return value;
  const rest = characters.slice(length);
  return (isFront ? rest : rest.reverse()).join('');
}

function replace(value: string, pattern: string, word: string, all: boolean): string {
  globOf(pattern, value.length);
  const source = [...pattern].map((each) => (each === '*' ? '.*' : each === '?' ? '.' : RE2JS.quote(each))).join('');
  const matcher = RE2JS.compile(source, RE2JS.DOTALL).matcher(value);
  const literal = Matcher.quoteReplacement(word);
  return all ? matcher.replaceAll(literal) : matcher.replaceFirst(literal);
}

/** Characters of the value times characters of the pattern. */
const STEPS_MAX = 1024 * 1024;

function globOf(pattern: string, length: number): Glob {
  if (pattern.length > PATTERN_MAX || pattern.length * length > STEPS_MAX) throw tooLong(pattern);
  // Only `*` and `?` stand for something here.
  return newGlob(pattern.replace(/[[\\]/g, '\\$&'), { loose: true });
}

function tooLong(pattern: string): BadSubstitution {
  return new BadSubstitution(
    `the pattern ${JSON.stringify(pattern.slice(0, 40))} and the value that it is matched with are too long; shorten one`,
  );
}
