/** A report as a learner reads it. */

import fs from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { maxPoints } from '../../lab.ts';
import { score } from '../../render/words.ts';
import type { LabReport, TaskReport, TestReport } from '../../report.ts';
import { shortPath } from '../home.ts';
import { hostLanes } from '../host.ts';
import { type CourseLab, existingLabs } from '../labs.ts';
import { paint, wrap } from '../terminal.ts';
import { hasPassed } from './check-lab.ts';

const MARKS = {
  passed: paint.green('✔'),
  failed: paint.red('✘'),
  error: paint.magenta('!'),
  skipped: paint.yellow('–'),
  unsupported: paint.yellow('–'),
} as const;

/** A message longer than this is a dump, and hides the next one. */
const MESSAGE_LINES = 14;

export function reportText(lab: CourseLab, report: LabReport): string {
  const tests = report.tasks.flatMap((task) => task.tests);
  const reason = onlyReason(tests);
  const passed = tests.filter((test) => test.outcome === 'passed').length;
  return [
    `${paint.bold(`Lab ${twoDigits(lab.number)} ${lab.title}`)}  ${paint.dim(shortPath(lab.file))}`,
    '',
    ...(reason === undefined
      ? report.tasks.map((task) => taskText(task))
      : [...report.tasks.map((task) => headOf(task)), '', wrap(shorten(reason), '  ')]),
    '',
    `  ${score(report)}, ${passed} of ${tests.length} tests, ${Math.round(report.durationMs)} ms, seed ${report.seed}`,
    '',
    ...nextLines(lab, report),
  ].join('\n');
}

export function twoDigits(number: number): string {
  return String(number).padStart(2, '0');
}

/** A module that does not load, or a host that lacks something, is one reason for everything: it is said once. */
function onlyReason(tests: TestReport[]): string | undefined {
  const [first] = tests;
  const alike = tests.length > 1 && tests.every(({ message }) => message === first?.message);
  return alike && first?.message !== undefined && !isNotBegun(first) ? first.message : undefined;
}

function headOf(task: TaskReport): string {
  return `  ${MARKS[task.outcome]} Task ${task.id}  ${task.title}  ${paint.dim(`${task.points}/${task.maxPoints}`)}`;
}

function taskText(task: TaskReport): string {
  const head = headOf(task);
  if (task.outcome === 'passed') return head;
  if (task.tests.every((test) => isNotBegun(test))) return `${head}  ${paint.dim('not written yet')}`;
  return [head, ...withoutRepeats(task.tests).map((test) => testText(test))].join('\n');
}

/** What NotImplemented says; an assertion cuts it short. */
const NOT_WRITTEN = /Lab [a-z0-9-]+, (task \d+) is not writ/;

export function isNotBegun(test: TestReport): boolean {
  return test.outcome === 'failed' && NOT_WRITTEN.test(`${test.message} ${test.evidence}`);
}

/** What stands between a learner and several tests in a row is said once. */
function withoutRepeats(tests: TestReport[]): TestReport[] {
  return tests.map((test, index) => {
    const before = tests[index - 1];
    const repeats =
      test.message !== undefined && test.message === before?.message && test.evidence === before?.evidence;
    return repeats ? { ...test, message: 'As above.', evidence: undefined } : test;
  });
}

function testText(test: TestReport): string {
  const title = `      ${MARKS[test.outcome]} ${test.title.replace(/^task \d+: /, '')}`;
  if (test.outcome === 'passed') return title;
  const [, stub] = isNotBegun(test) ? (NOT_WRITTEN.exec(`${test.message} ${test.evidence}`) ?? []) : [];
  if (stub !== undefined) return `${title}  ${paint.dim(`${stub} is not written yet`)}`;
  const lines = [title];
  if (test.message !== undefined) lines.push(wrap(shorten(test.message), '          '));
  if (test.evidence !== undefined)
    lines.push(paint.dim(wrap(`The check saw: ${shorten(test.evidence)}`, '          ')));
  return lines.join('\n');
}

/** What the submission wrote may be in there: no control characters, and not for pages. */
export function shorten(text: string): string {
  const lines = stripVTControlCharacters(text).trim().split('\n');
  return lines.length <= MESSAGE_LINES
    ? lines.join('\n')
    : [...lines.slice(0, MESSAGE_LINES), `… ${lines.length - MESSAGE_LINES} more lines`].join('\n');
}

function nextLines(lab: CourseLab, report: LabReport): string[] {
  if (report.maxPoints < maxPoints(lab)) {
    const all = `./workshop check ${lab.id}`;
    return [report.points === report.maxPoints ? paint.green(`This task passes. All of them: ${all}`) : paint.dim(all)];
  }
  if (hasPassed(report)) {
    const next = existingLabs().find((other) => other.number > lab.number && hostLanes()[other.lane] === null);
    return [
      report.ungradedPoints === 0
        ? paint.green.bold('All of it passes: this plank is yours.')
        : paint.green.bold('All that this host can judge passes: this plank is yours.'),
      ...(report.ungradedPoints === 0
        ? []
        : [`  ${report.ungradedPoints} points are not graded here: ./workshop doctor says what this host lacks.`]),
      `  ./workshop diff ${lab.id}   what the engine does beyond yours`,
      next === undefined
        ? '  ./skiff --mine run hostbox echo hello   the engine on your planks'
        : `  ./workshop start ${next.id}   the next lab: ${next.title}`,
    ];
  }
  const task = firstOpenTask(report);
  if (task === undefined) return ['Nothing of it can be judged on this host: ./workshop doctor says what it lacks.'];
  const where = `${shortPath(lab.file)}${lineOfTask(lab.file, task.id)}`;
  return [
    wrap(`Next: task ${task.id}, ${task.title.replace(/\.$/, '')}, in ${where}`),
    paint.dim(`  ./workshop hint    a hint, first from what the check saw`),
    paint.dim(`  ./workshop watch   a check at every save`),
  ];
}

/** The first task with something to do; what this host cannot judge is nothing that the learner can do. */
export function firstOpenTask(report: LabReport): TaskReport | undefined {
  const open = report.tasks.filter(({ outcome }) => outcome !== 'passed' && outcome !== 'unsupported');
  return open.find(({ tests }) => tests.some(({ outcome }) => outcome === 'failed')) ?? open[0];
}

/** `:12` when the file has a comment that begins with "Task N." in line 12, else nothing. */
export function lineOfTask(file: string, task: number): string {
  try {
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    const line = lines.findIndex((text) => new RegExp(`\\bTask ${task}\\b`, 'i').test(text));
    return line < 0 ? '' : `:${line + 1}`;
  } catch {
    return '';
  }
}
