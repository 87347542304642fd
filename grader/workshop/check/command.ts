/** `workshop check`. */

import { labOrCurrent } from '../labs.ts';
import { goTo } from '../progress.ts';
import { Advice, say } from '../terminal.ts';
import { checkLab, hasPassed } from './check-lab.ts';
import { reportText } from './report-text.ts';

/** Exit 0 when every task has passed, else 1. */
export async function check(
  typed: string | undefined,
  options: { json?: boolean; task?: number; seed?: number },
): Promise<void> {
  const lab = labOrCurrent(typed);
  const { task, seed } = options;
  if (task !== undefined && task > lab.tasks.length)
    throw new Advice(`Lab ${lab.id} has tasks 1 to ${lab.tasks.length}, and no task ${task}.`, 2);
  if (typed !== undefined) goTo(lab.id);
  const report = await checkLab(lab, { task, seed });
  say(options.json ? JSON.stringify({ ...report, passed: hasPassed(report) }, null, 2) : reportText(lab, report));
  // What the harness keeps open must not keep a finished command.
  process.stdout.write('', () => process.exit(hasPassed(report) ? 0 : 1));
}
