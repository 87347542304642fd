/** The short texts of a source file that only people read: its comments and the titles of its tests, each with its line. */

import { parse } from '@babel/parser';

export interface ShortText {
  line: number;
  text: string;
}

const TITLE = /\b(?:test|describe)(?:\.\w+(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?)*\(\s*(['"`])((?:(?!\1).)*)\1/g;

export function shortTextsOf(source: string): ShortText[] {
  const { comments } = parse(source, {
    sourceType: 'module',
    plugins: ['typescript', 'explicitResourceManagement', 'importAttributes'],
  });
  const said = (comments ?? []).map(({ value, loc }) => ({ line: loc?.start.line ?? 0, text: unwrapped(value) }));
  const titles = Array.from(source.matchAll(TITLE), ({ index, 2: text }) => ({
    line: source.slice(0, index).split('\n').length,
    text: text!,
  }));
  return [...said, ...titles];
}

/** A sentence that goes on in the next line of a comment is one sentence. */
function unwrapped(comment: string): string {
  return comment.replace(/\s*\n\s*\* ?/g, ' ').trim();
}
