/** `workshop solution`: one way to do it, once the learner has done it, or has said that they give up. */

import fs from 'node:fs';
import path from 'node:path';
import { freshReport, hasPassed } from './check/check-lab.ts';
import { shortPath } from './home.ts';
import { findLab } from './labs.ts';
import { progressOf, readProgress, today, updateProgress } from './progress.ts';
import { Advice, paint, say } from './terminal.ts';

export async function solution(typed: string, options: { giveUp?: boolean }): Promise<void> {
  const lab = findLab(typed);
  if (!fs.existsSync(lab.solution)) {
    throw new Advice(
      `There is no solution of ${lab.id} in this clone. The engine's own way is ${shortPath(lab.engine)}.`,
    );
  }
  const facts = readProgress().labs.get(lab.id);
  const open = facts?.passed !== undefined || facts?.gaveUp !== undefined || options.giveUp === true;
  if (!open && !hasPassed(await freshReport(lab))) {
    throw new Advice(
      `The solution of ${lab.id} opens when yours passes: ./workshop check ${lab.id}. ` +
        `If you want to see it now, say so, and it will be recorded: ./workshop solution ${lab.id} --give-up`,
    );
  }
  if (facts?.passed === undefined && options.giveUp) {
    updateProgress((progress) => {
      progressOf(progress, lab.id).gaveUp ??= today();
    });
  }
  say(fs.readFileSync(lab.solution, 'utf8').trimEnd());
  const notes = path.join(path.dirname(lab.solution), 'NOTES.md');
  say(paint.dim(`\n// ${shortPath(lab.solution)}${fs.existsSync(notes) ? `; why it is so: ${shortPath(notes)}` : ''}`));
  process.stdout.write('', () => process.exit(0));
}
