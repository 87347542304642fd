/** The page of a class: who has what, how each lab went, and what most got wrong. */

import type { Grade } from '../policy/grades.ts';
import { type Html, html, nothing } from './html.ts';
import { bar, dateOf, page, wideTable } from './page.ts';
import { labStatistics, type TestStatistics } from './statistics.ts';

export interface ClassLab {
  id: string;
  number: number;
  title: string;
  maxPoints: number;
  failures: readonly TestStatistics[];
  /** By the title of a test: the mistakes that it is known to find. */
  mistakes: ReadonlyMap<string, readonly string[]>;
}

export interface ClassStudent {
  student: string;
  /** Relative to this page. */
  href: string;
  grades: readonly Grade[];
  /** What became of submissions without a report. */
  remarks: readonly string[];
}

export interface ClassOf {
  title: string;
  labs: readonly ClassLab[];
  students: readonly ClassStudent[];
  /** RFC 3339, of every submission whose time is known. */
  received: readonly string[];
  madeAt: string;
}

export function classPage({ title, labs, students, received, madeAt }: ClassOf): string {
  const contents = html`<p>${students.length} students, made ${dateOf(madeAt)}.
A grade with * was set by hand, one with - is late, and "open" could not be graded yet.</p>
<nav aria-label="Contents"><ul>
<li><a href="#grades">Grades</a></li>
${labs.map(({ id, number, title: name }) => html`<li><a href="#lab-${id}">Lab ${number}: ${name}</a></li>\n`)}
${received.length > 0 ? html`<li><a href="#times">When work was handed in</a></li>` : nothing}
</ul></nav>
<h2 id="grades">Grades</h2>
${gradesTable(labs, students)}
${labs.map((lab) => labSection(lab, students))}
${received.length > 0 ? times(received) : nothing}`;
  return page(title, contents);
}

function gradesTable(labs: readonly ClassLab[], students: readonly ClassStudent[]): Html {
  const rows = students.map(
    ({ student, href, grades, remarks }) => html`<tr><th scope="row"><a href="${href}">${student}</a></th>${labs.map(
      ({ id }) => html`<td class="number">${cellOf(grades.find(({ lab }) => lab === id))}</td>`,
    )}<td>${remarks.join(' ')}</td></tr>
`,
  );
  return wideTable(
    'Points of each student',
    ['Student', ...labs.map(({ number, title, maxPoints }) => `${number}. ${title} (${maxPoints})`), 'Remarks'],
    rows,
  );
}

function cellOf(grade: Grade | undefined): Html {
  if (grade === undefined) return nothing;
  if (grade.points === null) return html`<span class="open">open</span>`;
  return html`${grade.points}${grade.override !== undefined ? '*' : grade.late.kept < 1 ? '-' : ''}`;
}

function labSection(lab: ClassLab, students: readonly ClassStudent[]): Html {
  const grades = students.flatMap((each) => each.grades.filter((grade) => grade.lab === lab.id));
  const { graded, open, mean, median, full, bins } = labStatistics(grades);
  const most = Math.max(1, ...bins);
  const rows = bins.map((count, index) => {
    const range = `${index * 10} to ${index === 9 ? 100 : index * 10 + 9} %`;
    return html`<tr><th scope="row">${range}</th><td class="number">${count}</td><td>${bar(count / most)}</td></tr>
`;
  });
  const summary =
    mean === undefined
      ? 'Nobody is graded yet.'
      : `${graded} graded, mean ${mean.toFixed(1)}, median ${median!.toFixed(1)} of ${lab.maxPoints} points; ${full} with all points.`;
  return html`<h2 id="lab-${lab.id}">Lab ${lab.number}: ${lab.title}</h2>
<p>${summary}${open > 0 ? ` ${open} open.` : ''}</p>
${wideTable(`Lab ${lab.number}: how many reached which part of the points`, ['Points', 'Students', 'Share'], rows)}
${lab.failures.length === 0 ? html`<p>Every test was passed by everybody.</p>` : failuresTable(lab)}
`;
}

function failuresTable({ number, failures, mistakes }: ClassLab): Html {
  const rows = failures.map(({ task, title, judged, failed }) => {
    const known = mistakes.get(title) ?? [];
    return html`<tr><td class="number">${task}</td><th scope="row">${title}</th><td class="number">${failed} of ${judged}</td><td>${bar(
      failed / judged,
    )}</td><td>${known.join(', ')}</td></tr>
`;
  });
  return wideTable(
    `Lab ${number}: what most got wrong`,
    ['Task', 'Test', 'Failed', 'Share', 'Mistakes that it is known to find'],
    rows,
  );
}

function times(received: readonly string[]): Html {
  const days = new Map<string, number>();
  for (const each of received) {
    const day = new Date(each).toISOString().slice(0, 10);
    days.set(day, (days.get(day) ?? 0) + 1);
  }
  const most = Math.max(...days.values());
  const rows = [...days].sort().map(
    ([
      day,
      count,
    ]) => html`<tr><th scope="row">${day}</th><td class="number">${count}</td><td>${bar(count / most)}</td></tr>
`,
  );
  return html`<h2 id="times">When work was handed in</h2>
${wideTable('Submissions of each day (UTC)', ['Day', 'Submissions', 'Share'], rows)}`;
}
