/** How hidden tests are judged: what may be told apart from what may not, and the pack itself before anything is. */

import fs from 'node:fs';
import path from 'node:path';
import { refuse } from '../batch/submission.ts';
import { home } from '../harness/home.ts';
import { Judge } from '../harness/judge-client.ts';
import { type LabRun, runLab } from '../harness/run-lab.ts';
import { narrowed } from '../lab.ts';
import type { LabReport } from '../report.ts';
import type { HiddenLab, HiddenPack } from './pack.ts';

/**
 * The tests whose reds are told are judged first, in sandboxes of their own: a module that remembers what it was asked has not
 * yet been asked what must stay secret.
 */
export async function judgeHidden({ lab, tests }: HiddenLab, run: Omit<LabRun, 'lab'>): Promise<LabReport[]> {
  const told = new Set(tests.filter(({ feedback }) => feedback === 'full').map(({ title }) => title));
  const reports: LabReport[] = [];
  for (const isTold of [true, false]) {
    const part = narrowed(lab, (title) => told.has(title) === isTold);
    if (part.tasks.length > 0) reports.push(await runLab({ ...run, lab: part }));
  }
  return reports;
}

/**
 * Judge the solution of each lab with the pack, where there is one: a title that is misspelt, or a suite that does not load,
 * would cost the whole class its points.
 * @param labs ids of the labs that are going to be graded. @throws BadInput that names the tests the solution does not pass
 */
export async function provePack(pack: HiddenPack, labs: readonly string[]): Promise<void> {
  await using judge = new Judge();
  const wrong: string[] = [];
  for (const [id, { lab }] of pack.labs) {
    const file = path.join(home, 'solutions', path.basename(lab.folder), `${lab.module}.ts`);
    if (!labs.includes(id) || !fs.existsSync(file)) continue;
    const { tasks } = await runLab({ lab, file, own: true, judge });
    for (const { title, outcome, message = outcome } of tasks.flatMap(({ tests }) => tests))
      if (outcome !== 'passed' && outcome !== 'unsupported')
        wrong.push(`The hidden test "${title}" of lab ${id}: the solution does not pass it: ${message.split('\n')[0]}`);
  }
  refuse(wrong);
}
