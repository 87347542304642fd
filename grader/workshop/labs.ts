/** The labs that exist in this clone, and where their files are. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { type LabFolder, learnerFile, readLabs } from '../lab.ts';
import { plannedLabs } from './curriculum.ts';
import { home } from './home.ts';
import { nearest } from './nearest.ts';
import { type Progress, readProgress } from './progress.ts';
import { Advice } from './terminal.ts';

/** All paths are absolute. */
export interface CourseLab extends LabFolder {
  /** The learner's module. */
  file: string;
  chapter: string;
  solution: string;
  /** The reference engine's module of the same plank. */
  engine: string;
}

const packageSchema = z.object({
  imports: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])),
});

/** In the course's order. @throws Error that names a lab.json that is not valid. */
export function existingLabs(): CourseLab[] {
  const planks = readPlanks();
  return readLabs(home).map((lab) => ({
    ...lab,
    file: path.join(home, learnerFile(lab)),
    chapter: path.join(lab.folder, 'README.md'),
    solution: path.join(home, 'solutions', path.basename(lab.folder), `${lab.module}.ts`),
    engine: planks.get(lab.id) ?? path.join(home, 'engine/runtime', `${lab.module}.ts`),
  }));
}

/** Lab id → the engine's own module, as package.json "imports" has it. */
function readPlanks(): Map<string, string> {
  const { imports } = packageSchema.parse(JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8')));
  const planks = new Map<string, string>();
  for (const target of Object.values(imports)) {
    if (typeof target === 'string' || target.default === undefined) continue;
    const lab = Object.keys(target).find((condition) => condition.startsWith('lab-'));
    if (lab !== undefined) planks.set(lab.slice('lab-'.length), path.join(home, target.default));
  }
  return planks;
}

/** By id, number or folder name. @throws Advice with the nearest match, or saying that the lab is still to come. */
export function findLab(typed: string): CourseLab {
  const labs = existingLabs();
  const wanted = typed
    .replace(/^labs\//, '')
    .replace(/\/$/, '')
    .toLowerCase();
  const found = labs.find(
    (lab) =>
      lab.id === wanted ||
      path.basename(lab.folder) === wanted ||
      (/^\d+$/.test(wanted) && lab.number === Number(wanted)),
  );
  if (found !== undefined) return found;
  const planned = plannedLabs.find((lab) => lab.id === wanted || String(lab.number) === wanted.replace(/^0(?=.)/, ''));
  if (planned !== undefined) {
    throw new Advice(
      `The lab "${planned.id}" is part of the course but not written yet. See what there is: ./workshop list`,
      2,
    );
  }
  const ids = labs.map((lab) => lab.id);
  const meant = nearest(wanted, ids);
  throw new Advice(
    meant === undefined
      ? `There is no lab "${typed}". There are: ${ids.join(', ')}.`
      : `There is no lab "${typed}". Did you mean "${meant}"?`,
    2,
  );
}

/** The lab that was named, else the one the learner is in. */
export function labOrCurrent(typed: string | undefined): CourseLab {
  return typed === undefined ? currentLab(readProgress()) : findLab(typed);
}

/** The lab of the last `start`; before that, or when it is gone, the first that has not passed. */
export function currentLab(progress: Progress): CourseLab {
  const labs = existingLabs();
  const current =
    labs.find((lab) => lab.id === progress.current) ??
    labs.find((lab) => progress.labs.get(lab.id)?.passed === undefined) ??
    labs.at(-1);
  if (current === undefined) throw new Advice(`There are no labs in ${home}. Is the clone complete? Try: git status`);
  return current;
}
