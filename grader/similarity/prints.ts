/**
 * Fingerprints of a module, by winnowing (Schleimer, Wilkerson, Aiken: "Winnowing: Local Algorithms for Document
 * Fingerprinting", 2003): of every run of tokens a hash, and of every few hashes in a row the least. Names, texts and numbers
 * are left out, so that renaming changes nothing; a function that moved takes its fingerprints along.
 */

import { parse } from '@babel/parser';

/** Tokens that a fingerprint is of: shorter agreements are chance. */
const TOKENS = 14;
/** Of so many hashes in a row one is kept: an agreement of TOKENS + WINDOW - 1 tokens is never missed. */
const WINDOW = 8;

export interface Lines {
  /** From 1. */
  first: number;
  last: number;
}

/** Where each fingerprint stands; one that stands in several places has several. */
export type Prints = ReadonlyMap<number, readonly Lines[]>;

interface Token {
  word: string;
  first: number;
  last: number;
}

/** @param source of a stranger's: it is parsed here, never run. @throws Error if it cannot be parsed at all */
export function printsOf(source: string): Prints {
  const tokens = tokensOf(source);
  const prints = new Map<number, Lines[]>();
  let previous = -1;
  const hashes = tokens.slice(0, Math.max(0, tokens.length - TOKENS + 1)).map((_, at) => hashOf(tokens, at));
  const windows = Math.max(hashes.length - WINDOW + 1, hashes.length > 0 ? 1 : 0);
  for (let start = 0; start < windows; start++) {
    let least = start;
    // The last of equal ones, so that a long repetition keeps few.
    for (let at = start; at < Math.min(start + WINDOW, hashes.length); at++)
      if (hashes[at]! <= hashes[least]!) least = at;
    if (least === previous) continue;
    previous = least;
    const lines = { first: tokens[least]!.first, last: tokens[least + TOKENS - 1]!.last };
    const places = prints.get(hashes[least]!) ?? [];
    places.push(lines);
    prints.set(hashes[least]!, places);
  }
  return prints;
}

function tokensOf(source: string): Token[] {
  const { tokens } = parse(source, {
    sourceType: 'module',
    tokens: true,
    errorRecovery: true,
    plugins: ['typescript', 'explicitResourceManagement', 'importAttributes'],
  });
  return (tokens as unknown as RawToken[]).flatMap(({ type, value, loc }) => {
    // Comments have a name for a type; tokens have one with a label.
    if (typeof type === 'string' || type.label === 'eof' || type.label === ';') return [];
    // To the parser `let` is a name.
    const label = type.label === 'name' && value === 'let' ? 'var' : type.label;
    return [{ word: WORDS[label] ?? label, first: loc.start.line, last: loc.end.line }];
  });
}

interface RawToken {
  type: string | { label: string };
  value?: unknown;
  loc: { start: { line: number }; end: { line: number } };
}

/** What a copy changes first. */
const WORDS: Record<string, string> = {
  name: 'name',
  string: 'text',
  template: 'text',
  num: 'number',
  bigint: 'number',
  const: 'binding',
  var: 'binding',
};

const MODULUS = 2 ** 32;

/** FNV-1a, 32 bits, over the words. */
function hashOf(tokens: readonly Token[], at: number): number {
  let hash = 0x811c9dc5;
  for (let index = at; index < at + TOKENS; index++) {
    const { word } = tokens[index]!;
    for (let letter = 0; letter < word.length; letter++) hash = Math.imul(hash ^ word.charCodeAt(letter), 0x01000193);
    hash = Math.imul(hash ^ 0x1f, 0x01000193);
  }
  return ((hash % MODULUS) + MODULUS) % MODULUS;
}
