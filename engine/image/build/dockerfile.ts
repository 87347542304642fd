/**
 * A Dockerfile as a list of instructions. Dockerfile reference, "Format", "Parser directives", "Here-documents".
 *
 * Read by hand, as Docker's own parser does it: the libraries there are take `<<` in a quoted string for a
 * here-document, and with it the rest of the file. Where both can read a file, a test holds one against the other.
 */

import { InvalidBuild } from './build-error.ts';
import { splitWords, wordAt } from './words.ts';

export interface Heredoc {
  name: string;
  /** With a line end after each line; the tabs in front are gone when it was asked with `<<-`. */
  content: string;
  /** Whether variables in it are expanded: its name was not quoted. */
  expand: boolean;
}

export interface Instruction {
  /** The first line of it, from 1. */
  line: number;
  /** In capitals. */
  keyword: string;
  /** `--name=value` in front of the arguments; without `=` the value is undefined. */
  flags: [name: string, value: string | undefined][];
  /** What follows the flags, continued lines joined; here-documents are not in it. */
  text: string;
  heredocs: Heredoc[];
  /** As it was written, joined to one line. */
  statement: string;
}

export interface Dockerfile {
  /** As in messages, e.g. `Dockerfile`. */
  name: string;
  /** The character that continues lines and takes the meaning from others. */
  escapeToken: string;
  instructions: Instruction[];
}

/** Bytes. */
const SIZE_MAX = 1024 * 1024;
const INSTRUCTIONS_MAX = 2000;
/** Characters of one instruction, its lines joined. linux/binfmts.h, MAX_ARG_STRLEN. */
const LINE_MAX = 128 * 1024;

const KEYWORDS = new Set(
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
);
const WITH_HEREDOCS = new Set(['ADD', 'COPY', 'RUN']);

/** @throws InvalidBuild that names the line */
export function parseDockerfile(text: string, name: string): Dockerfile {
  if (text.length > SIZE_MAX) throw new InvalidBuild(`${name} has more than ${SIZE_MAX} bytes; is it a Dockerfile?`);
  const lines = new Lines(text.replace(/^\uFEFF/, ''), name);
  const escapeToken = readDirectives(lines);
  const instructions: Instruction[] = [];
  for (;;) {
    const instruction = readInstruction(lines, escapeToken);
    if (!instruction) break;
    if (instructions.push(instruction) > INSTRUCTIONS_MAX)
      throw new InvalidBuild(`${name} has more than ${INSTRUCTIONS_MAX} instructions; split it`);
  }
  if (instructions.length === 0)
    throw new InvalidBuild(`file with no instructions: ${name} is empty; begin it with FROM`);
  return { name, escapeToken, instructions };
}

/** One instruction that stands alone, as an ONBUILD trigger or a `--change` does. */
export function parseInstruction(text: string, name: string, escapeToken = '\\'): Instruction {
  const instruction = readInstruction(new Lines(text, name), escapeToken);
  if (!instruction) throw new InvalidBuild(`${name}: there is no instruction in ${JSON.stringify(text)}`);
  return instruction;
}

class Lines {
  readonly #lines: string[];
  readonly name: string;
  /** Of the line that `next` gives, from 0. */
  at = 0;

  constructor(text: string, name: string) {
    this.#lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
    // What follows the last line end is not a line.
    if (this.#lines.at(-1) === '') this.#lines.pop();
    this.name = name;
  }

  peek(): string | undefined {
    return this.#lines[this.at];
  }

  next(): string | undefined {
    return this.#lines[this.at++];
  }
}

/** `# name=value` before anything else. @returns the escapeToken character */
function readDirectives(lines: Lines): string {
  const seen = new Set<string>();
  let escapeToken = '\\';
  for (let line = lines.peek(); line !== undefined; line = lines.peek()) {
    const [, rawName = '', given = ''] = /^\s*#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=(.*)$/.exec(line) ?? [];
    const name = rawName.toLowerCase();
    const value = given.trim();
    if (!['escape', 'syntax', 'check'].includes(name) || value === '') break;
    if (seen.has(name))
      throw new InvalidBuild(`${lines.name}:${lines.at + 1}: only one ${name} parser directive can be used`);
    seen.add(name);
    if (name === 'escape') {
      if (value !== '\\' && value !== '`')
        throw new InvalidBuild(`${lines.name}:${lines.at + 1}: invalid ESCAPE '${value}'. Must be \` or \\`);
      escapeToken = value;
    }
    lines.next();
  }
  return escapeToken;
}

function readInstruction(lines: Lines, escapeToken: string): Instruction | undefined {
  for (let line = lines.peek(); line !== undefined && isEmpty(line); line = lines.peek()) lines.next();
  if (lines.peek() === undefined) return undefined;
  const line = lines.at + 1;
  const statement = readLogicalLine(lines, escapeToken);
  const where = `${lines.name}:${line}`;
  const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(statement) ?? [];
  const keyword = word.toUpperCase();
  if (!KEYWORDS.has(keyword))
    throw new InvalidBuild(
      `${where}: unknown instruction: ${word.slice(0, 60)}. A line is continued with "${escapeToken}" at the end of the one before.`,
    );
  const { flags, text } = takeFlags(rest, escapeToken);
  const takes = keyword === 'ONBUILD' ? (/^\S*/.exec(text)?.[0].toUpperCase() ?? '') : keyword;
  const heredocs = WITH_HEREDOCS.has(takes) ? heredocsIn(text, escapeToken) : [];
  return { line, keyword, flags, text, statement, heredocs: heredocs.map((each) => readHeredoc(lines, each, where)) };
}

function isEmpty(line: string): boolean {
  return /^\s*(#|$)/.test(line);
}

/**
 * Comments and empty lines between continued lines are not part of it. Each line is looked at by itself, so that the time
 * grows with the text alone.
 */
function readLogicalLine(lines: Lines, escapeToken: string): string {
  const first = lines.at + 1;
  const escaped = escapeToken === '\\' ? '\\\\' : escapeToken;
  const continued = new RegExp(`(^|[^${escaped}])${escaped}[ \\t]*$`);
  const parts: string[] = [];
  let length = 0;
  for (let line = (lines.next() ?? '').trimStart(); ; ) {
    const isContinued = continued.test(line);
    const part = isContinued ? line.replace(continued, '$1') : line;
    length += part.length;
    if (length > LINE_MAX)
      throw new InvalidBuild(
        `${lines.name}:${first}: the instruction has more than ${LINE_MAX} characters, and no program takes an argument of that length; use a here-document or a script`,
      );
    parts.push(part);
    if (!isContinued) break;
    for (let next = lines.peek(); next !== undefined && isEmpty(next); next = lines.peek()) lines.next();
    const more = lines.next();
    if (more === undefined) break;
    line = more;
  }
  return parts.join('').trim();
}

function takeFlags(rest: string, escapeToken: string): Pick<Instruction, 'flags' | 'text'> {
  const flags: Instruction['flags'] = [];
  let at = 0;
  for (;;) {
    const { word, end } = wordAt(rest, at, escapeToken) ?? { word: '', end: at };
    if (!word.startsWith('--')) return { flags, text: rest.slice(at).trimStart() };
    at = end;
    if (word === '--') return { flags, text: rest.slice(at).trimStart() };
    const [, name = '', value] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    flags.push([name, value]);
  }
}

interface HeredocStart {
  name: string;
  expand: boolean;
  chomp: boolean;
}

function heredocsIn(text: string, escapeToken: string): HeredocStart[] {
  return splitWords(text, escapeToken).flatMap((word) => {
    const [, chomp = '', written = ''] = /^\d*<<(-?)([^<]+)$/.exec(word) ?? [];
    const { name, isQuoted } = withoutQuotes(written);
    return name === '' ? [] : [{ name, expand: !isQuoted, chomp: chomp !== '' }];
  });
}

/** The name is a word of the shell: a quote around any part of it keeps the variables in the text, an escape does not. */
function withoutQuotes(word: string): { name: string; isQuoted: boolean } {
  let isQuoted = false;
  const name = word.replace(
    /\\([\s\S])|'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"/g,
    (_, escaped: string | undefined, single: string | undefined, double: string | undefined) => {
      if (escaped !== undefined) return escaped;
      isQuoted = true;
      return single ?? double!.replace(/\\(["$\\])/g, '$1');
    },
  );
  return { name, isQuoted };
}

function readHeredoc(lines: Lines, { name, expand, chomp }: HeredocStart, where: string): Heredoc {
  const content: string[] = [];
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    const chomped = chomp ? line.replace(/^\t+/, '') : line;
    if (chomped === name) return { name, expand, content: content.map((each) => `${each}\n`).join('') };
    content.push(chomped);
  }
  throw new InvalidBuild(`${where}: unterminated heredoc: there is no line "${name}" to end it`);
}
