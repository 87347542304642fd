/** A report for a terminal. */

import type { ChalkInstance } from 'chalk';
import type { LabReport, Outcome, Report, TaskReport, TestReport } from '../report.ts';
import { marks, score, seconds, whyUngraded } from './words.ts';

const MOST_LINES = 8;
const TITLE_WIDTH = 64;

export function terminalReport(report: Report, paint: ChalkInstance): string {
  const colours: Record<Outcome, (text: string) => string> = {
    passed: paint.green,
    failed: paint.red,
    skipped: paint.dim,
    error: paint.magenta,
    unsupported: paint.yellow,
  };
  const mark = (outcome: Outcome) => colours[outcome](marks[outcome]);

  const lines = report.labs.flatMap((lab) => [...labLines(lab), '']);
  const outcomes = report.labs.flatMap((lab) => lab.tasks.map(({ outcome }) => outcome));
  const why = whyUngraded(outcomes);
  if (why !== null) lines.push(why, '');
  lines.push(`${paint.bold(score(report))} in ${seconds(report.durationMs)}`);
  return lines.join('\n');

  function labLines(lab: LabReport): string[] {
    const number = String(lab.number).padStart(2, '0');
    const head = `${mark(lab.outcome)} ${paint.bold(`${number} ${lab.title}`)}  ${score(lab)}`;
    const messages = new Set(lab.tasks.flatMap(({ tests }) => tests.map(({ message }) => message)));
    const [only] = messages;
    // A module that cannot be loaded fails everything for one reason, which is said once.
    const allAlike = messages.size === 1 && only !== undefined && lab.tasks.every(({ tests }) => tests.length > 0);
    const tasks = lab.tasks.flatMap((task) => taskLines(task, !allAlike));
    return [head, ...(allAlike ? indent(only, '    ') : []), ...tasks];
  }

  function taskLines(task: TaskReport, explain: boolean): string[] {
    const title = `task ${task.id}: ${task.title}`.padEnd(TITLE_WIDTH);
    const head = `  ${mark(task.outcome)} ${title} ${String(task.points).padStart(3)} / ${task.maxPoints}`;
    if (task.outcome === 'passed') return [head];
    const open = explain ? task.tests.filter(({ outcome }) => outcome !== 'passed') : [];
    // What stands between a learner and a whole task is said once.
    const reason = new Set(open.map(({ message }) => message)).size === 1 ? open[0]!.message : undefined;
    if (open.length < 2 || reason === undefined) return [head, ...open.flatMap(testLines)];
    const claims = open.flatMap(({ title, outcome }) => testLines({ title, outcome }));
    return [head, ...claims, ...indent(reason, '        ')];
  }

  function testLines({
    title,
    outcome,
    message,
    evidence,
  }: Omit<TestReport, 'durationMs' | 'points' | 'maxPoints'>): string[] {
    const claim = title.replace(/^task \d+: /, '');
    return [
      `      ${mark(outcome)} ${claim}`,
      ...indent(message ?? '', '          '),
      ...indent(evidence ?? '', '          ').map((line) => paint.dim(line)),
    ];
  }
}

function indent(text: string, by: string): string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  const shown = lines.slice(0, MOST_LINES).map((line) => `${by}${line}`);
  return lines.length > MOST_LINES ? [...shown, `${by}… ${lines.length - MOST_LINES} more lines`] : shown;
}
