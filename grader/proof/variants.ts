/** What is known about each lab beforehand: files that must pass, and files that must be found out. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { home } from '../harness/home.ts';
import { type LabFolder, readLabs } from '../lab.ts';

export interface WrongAnswer {
  /** `solutions/NN-id/wrong/NAME.ts`, without folder and ending. */
  name: string;
  file: string;
  /** The exact title of the test that finds it out. */
  killedBy: string;
}

export interface Variants {
  lab: LabFolder;
  starter: string;
  solution: string;
  engine: string;
  wrong: WrongAnswer[];
}

const packageSchema = z.object({
  imports: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])),
});

/** @throws Error that names the file when a lab has no solution, or a wrong answer does not say what finds it out. */
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
    return {
      lab,
      starter: file(`lab-${lab.id}`),
      solution,
      engine: file('default'),
      wrong: wrongAnswers(lab, path.join(path.dirname(solution), 'wrong')),
    };
  });
}

function wrongAnswers(lab: LabFolder, folder: string): WrongAnswer[] {
  const titles = lab.tasks.flatMap(({ tests }) => tests);
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => {
      const file = path.join(folder, name);
      const killedBy = /^\/\/ killed by: (.+)$/m.exec(fs.readFileSync(file, 'utf8').split('\n', 1)[0]!)?.[1]?.trim();
      if (killedBy === undefined) throw new Error(`${file} has to begin with "// killed by: task N: …".`);
      if (!titles.includes(killedBy)) throw new Error(`${file} names "${killedBy}", which is no test of ${lab.id}.`);
      return { name: path.basename(name, '.ts'), file, killedBy };
    });
}
