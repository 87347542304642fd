/**
 * Fingerprints of a module, by winnowing (Schleimer, Wilkerson, Aiken: "Winnowing: Local Algorithms for Document
 * Fingerprinting", 2003): of every run of tokens a hash, and of every few hashes in a row the least. Names, texts and numbers
 * are left out, so that renaming changes nothing; a function that moved takes its fingerprints along.
 */

import jsTokens, { type Token as JsToken } from 'js-tokens';

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

/** @param source of a stranger's: it is only cut into tokens, in time that is linear in its length. Any text will do. */
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
  const tokens: Token[] = [];
  let line = 1;
  for (const { type, value } of jsTokens(source)) {
    const first = line;
    line += value.split(/\r\n|[\n\r\u2028\u2029]/).length - 1;
    const word = wordOf(type, value);
    if (word !== undefined) tokens.push({ word, first, last: line });
  }
  return tokens;
}

/** What a copy changes first is one word each: names, texts, numbers, and how a name is declared. */
function wordOf(type: JsToken['type'], value: string): string | undefined {
  switch (type) {
    case 'WhiteSpace':
    case 'LineTerminatorSequence':
    case 'SingleLineComment':
    case 'MultiLineComment':
    case 'HashbangComment':
      return undefined;
    case 'IdentifierName':
      return BINDINGS.has(value) ? 'binding' : KEYWORDS.has(value) ? value : 'name';
    case 'PrivateIdentifier':
      return 'name';
    case 'NumericLiteral':
      return 'number';
    case 'Punctuator':
      return value === ';' ? undefined : value;
    default:
      return 'text';
  }
}

const BINDINGS = new Set(['const', 'let', 'var']);

/** ECMA-262, 12.7.2. Words that are keywords in some places only count as names. */
const KEYWORDS = new Set(
  'await break case catch class continue debugger default delete do else enum export extends false finally for function if import in instanceof new null return super switch this throw true try typeof void while with yield'.split(
    ' ',
  ),
);

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
