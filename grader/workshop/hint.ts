/** `workshop hint`: first what the check saw, then the lab's own hints, one more at every call. */

import { freshReport } from './check/check-lab.ts';
import { computedHint, firstOpenTest } from './check/computed-hint.ts';
import { firstOpenTask, twoDigits } from './check/report-text.ts';
import { type CourseLab, labOrCurrent } from './labs.ts';
import { progressOf, readProgress, updateProgress } from './progress.ts';
import { Advice, paint, say, wrap } from './terminal.ts';

const LEVELS = 3;

export async function hint(typed: string | undefined, options: { task?: number; json?: boolean }): Promise<void> {
  const lab = labOrCurrent(typed);
  const text = await nextHint(lab, options.task);
  if (options.json) say(JSON.stringify(text, null, 2));
  else say(hintText(lab, text));
  process.stdout.write('', () => process.exit(0));
}

export interface Hint {
  lab: string;
  task: { id: number; title: string } | null;
  /** 0: from what the check saw; 1…3: the lab's own. */
  level: number;
  /** About the test that fails, where the lab has something to say of just that. */
  ofTest: string | null;
  hints: string[];
}

/** The next hint for `task`, by default the first that has not passed; the level that was shown is remembered. */
export async function nextHint(lab: CourseLab, wantedTask?: number): Promise<Hint> {
  const report = await freshReport(lab);
  const task = wantedTask === undefined ? firstOpenTask(report) : report.tasks.find(({ id }) => id === wantedTask);
  const described = lab.tasks.find(({ id }) => id === task?.id);
  if (wantedTask !== undefined && task === undefined) {
    throw new Advice(`Lab ${lab.id} has tasks 1 to ${lab.tasks.length}, and no task ${wantedTask}.`, 2);
  }
  if (task === undefined || described === undefined)
    return { lab: lab.id, task: null, level: 0, ofTest: null, hints: [] };
  const seen = readProgress().labs.get(lab.id)?.hints.get(task.id);
  const level = seen === undefined ? 0 : Math.min(LEVELS, seen + 1);
  updateProgress((progress) => progressOf(progress, lab.id).hints.set(task.id, level));
  const hints = level === 0 || task.outcome !== 'passed' ? [computedHint(lab, task)] : [];
  const open = firstOpenTest(task)?.title;
  const ofTest = described.tests.find(({ title }) => title === open)?.hint ?? null;
  return {
    lab: lab.id,
    task: { id: task.id, title: task.title },
    level,
    ofTest: level === 0 ? null : ofTest,
    hints: [...hints, ...described.hints.slice(0, level)],
  };
}

export function hintText(lab: CourseLab, { task, level, ofTest, hints }: Hint): string {
  if (task === null) return `Everything of lab ${lab.id} passes; there is nothing left to hint at.`;
  const [saw, ...own] = hints;
  return [
    `${paint.bold(`Lab ${twoDigits(lab.number)}, task ${task.id}: ${task.title}`)}`,
    '',
    wrap(saw ?? '', '  '),
    ...(ofTest === null ? [] : ['', wrap(`${paint.cyan('For this test')}  ${ofTest}`, '  ')]),
    ...own.flatMap((text, index) => ['', wrap(`${paint.cyan(`Hint ${index + 1} of ${LEVELS}`)}  ${text}`, '  ')]),
    '',
    level < LEVELS
      ? paint.dim(`Ask again for ${level === 0 ? 'the first hint' : 'a bigger hint'}: ./workshop hint ${lab.id}`)
      : paint.dim(
          `That was the last hint. The chapter has the background; ./workshop solution ${lab.id} --give-up shows one way.`,
        ),
  ].join('\n');
}
