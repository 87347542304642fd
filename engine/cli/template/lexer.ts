import { TemplateSyntaxError } from './errors.ts';

export type TokenKind = 'field' | 'variable' | 'word' | 'string' | 'number' | 'char' | 'symbol' | 'space';

export interface Token {
  kind: TokenKind;
  /** A field's or variable's name without its dot or dollar sign; a string's text without quotes and escapes. */
  value: string;
  /** Where it begins and ends in the template. */
  start: number;
  end: number;
}

/** A stretch of text, or the tokens between one pair of braces. */
export type Segment = { text: string } | { tokens: Token[]; start: number; end: number };

const TOKENS: [TokenKind, RegExp][] = [
  ['space', /\s+/y],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['char', /'(?:[^'\\\n]|\\.)+'/y],
  ['number', /[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/y],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['variable', /\$(?:[\p{L}_][\p{L}\p{N}_]*)?/uy],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['symbol', /:=|[.|(),=]/y],
];

/**
 * Take a template apart. `{{- ` and ` -}}` trim the text beside them; comments vanish.
 * Go, text/template, "Text and spaces".
 * @throws TemplateSyntaxError
 */
export function segments(source: string): Segment[] {
  const out: Segment[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    let text = source.slice(at, open === -1 ? undefined : open);
    if (trimNext) text = text.trimStart();
    trimNext = false;
    if (open === -1) {
      if (text !== '') out.push({ text });
      break;
    }
    let from = open + 2;
    if (/^-\s/.test(source.slice(from, from + 2))) {
      text = text.trimEnd();
      from += 1;
    }
    if (text !== '') out.push({ text });

    const comment = /\s*\/\*[\s\S]*?\*\/(\s+-)?\}\}/y;
    comment.lastIndex = from;
    const found = comment.exec(source);
    if (found !== null) {
      trimNext = found[1] !== undefined;
      at = comment.lastIndex;
      continue;
    }
    const action = tokensUntilClose(source, from);
    out.push({ tokens: action.tokens, start: open, end: action.end });
    trimNext = action.trim;
    at = action.end;
  }
  return out;
}

export function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length;
}

function tokensUntilClose(source: string, from: number): { tokens: Token[]; end: number; trim: boolean } {
  const tokens: Token[] = [];
  let at = from;
  for (;;) {
    const close = /(\s-)?\}\}/y;
    close.lastIndex = at;
    const closing = close.exec(source) ?? trimmedClose(source, at);
    if (closing !== null) {
      const trim = closing[1] !== undefined;
      return { tokens, end: at + closing[0].length, trim };
    }
    const token = nextToken(source, at);
    if (token.kind !== 'space') tokens.push(token);
    at = token.end;
  }
}

/** ` -}}` with more than one space before the minus sign. */
function trimmedClose(source: string, at: number): RegExpExecArray | null {
  const close = /(\s+-)\}\}/y;
  close.lastIndex = at;
  return close.exec(source);
}

function nextToken(source: string, at: number): Token {
  for (const [kind, pattern] of TOKENS) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text === undefined) continue;
    return { kind, value: tokenValue(kind, text, lineAt(source, at)), start: at, end: at + text.length };
  }
  const line = lineAt(source, at);
  const character = source[at];
  if (character === undefined) throw new TemplateSyntaxError(line, 'unclosed action');
  if (character === '"' || character === '`') throw new TemplateSyntaxError(line, 'unterminated quoted string');
  throw new TemplateSyntaxError(line, `unexpected ${JSON.stringify(character)} in command`);
}

function tokenValue(kind: TokenKind, text: string, line: number): string {
  if (kind === 'field' || kind === 'variable') return text.slice(1);
  if (kind === 'string' && text.startsWith('`')) return text.slice(1, -1);
  if (kind === 'string' || kind === 'char') return unquote(text, line);
  return text;
}

const ESCAPES: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** The text of a Go interpreted string literal. The Go Programming Language Specification, "String literals". */
function unquote(literal: string, line: number): string {
  const pattern = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gs;
  return literal.slice(1, -1).replace(pattern, (_all, x, u, long, octal, single) => {
    const hexadecimal = x ?? u ?? long;
    if (hexadecimal !== undefined) return String.fromCodePoint(Number.parseInt(hexadecimal, 16));
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    const plain = ESCAPES[single];
    if (plain === undefined) throw new TemplateSyntaxError(line, `invalid syntax: ${literal}`);
    return plain;
  });
}
