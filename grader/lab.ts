/** `lab.json`: what a lab is, and which tests earn which points. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';

export const lanes = ['pure', 'rootless', 'kernel'] as const;
export type Lane = (typeof lanes)[number];

const testSchema = z.strictObject({
  /** The exact title in the suite: `task N: <claim>`. A test that is listed here and did not run has failed. */
  title: z.string().regex(/^task \d+: \S/),
  points: z.int().min(1).max(100),
  /** What to look at when just this test fails; `hint` shows it before the hints of the task. */
  hint: z.string().min(1),
});
export type LabTest = z.infer<typeof testSchema>;

const taskSchema = z
  .strictObject({
    id: z.int().min(1).max(99),
    title: z.string().min(1).max(120),
    tests: z.array(testSchema).min(1),
    /** From a nudge to nearly the answer; none of them can be pasted. */
    hints: z.tuple([z.string(), z.string(), z.string()]),
  })
  .transform((task) => ({ ...task, points: pointsOf(task.tests) }));

const labSchema = z
  .strictObject({
    $schema: z.string().optional(),
    /** Stable: progress files and package.json's conditions are named by it. */
    id: z.string().regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/),
    /** The order in the course, and the folder's prefix. */
    number: z.int().min(0).max(99),
    title: z.string().min(1).max(120),
    part: z.int().min(0).max(9),
    minutes: z.int().min(5).max(600),
    difficulty: z.int().min(1).max(5),
    lane: z.enum(lanes),
    /** The learner's file without `.ts`; also the name of the plank's subpath import. */
    module: z.string().regex(/^[a-z][a-z0-9-]*$/),
    /** Ids of other labs. */
    prerequisites: z.array(z.string()),
    tasks: z.array(taskSchema).min(1),
  })
  .superRefine((lab, context) => {
    const titles = new Set<string>();
    for (const [index, task] of lab.tasks.entries()) {
      if (task.id !== index + 1) context.addIssue(`task ids count 1, 2, 3, …; the ${index + 1}th is ${task.id}`);
      for (const { title } of task.tests) {
        if (titles.has(title)) context.addIssue(`"${title}" stands twice`);
        if (!title.startsWith(`task ${task.id}: `)) context.addIssue(`"${title}" stands in task ${task.id}`);
        titles.add(title);
      }
    }
  });

export type Task = z.infer<typeof taskSchema>;
export type Lab = z.infer<typeof labSchema>;

/** A lab and where it lies: `labs/NN-id`, absolute. */
export interface LabFolder extends Lab {
  folder: string;
  /** The suite that judges it, absolute; the folder's own if absent. */
  suite?: string;
}

/** @param folder `labs/NN-id`. @throws Error that names the file and what is wrong in it. */
export function readLab(folder: string): Lab {
  const file = path.join(folder, 'lab.json');
  let json: unknown;
  try {
    json = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`);
  }
  const parsed = labSchema.safeParse(json);
  if (!parsed.success) throw new Error(`${file} is not a lab.json:\n${z.prettifyError(parsed.error)}`);
  const expected = `${String(parsed.data.number).padStart(2, '0')}-${parsed.data.id}`;
  if (path.basename(folder) !== expected) throw new Error(`${file} says it belongs in a folder named ${expected}.`);
  return parsed.data;
}

/**
 * The labs of a clone in the course's order. Folders without a lab.json are not labs.
 * @throws Error when a lab.json is not valid, or two labs share an id or number.
 */
export function readLabs(home: string): LabFolder[] {
  const labsFolder = path.join(home, 'labs');
  const labs = fs
    .readdirSync(labsFolder)
    .map((name) => path.join(labsFolder, name))
    .filter((folder) => fs.existsSync(path.join(folder, 'lab.json')))
    .map((folder) => ({ ...readLab(folder), folder }))
    .sort((a, b) => a.number - b.number);
  for (const [index, lab] of labs.entries()) {
    const twin = labs[index - 1];
    if (twin?.number === lab.number) throw new Error(`${twin.folder} and ${lab.folder} have the same number.`);
    const missing = lab.prerequisites.find((id) => !labs.some((other) => other.id === id && other.number < lab.number));
    if (missing !== undefined) throw new Error(`${lab.folder} asks for "${missing}", which is not an earlier lab.`);
  }
  return labs;
}

/** The suite of a lab, which judges its module. */
export function suiteOf(lab: LabFolder): string {
  return lab.suite ?? path.join(lab.folder, `${lab.module}.test.ts`);
}

/** The learner's one file of a lab, relative to the clone: all that is taken from a submission. */
export function learnerFile(lab: LabFolder): string {
  return path.posix.join('labs', path.basename(lab.folder), `${lab.module}.ts`);
}

export function maxPoints(lab: Lab): number {
  return lab.tasks.reduce((sum, task) => sum + task.points, 0);
}

export function titlesOf(lab: Pick<Lab, 'tasks'>): string[] {
  return lab.tasks.flatMap(({ tests }) => tests.map(({ title }) => title));
}

/**
 * The same lab with only the tests that `keep` names, and only the tasks that have one: what is judged is the whole lab
 * as far as everything downstream can tell, points included.
 */
export function narrowed<T extends Lab>(lab: T, keep: (title: string, task: number) => boolean): T {
  const tasks = lab.tasks.map((task) => {
    const tests = task.tests.filter(({ title }) => keep(title, task.id));
    return { ...task, tests, points: pointsOf(tests) };
  });
  return { ...lab, tasks: tasks.filter(({ tests }) => tests.length > 0) };
}

function pointsOf(tests: LabTest[]): number {
  return tests.reduce((sum, { points }) => sum + points, 0);
}
