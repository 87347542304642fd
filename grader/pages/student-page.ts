/** The page of one student, to be sent to that student: it names nobody else. */

import type { Grade } from '../policy/grades.ts';
import { marks } from '../render/words.ts';
import type { LabReport, TestReport } from '../report.ts';
import { type Html, html, nothing } from './html.ts';
import { dateOf, page } from './page.ts';

export interface StudentOf {
  student: string;
  grades: readonly Grade[];
  /** By the lab's id: what the attempt that counts was judged. */
  reports: ReadonlyMap<string, LabReport>;
  remarks: readonly string[];
}

export function studentPage({ student, grades, reports, remarks }: StudentOf): string {
  const body = html`${remarks.map((remark) => html`<p>${remark}</p>\n`)}
${grades.map((grade) => gradeSection(grade, reports.get(grade.lab)))}`;
  return page(`Grades of ${student}`, body);
}

function gradeSection(grade: Grade, report: LabReport | undefined): Html {
  const title = report === undefined ? grade.lab : `Lab ${report.number}: ${report.title}`;
  const { handedIn, counted } = grade.attempts;
  return html`<h2>${title}</h2>
<p><strong>${grade.points === null ? 'Open' : `${grade.points} of ${grade.maxPoints} points`}</strong>.${
    grade.note === undefined ? nothing : html` ${grade.note}`
  }${grade.received === undefined ? nothing : html` Received ${dateOf(grade.received)}.`}${
    handedIn > 1 ? html` ${handedIn} attempts, ${counted} of them count.` : nothing
  }</p>
${report === undefined ? nothing : report.tasks.map(taskSection)}`;
}

function taskSection({ id, title, points, maxPoints, tests }: LabReport['tasks'][number]): Html {
  return html`<h3>Task ${id}: ${title}, ${points} of ${maxPoints} points</h3>
<ul>
${tests.map(testItem)}</ul>
`;
}

function testItem({ title, outcome, points, maxPoints, message, evidence }: TestReport): Html {
  const kind = outcome === 'passed' || outcome === 'failed' ? outcome : 'open';
  const said = [message, evidence].filter((text) => text !== undefined && text !== '').join('\n\n');
  const line = html`<span class="${kind}">${marks[outcome]} ${outcome}</span> ${title}, ${points} of ${maxPoints}`;
  if (said === '') return html`<li>${line}</li>\n`;
  return html`<li>${line}<details><summary>What the check saw</summary><pre>${said}</pre></details></li>\n`;
}
