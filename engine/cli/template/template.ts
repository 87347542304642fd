import { evaluate } from './evaluator.ts';
import { FUNCTIONS, type Functions } from './functions.ts';
import { parse } from './parser.ts';

export interface Template {
  /** The text made of `data`. @throws TemplateExecutionError when `data` lacks what the template asks for. */
  execute(data: unknown, functions?: Functions): string;
}

const NAMES: ReadonlySet<string> = new Set([...Object.keys(FUNCTIONS), 'and', 'or']);

/**
 * Read a Go template, as `--format` takes it.
 * @param name what messages call it.
 * @throws TemplateSyntaxError
 */
export function compile(source: string, name = ''): Template {
  const nodes = parse(source, NAMES);
  return { execute: (data, functions = FUNCTIONS) => evaluate(nodes, data, { source, name, functions }) };
}
