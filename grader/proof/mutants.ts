/**
 * Mutants of a solution: copies that differ in one place, made with the operators of Stryker. What survives the suite
 * shows what the suite does not look at. https://stryker-mutator.io/docs/mutation-testing-elements/supported-mutators/
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parse } from '@babel/parser';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import { home } from '../harness/home.ts';
import type { LabFolder } from '../lab.ts';

export interface Mutant {
  /** The top-level declaration it lies in. */
  place: string;
  /** Of the solution, counted from 1. */
  line: number;
  /** The operator, as Stryker calls it. */
  mutator: string;
  original: string;
  replacement: string;
  /** The whole module. */
  text: string;
  /** A copy of `text` to look at. */
  file: string;
  /** Tasks of the exported functions that reach the place. */
  tasks: number[];
}

/** What the operators see of a syntax tree. */
interface Node {
  type: string;
  expressions?: unknown[];
}
interface NodePath {
  node: Node;
  parentPath: NodePath | null;
}

type Logger = ConstructorParameters<typeof Instrumenter>[0];

/** Stryker asks for a logger, and has nothing to say that is not in what it returns. */
const silent: unknown = Object.fromEntries(
  ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].flatMap((level) => [
    [level, (): void => {}],
    [`is${level[0]!.toUpperCase()}${level.slice(1)}Enabled`, (): boolean => false],
  ]),
);

/**
 * All mutants of `solution` that TypeScript accepts, in an order drawn from `seed`: the first of them are a sample.
 *
 * Left out is the wording of errors, which no contract fixes: in a `throw new …(…)`, a text without a value in it, and
 * the cause.
 * @param starter the learner's file, whose comments say which task a function belongs to.
 */
export async function mutantsOf(lab: LabFolder, solution: string, starter: string, seed: number): Promise<Mutant[]> {
  const source = fs.readFileSync(solution, 'utf8');
  const { mutants } = await new Instrumenter(silent as Logger).instrument(
    [{ name: solution, mutate: true, content: source }],
    {
      plugins: null,
      excludedMutations: [],
      ignorers: [
        { shouldIgnore: (at) => (isWording(at as unknown as NodePath) ? 'the wording of an error' : undefined) },
      ],
    },
  );
  const declarations = declarationsOf(source);
  const tasks = tasksOf(declarations, fs.readFileSync(starter, 'utf8'));
  const lines = lineStarts(source);
  const folder = path.join(home, '.build/mutants', lab.id);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const all = mutants
    .filter(({ status }) => status !== 'Ignored')
    .map(({ location: { start, end }, mutatorName, replacement = '' }, index): Mutant => {
      const [from, to] = [start, end].map(({ line, column }) => lines[line]! + column) as [number, number];
      const place = declarations.find((each) => each.start <= from && to <= each.end)?.name ?? '';
      const put = BINARY.has(mutatorName) ? `(${replacement})` : replacement;
      const text = source.slice(0, from) + put + source.slice(to);
      const file = path.join(folder, `${index}.ts`);
      fs.writeFileSync(file, text);
      const original = source.slice(from, to);
      return {
        ...{
          place,
          line: start.line + 1,
          mutator: mutatorName,
          original: short(original),
          replacement: short(replacement),
        },
        ...{ text, file, tasks: tasks.get(place) ?? [] },
      };
    });
  const refused = await refusedByTypeScript(folder);
  const key = ({ text }: Mutant) => createHash('sha256').update(`${seed}\0${text}`).digest('hex');
  return all
    .filter(({ file }) => !refused.has(path.basename(file)))
    .map((mutant) => ({ mutant, key: key(mutant) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ mutant }) => mutant);
}

/** Their replacement may bind less than what stood there. */
const BINARY = new Set(['ArithmeticOperator', 'AssignmentOperator', 'EqualityOperator', 'LogicalOperator']);

const LONGEST = 160;

function short(code: string): string {
  const line = code.replace(/\s+/g, ' ');
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST)} …`;
}

function isWording({ node, parentPath }: NodePath): boolean {
  const isText = node.type === 'StringLiteral' || (node.type === 'TemplateLiteral' && node.expressions?.length === 0);
  if (!isText && node.type !== 'ObjectExpression') return false;
  let made = false;
  for (let at = parentPath; at !== null; at = at.parentPath) {
    if (at.node.type === 'NewExpression') made = true;
    if (at.node.type === 'ThrowStatement') return made;
    if (/Function|Statement$/.test(at.node.type)) return false;
  }
  return false;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (const { index } of text.matchAll(/\n/g)) starts.push(index + 1);
  return starts;
}

interface Declaration {
  name: string;
  start: number;
  end: number;
  text: string;
}

function declarationsOf(source: string): Declaration[] {
  const { program } = parse(source, { sourceType: 'module', plugins: ['typescript'] });
  return program.body.flatMap((statement) => {
    const declared = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    const [start, end] = [statement.start!, statement.end!];
    const names =
      declared?.type === 'FunctionDeclaration' || declared?.type === 'ClassDeclaration'
        ? [declared.id?.name ?? '']
        : declared?.type === 'VariableDeclaration'
          ? declared.declarations.map(({ id }) => (id.type === 'Identifier' ? id.name : ''))
          : [];
    return names.filter((name) => name !== '').map((name) => ({ name, start, end, text: source.slice(start, end) }));
  });
}

/** Declaration → tasks: those of an exported function, as the starter says, go to all that it mentions. */
function tasksOf(declarations: Declaration[], starter: string): Map<string, number[]> {
  const found = new Map<string, Set<number>>();
  const visit = (name: string, tasks: number[]): void => {
    const known = found.get(name) ?? new Set();
    if (tasks.every((task) => known.has(task))) return;
    found.set(name, new Set([...known, ...tasks]));
    const text = declarations.find((each) => each.name === name)!.text;
    for (const other of declarations)
      if (other.name !== name && new RegExp(`\\b${other.name}\\b`).test(text)) visit(other.name, tasks);
  };
  for (const [, comment, name] of starter.matchAll(
    /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:\/\/.*\s*)*export (?:async )?(?:function\*?|class|const) (\w+)/g,
  ))
    if (declarations.some((each) => each.name === name)) visit(name!, tasksIn(comment!));
  return new Map(Array.from(found, ([name, tasks]) => [name, [...tasks].sort((a, b) => a - b)]));
}

function tasksIn(comment: string): number[] {
  return Array.from(comment.matchAll(/\bTasks? (\d+(?:(?:, | and )\d+)*)/g), ([, numbers]) =>
    numbers!.match(/\d+/g)!.map(Number),
  ).flat();
}

/** All at once: the compiler starts once. Unused names are not errors here, since a mutant may well leave some. */
async function refusedByTypeScript(folder: string): Promise<Set<string>> {
  const configuration = {
    extends: path.join(home, 'tsconfig.json'),
    compilerOptions: { incremental: false, tsBuildInfoFile: null, noUnusedLocals: false, allowUnreachableCode: true },
    include: ['*.ts'],
    exclude: [],
  };
  fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(configuration));
  const compiler = path.join(home, 'node_modules/.bin/tsc');
  const output = await new Promise<string>((resolve, reject) =>
    execFile(compiler, ['-p', folder, '--pretty', 'false'], { cwd: folder, maxBuffer: 1 << 28 }, (error, stdout) => {
      if (error !== null && stdout === '') reject(error);
      else resolve(stdout);
    }),
  );
  const elsewhere = output.split('\n').find((line) => /error TS/.test(line) && !/^\d+\.ts\(/.test(line));
  if (elsewhere !== undefined) throw new Error(`TypeScript cannot judge the mutants in ${folder}: ${elsewhere}`);
  return new Set(Array.from(output.matchAll(/^(\d+\.ts)\(\d+,\d+\): error/gm), ([, name]) => name!));
}
