/** A hint made of nothing but what the check saw. It says where to look, never what to write. */

import fs from 'node:fs';
import type { TaskReport, TestReport } from '../../report.ts';
import { shortPath } from '../home.ts';
import type { CourseLab } from '../labs.ts';
import { isNotBegun, lineOfTask, shorten } from './report-text.ts';

/** What failed comes before what was not judged. */
export function firstOpenTest({ tests }: TaskReport): TestReport | undefined {
  return (
    tests.find(({ outcome }) => outcome === 'failed') ??
    tests.find(({ outcome }) => outcome === 'error' || outcome === 'unsupported')
  );
}

export function computedHint(lab: CourseLab, task: TaskReport): string {
  const test = firstOpenTest(task) ?? task.tests[0];
  const where = `${shortPath(lab.file)}${lineOfTask(lab.file, task.id)}`;
  if (test === undefined) return `Task ${task.id} is in ${where}.`;
  if (isNotBegun(test)) return notBegun(lab, task, where);

  const message = shorten(test.message ?? '');
  const claim = test.title.replace(/^task \d+: /, '');
  const saw = test.evidence === undefined ? '' : `\nThe check saw: ${shorten(test.evidence)}`;
  return `The first claim that does not hold is: ${claim}.\n${message}${saw}${reading(message)}`;
}

function notBegun(lab: CourseLab, task: TaskReport, where: string): string {
  const claims = task.tests.map(({ title }) => `  · ${title.replace(/^task \d+: /, '')}`);
  const open = stubsIn(lab.file, lab.id);
  const stubs = open.length === 0 ? '' : `\nStill the starter's in this file: ${open.join(', ')}.`;
  return `Task ${task.id} is not written yet: ${where}.\nIts doc comment says what and when. The check will ask:\n${claims.join('\n')}${stubs}`;
}

/** The functions that still throw NotImplemented. */
function stubsIn(file: string, lab: string): string[] {
  let name = '';
  const stubs: string[] = [];
  for (const line of readLines(file)) {
    name = /^export (?:async )?function (\w+)/.exec(line)?.[1] ?? name;
    if (name !== '' && line.includes(`new NotImplemented('${lab}'`)) stubs.push(`${name}()`);
  }
  return stubs;
}

function readLines(file: string): string[] {
  try {
    return fs.readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** What an errno or a silence points to. */
function reading(message: string): string {
  const call = /\b(\w+)(?: [^:\n]*)?: (E[A-Z0-9]+)\b/.exec(message);
  if (call !== null) {
    const [, syscall, code] = call;
    return `\n${syscall}(2) answered ${code}. The section ERRORS of \`man 2 ${syscall}\` lists every reason it can have.`;
  }
  if (/time.?out|timed out|did not (answer|end|return)|no answer/i.test(message)) {
    return '\nSomething waits for what never comes: a pipe whose write end is still open somewhere, or a child that was never started.';
  }
  return '';
}
