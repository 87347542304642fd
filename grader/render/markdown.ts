/** A report as Markdown. Text that may come from a submission stands in fences that it cannot close. */

import type { LabReport, Report, TestReport } from '../report.ts';
import { marks, score, seconds, whyUngraded } from './words.ts';

export function markdownReport(report: Report): string {
  const outcomes = report.labs.flatMap((lab) => lab.tasks.map(({ outcome }) => outcome));
  const why = whyUngraded(outcomes);
  return [
    `# ${score(report)}`,
    '',
    `Graded ${report.gradedAt} in ${seconds(report.durationMs)}, grader ${report.grader.version}.`,
    ...(why === null ? [] : ['', why.replaceAll('\n', '  \n')]),
    ...report.labs.flatMap(labSection),
    '',
  ].join('\n');
}

function labSection(lab: LabReport): string[] {
  const rows = lab.tasks.map(
    ({ id, title, outcome, points, maxPoints }) =>
      `| ${marks[outcome]} | ${id} | ${cell(title)} | ${points} / ${maxPoints} |`,
  );
  const open = lab.tasks.flatMap(({ tests }) => tests).filter(({ outcome }) => outcome !== 'passed');
  return [
    '',
    `## ${String(lab.number).padStart(2, '0')} ${lab.title}: ${score(lab)}`,
    '',
    `From \`${lab.file}\`${lab.digest === null ? '' : `, SHA-256 \`${lab.digest.slice(0, 12)}\``}.`,
    '',
    '| | Task | | Points |',
    '| --- | --- | --- | --- |',
    ...rows,
    ...open.flatMap(testSection),
  ];
}

function testSection({ title, outcome, message, evidence }: TestReport): string[] {
  const text = [message, evidence].filter((part) => part !== undefined).join('\n\n');
  return ['', `### ${marks[outcome]} ${title}`, ...(text === '' ? [] : ['', ...fenced(text)])];
}

function fenced(text: string): string[] {
  const longest = Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return [`${fence}text`, text, fence];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
