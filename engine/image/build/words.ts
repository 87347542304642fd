/** How instructions are cut into words, and lists in JSON told from the shell's form. Dockerfile reference, "Format". */

import { unreasonableJson } from '../json-shape.ts';

/** Blank-separated words; quotes and escapes keep blanks together and stay in the word. @param escapeToken `\` or a backtick */
export function splitWords(text: string, escapeToken: string): string[] {
  const words: string[] = [];
  for (let found = wordAt(text, 0, escapeToken); found; found = wordAt(text, found.end, escapeToken))
    words.push(found.word);
  return words;
}

/** The first word at `start` or behind it, and where it ends; undefined when only blanks follow. */
export function wordAt(text: string, start: number, escapeToken: string): { word: string; end: number } | undefined {
  let at = start;
  while (at < text.length && isBlank(text[at]!)) at += 1;
  if (at === text.length) return undefined;
  const begin = at;
  let quote = '';
  for (; at < text.length; at++) {
    const character = text[at]!;
    if (character === escapeToken && quote !== "'" && at + 1 < text.length) at += 1;
    else if (quote !== '') quote = character === quote ? '' : quote;
    else if (isBlank(character)) break;
    else if (character === '"' || character === "'") quote = character;
  }
  return { word: text.slice(begin, at), end: at };
}

function isBlank(character: string): boolean {
  return /\s/.test(character);
}

/** Words in one list. */
const WORDS_MAX = 10_000;

/** The strings of a JSON list; undefined when `text` is not a list, which makes it the shell's form. */
export function jsonWords(text: string): string[] | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith('[') || unreasonableJson(Buffer.from(trimmed), WORDS_MAX) !== undefined) return undefined;
  try {
    const list: unknown = JSON.parse(trimmed);
    return Array.isArray(list) && list.every((each) => typeof each === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}

/**
 * `NAME=value NAME="other value"`, or the old form `NAME the whole rest`.
 * @throws Error in Docker's words.
 */
export function pairsOf(keyword: string, text: string, escapeToken: string): [name: string, value: string][] {
  const words = splitWords(text, escapeToken);
  if (words.length === 0) throw new Error(`${keyword} requires at least one argument`);
  if (!words[0]!.includes('=')) {
    const [, name = '', value = ''] = /^(\S+)\s+([\s\S]*)$/.exec(text.trim()) ?? [];
    if (name === '') throw new Error(`${keyword} must have two arguments: write ${keyword} ${words[0]}=value`);
    return [[name, value]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals === -1) throw new Error(`Syntax error - can't find = in "${word}". Must be of the form: name=value`);
    if (equals === 0) throw new Error(`${keyword} names can not be blank, as in "${word}"`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}
