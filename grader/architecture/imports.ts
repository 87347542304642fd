/** Which file imports which, types included, with the engine's planks resolved as package.json has them. */

import fs from 'node:fs';
import path from 'node:path';
import { parse } from '@babel/parser';

export interface Import {
  from: string;
  /** Relative to the clone for a file of ours; else the name of a package or of a module of Node. */
  to: string;
  line: number;
}

type Target = string | Record<string, string>;

/**
 * @param home the clone. @param files relative to it. @param read their text, from the disk if absent.
 * @throws Error that names the file if it imports a name that package.json does not have.
 */
export function importsOf(
  home: string,
  files: string[],
  read = (file: string) => fs.readFileSync(path.join(home, file), 'utf8'),
): Import[] {
  const { imports: planks } = JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8')) as {
    imports: Record<string, Target>;
  };
  return files.flatMap((from) =>
    specifiersIn(read(from)).map(({ specifier, line }) => ({ from, to: resolved(planks, from, specifier), line })),
  );
}

interface Statement {
  type: string;
  source?: { value: string } | null;
  loc?: { start: { line: number } } | null;
}

/** Static imports, re-exports, and dynamic imports of a literal. */
function specifiersIn(text: string): { specifier: string; line: number }[] {
  const { program } = parse(text, {
    sourceType: 'module',
    plugins: ['typescript', 'explicitResourceManagement', 'importAttributes'],
  });
  const statements = (program.body as Statement[]).flatMap(({ source, loc }) =>
    source == null ? [] : [{ specifier: source.value, line: loc?.start.line ?? 0 }],
  );
  const dynamic = Array.from(text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g), (match) => ({
    specifier: match[1]!,
    line: text.slice(0, match.index).split('\n').length,
  }));
  return [...statements, ...dynamic];
}

/** A plank can be the engine's, the learner's or the solution's; here it is the engine's. */
function resolved(planks: Record<string, Target>, from: string, specifier: string): string {
  if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(from), specifier);
  if (!specifier.startsWith('#')) return specifier;
  const exact = planks[specifier];
  const [pattern, target] = exact
    ? [specifier, exact]
    : (Object.entries(planks).find(([key]) => key.endsWith('*') && specifier.startsWith(key.slice(0, -1))) ?? []);
  if (pattern === undefined || target === undefined)
    throw new Error(`${from} imports "${specifier}", which package.json does not name.`);
  const file = typeof target === 'string' ? target : target.default!;
  return path.posix.normalize(file.replace('*', specifier.slice(pattern.length - 1)));
}

/** Groups of files that import each other in a circle, each sorted; Tarjan's strongly connected components. */
export function circles(imports: Import[]): string[][] {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), to]);
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string) => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    stack.push(file);
    for (const other of next.get(file) ?? []) {
      if (!index.has(other)) visit(other);
      if (stack.includes(other)) low.set(file, Math.min(low.get(file)!, low.get(other)!));
    }
    if (low.get(file) !== index.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1 || next.get(file)?.includes(file)) found.push(group.sort());
  };
  for (const file of next.keys()) if (!index.has(file)) visit(file);
  return found;
}
