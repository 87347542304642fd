/** Options as runc and its relatives take them: `--name value`, `--name=value` or `-n value`. */

import { RuntimeError } from './error.ts';

/** Name → whether it takes a value. A name of one letter stands for the one it follows. */
export type OptionTable = Record<string, { value: boolean; short?: string; many?: boolean }>;

export interface ParsedLine {
  flags: Set<string>;
  values: Map<string, string[]>;
  /** The arguments. */
  rest: string[];
}

/**
 * @param where options stand: before the first argument only, as where a command line of somebody else follows, or among
 *   the arguments too, as callers of runc write them. After `--` there are none.
 * @throws RuntimeError that names unknown options.
 */
export function parseLine(table: OptionTable, line: string[], where: 'before' | 'among' = 'among'): ParsedLine {
  const parsed: ParsedLine = { flags: new Set(), values: new Map(), rest: [] };
  for (let at = 0; at < line.length; at++) {
    const word = line[at]!;
    if (word === '--') return { ...parsed, rest: [...parsed.rest, ...line.slice(at + 1)] };
    if (!word.startsWith('-') || word === '-') {
      if (where === 'before') return { ...parsed, rest: line.slice(at) };
      parsed.rest.push(word);
      continue;
    }
    const [written, inline] = splitOnce(word.replace(/^--?/, ''));
    const name = nameOf(table, written);
    if (!table[name]!.value) {
      if (inline === undefined || inline === 'true') parsed.flags.add(name);
      else if (inline !== 'false') throw new RuntimeError(`The option ${word} is true or false.`);
      continue;
    }
    const value = inline ?? line[++at];
    if (value === undefined) throw new RuntimeError(`flag needs an argument: ${word}`);
    parsed.values.set(name, table[name]!.many ? [...(parsed.values.get(name) ?? []), value] : [value]);
  }
  return parsed;
}

/** The one value of an option; undefined when it is not on the line. */
export function textOf({ values }: ParsedLine, name: string): string | undefined {
  return values.get(name)?.[0];
}

/** @throws RuntimeError unless it is a whole number from 0 on. */
export function numberOf(line: ParsedLine, name: string): number | undefined {
  const text = textOf(line, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new RuntimeError(`invalid value ${JSON.stringify(text)} for flag --${name}`);
  return Number(text);
}

/** @throws RuntimeError when there are more or fewer than `count`. */
export function argumentsOf({ rest }: ParsedLine, command: string, least: number, most = least): string[] {
  if (rest.length < least) throw new RuntimeError(`${command}: ${least} argument(s) are needed, not ${rest.length}`);
  if (rest.length > most) throw new RuntimeError(`${command}: unexpected argument ${JSON.stringify(rest[most])}`);
  return rest;
}

function nameOf(table: OptionTable, written: string): string {
  if (Object.hasOwn(table, written)) return written;
  const long = Object.keys(table).find((name) => table[name]!.short === written);
  if (long === undefined) throw new RuntimeError(`flag provided but not defined: -${written}`);
  return long;
}

function splitOnce(word: string): [string, string?] {
  const at = word.indexOf('=');
  return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}
