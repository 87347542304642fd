/**
 * Hidden tests: a pack is a directory of the instructor's, with `NN-id/hidden.json` and `NN-id/hidden.test.ts` for each lab that
 * has some. Its suites judge as the public ones do, from `#harness/…`, and no sandbox ever sees them.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { BadInput } from '../bad-input.ts';
import { home } from '../harness/home.ts';
import { removeTree } from '../harness/remove-tree.ts';
import type { LabFolder } from '../lab.ts';

export const HIDDEN_VERSION = 'skiff/hidden/v1';

/** What a student is told: all; the title and whether it passed; or that a hidden test passed or failed, and no more. */
const feedback = z.enum(['full', 'title', 'none']);

const documentSchema = z.strictObject({
  schema: z.literal(HIDDEN_VERSION),
  tests: z
    .array(
      z.strictObject({
        /** The exact title in the suite. A test that is listed here and did not run has failed. */
        title: z.string().min(1).max(200),
        points: z.int().min(1).max(100),
        feedback: feedback.default('none'),
      }),
    )
    .min(1),
});
export type HiddenTest = z.infer<typeof documentSchema>['tests'][number];

export interface HiddenLab {
  /** The lab with the hidden tests as its only task, which comes after the public ones. */
  lab: LabFolder;
  tests: HiddenTest[];
}

export interface HiddenPack {
  /** By the lab's id. */
  labs: ReadonlyMap<string, HiddenLab>;
  /** SHA-256 of all that judges. */
  digest: string;
  /** Remove the copy that is judged with. */
  [Symbol.dispose](): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const SUITE = 'hidden.test.ts';
const TESTS = 'hidden.json';

/**
 * Read a pack and copy its suites into this clone's own `.workshop`, where they find the harness.
 * @param submissions what is graded: a pack in there would be handed out. @throws BadInput
 */
export function openPack(pack: string, labs: readonly LabFolder[], submissions: string): HiddenPack {
  const top = realDirectory(pack);
  const around = fs.realpathSync(submissions);
  if (top === around || top.startsWith(`${around}/`) || around.startsWith(`${top}/`))
    throw new BadInput(`The hidden tests in ${pack} lie among the submissions. Keep them in a directory of their own.`);
  const known = new Map(labs.map((lab) => [path.basename(lab.folder), lab]));
  const names = fs
    .readdirSync(top)
    .filter((name) => fs.statSync(path.join(top, name), { throwIfNoEntry: false })?.isDirectory() === true);
  const unknown = names.filter((name) => !known.has(name) && fs.existsSync(path.join(top, name, TESTS)));
  if (unknown.length > 0)
    throw new BadInput(`${pack} has hidden tests for ${unknown.join(', ')}: folders are called as in labs/.`);
  const used = names.filter((name) => known.has(name)).sort();
  if (used.length === 0)
    throw new BadInput(`${pack} has no hidden tests. Each lab has a folder there: ${[...known.keys()][0]}/${TESTS}.`);
  const hash = createHash('sha256');
  const documents = used.map((name) => {
    const [tests, suite] = [TESTS, SUITE].map((file) => readOf(path.join(top, name, file)));
    hash.update(JSON.stringify([name, tests, suite]));
    return { name, tests: testsIn(path.join(top, name, TESTS), tests!), suite: suite! };
  });
  const kept = path.join(home, '.workshop');
  fs.mkdirSync(kept, { recursive: true });
  sweep(kept);
  const copy = fs.mkdtempSync(path.join(kept, `hidden-${process.pid}-`));
  const dispose = () => removeTree(copy);
  process.once('exit', dispose);
  // `exit` does not come after a signal that nothing catches.
  const interrupted = () => process.exit(130);
  for (const signal of SIGNALS) process.once(signal, interrupted);
  for (const { name, suite } of documents) {
    fs.mkdirSync(path.join(copy, name));
    fs.writeFileSync(path.join(copy, name, SUITE), suite);
  }
  return {
    labs: new Map(
      documents.map(({ name, tests }) => {
        const lab = known.get(name)!;
        return [lab.id, { lab: hiddenLab(lab, tests, path.join(copy, name, SUITE)), tests }];
      }),
    ),
    digest: hash.digest('hex'),
    [Symbol.dispose]: () => {
      process.off('exit', dispose);
      for (const signal of SIGNALS) process.off(signal, interrupted);
      dispose();
    },
  };
}

/** Copies that a killed grader has left. */
function sweep(kept: string): void {
  for (const name of fs.readdirSync(kept)) {
    const pid = /^hidden-(\d+)-\w{6}$/.exec(name)?.[1];
    if (pid !== undefined && !fs.existsSync(`/proc/${pid}`)) removeTree(path.join(kept, name));
  }
}

function hiddenLab(lab: LabFolder, tests: readonly HiddenTest[], suite: string): LabFolder {
  const points = tests.reduce((sum, test) => sum + test.points, 0);
  const task = {
    id: lab.tasks.length + 1,
    title: 'Hidden tests',
    tests: tests.map(({ title, points: worth }) => ({ title, points: worth, hint: title })),
    hints: ['', '', ''] as [string, string, string],
    points,
  };
  return { ...lab, tasks: [task], suite };
}

function realDirectory(pack: string): string {
  try {
    const top = fs.realpathSync(pack);
    if (fs.statSync(top).isDirectory()) return top;
  } catch (error) {
    throw new BadInput(`The hidden tests ${pack} cannot be read: ${(error as Error).message}`);
  }
  throw new BadInput(`${pack} is not a directory. Give the directory of the hidden tests.`);
}

function readOf(file: string): string {
  try {
    if (!fs.statSync(file).isFile()) throw new Error('it is not a regular file');
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new BadInput(`The hidden tests need ${file}: ${(error as Error).message}`);
  }
}

function testsIn(file: string, text: string): HiddenTest[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new BadInput(`${file} is not JSON: ${(error as Error).message}`);
  }
  const { data, error } = documentSchema.safeParse(value);
  if (data === undefined) throw new BadInput(`${file} does not describe hidden tests:\n${z.prettifyError(error!)}`);
  const twice = data.tests.find(({ title }, index) => data.tests.findIndex((other) => other.title === title) !== index);
  if (twice !== undefined) throw new BadInput(`${file} lists "${twice.title}" twice.`);
  return data.tests;
}
