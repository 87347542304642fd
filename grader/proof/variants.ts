/** What is known about each lab beforehand: files that must pass, and files that must be found out. */

import fs from 'node:fs';
import path from 'node:path';
import { applyPatch } from 'diff';
import * as z from 'zod';
import { home } from '../harness/home.ts';
import { type LabFolder, readLabs, titlesOf } from '../lab.ts';

/** A module that differs from the solution by a patch, or is written anew. */
export interface Variant {
  /** The file's name without its ending. */
  name: string;
  /** Absolute. */
  file: string;
  /** @throws Error that names the patch if it does not fit the solution. */
  source(): string;
}

/** `solutions/NN-id/wrong/NAME.patch` begins with `killed by: TITLE`. */
export interface WrongAnswer extends Variant {
  /** The exact title of the test that finds it out. */
  killedBy: string;
}

/** `solutions/NN-id/correct/NAME.patch` begins with `passes: all` or `passes: task 1, task 3`; a NAME.ts with `// passes: …`. */
export interface CorrectVariant extends Variant {
  /** The titles of the tests that must pass. */
  passes: string[];
}

export interface Variants {
  lab: LabFolder;
  starter: string;
  solution: string;
  engine: string;
  wrong: WrongAnswer[];
  correct: CorrectVariant[];
}

const packageSchema = z.object({
  imports: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])),
});

/** @throws Error that names the file if a lab has no solution, or a variant does not say what it must fail or pass. */
export function allVariants(): Variants[] {
  const { imports } = packageSchema.parse(JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8')));
  return readLabs(home).map((lab) => {
    const plank = imports[`#${lab.module}`];
    if (typeof plank !== 'object') throw new Error(`package.json has no import "#${lab.module}" for lab ${lab.id}.`);
    const file = (condition: string) => {
      const target = plank[condition];
      if (target === undefined) throw new Error(`package.json's "#${lab.module}" has no condition ${condition}.`);
      return path.join(home, target);
    };
    const solution = file(`solution-${lab.id}`);
    const folder = path.dirname(solution);
    return {
      lab,
      starter: file(`lab-${lab.id}`),
      solution,
      engine: file('default'),
      wrong: variantsIn(path.join(folder, 'wrong'), solution).map((found) => wrongAnswer(lab, found)),
      correct: variantsIn(path.join(folder, 'correct'), solution).map((found) => correctVariant(lab, found)),
    };
  });
}

interface Found extends Variant {
  firstLine: string;
}

function variantsIn(folder: string, solution: string): Found[] {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder)
    .filter((name) => /\.(patch|ts)$/.test(name))
    .sort()
    .map((name) => {
      const file = path.join(folder, name);
      const text = fs.readFileSync(file, 'utf8');
      const firstLine = text
        .split('\n', 1)[0]!
        .replace(/^\/\/ /, '')
        .trim();
      const source = () => (name.endsWith('.ts') ? text : patched(solution, file, text));
      return { name: path.parse(name).name, file, firstLine, source };
    });
}

/** No line of the surroundings may differ: a patch that nearly fits may say something else than it did. */
function patched(solution: string, file: string, text: string): string {
  let result: string | false;
  try {
    result = applyPatch(fs.readFileSync(solution, 'utf8'), text.slice(text.indexOf('\n---') + 1), { fuzzFactor: 0 });
  } catch (error) {
    throw new Error(`${file} is not a patch: ${(error as Error).message}`);
  }
  if (result === false)
    throw new Error(`${file} does not fit ${solution}: make the change again, npx tsx grader/proof/refresh.ts helps.`);
  return result;
}

function wrongAnswer(lab: LabFolder, { firstLine, ...variant }: Found): WrongAnswer {
  const killedBy = /^killed by: (.+)$/.exec(firstLine)?.[1];
  if (killedBy === undefined) throw new Error(`${variant.file} has to begin with "killed by: task N: …".`);
  if (!titlesOf(lab).includes(killedBy))
    throw new Error(`${variant.file} names "${killedBy}", which is not a test of ${lab.id}.`);
  return { ...variant, killedBy };
}

function correctVariant(lab: LabFolder, { firstLine, ...variant }: Found): CorrectVariant {
  const tasks = /^passes: (all|task \d+(?:, task \d+)*)$/.exec(firstLine)?.[1];
  if (tasks === undefined)
    throw new Error(`${variant.file} has to begin with "passes: all" or "passes: task N, task N".`);
  const passes = titlesOf(lab).filter((title) => tasks === 'all' || tasks.split(', ').includes(title.split(':')[0]!));
  if (passes.length === 0) throw new Error(`${variant.file} names a task that ${lab.id} does not have.`);
  return { ...variant, passes };
}
