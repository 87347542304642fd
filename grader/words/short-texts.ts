/** The short texts of a source file that only people read: comments and sentences in quotes, each with its line. */

import { parse } from '@babel/parser';

/** A node of the syntax tree, as far as it is looked at here. */
interface Node {
  type: string;
  loc?: { start: { line: number } } | null;
}

export interface ShortText {
  line: number;
  text: string;
}

export function shortTextsOf(source: string): ShortText[] {
  const file = parse(source, {
    sourceType: 'module',
    plugins: ['typescript', 'explicitResourceManagement', 'importAttributes'],
  });
  const said = (file.comments ?? []).map(({ value, loc }) => ({ line: loc?.start.line ?? 0, text: unwrapped(value) }));
  return [...said, ...quoted(file.program)];
}

/** A sentence that goes on in the next line of a comment is one sentence. */
function unwrapped(comment: string): string {
  return comment.replace(/\s*\n\s*\* ?/g, ' ').trim();
}

const WORDS_MIN = 3;

/** Text in quotes that may be a sentence, with … for what is put in: messages of errors, options, titles. */
function quoted(node: Node): ShortText[] {
  const text = textOf(node);
  const own = text.split(/\s+/).length < WORDS_MIN ? [] : [{ line: node.loc?.start.line ?? 0, text }];
  return [...own, ...childrenOf(node).flatMap(quoted)];
}

function textOf(node: Node): string {
  if (node.type === 'StringLiteral') return (node as Node & { value: string }).value;
  if (node.type !== 'TemplateLiteral') return '';
  const { quasis } = node as Node & { quasis: { value: { cooked?: string | null; raw: string } }[] };
  return quasis.map(({ value }) => value.cooked ?? value.raw).join('…');
}

function childrenOf(node: Node): Node[] {
  return Object.entries(node)
    .filter(([key]) => !key.endsWith('Comments') && key !== 'loc')
    .flatMap(([, value]) => (Array.isArray(value) ? value : [value]))
    .filter((value): value is Node => typeof (value as Node | null)?.type === 'string');
}
