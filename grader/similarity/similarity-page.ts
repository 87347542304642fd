/** The pairs of one lab, side by side. */

import { type Html, html } from '../pages/html.ts';
import { page, wideTable } from '../pages/page.ts';
import type { Compared, Pair } from './compare.ts';
import type { Lines } from './prints.ts';

const MOST_PAIRS = 50;

export function similarityPage(
  lab: { number: number; title: string },
  { pairs, given }: Compared,
  sources: ReadonlyMap<string, string>,
): string {
  const shown = pairs.slice(0, MOST_PAIRS);
  const rows = shown.map(
    ({ students: [one, other], share, shared }, index) =>
      html`<tr><td class="number">${percent(share)}</td><td class="number">${shared}</td><th scope="row"><a href="#pair-${index}">${one} and ${other}</a></th></tr>
`,
  );
  const body = html`<p>How much of the shorter module stands in the other one too, in whatever order and under whatever names, without
what is the starter's, the solution's, or most of the class's. That two modules are alike is a reason to look at
them and to ask, and no proof: two students may have talked, used the same source, or had the same idea. Somebody who
rewrote every line is not found.</p>
${
  shown.length === 0
    ? html`<p>No pair is alike.</p>`
    : wideTable('Pairs, the most alike first', ['Alike', 'Places', 'Students'], rows)
}
${
  given.length === 0
    ? html``
    : html`<h2>Mostly not their own</h2>
<p>Nearly all of these modules is the starter's or the solution's text, so they are compared with no other one.</p>
<ul>${given.map(({ student, share }) => html`<li>${student}: ${percent(share)}</li>\n`)}</ul>`
}
${shown.map((pair, index) => pairSection(pair, index, sources))}`;
  return page(`Lab ${lab.number}: ${lab.title}, modules that are alike`, body);
}

function pairSection({ students, share, lines }: Pair, index: number, sources: ReadonlyMap<string, string>): Html {
  const columns = students.map((student, side) => column(student, sources.get(student) ?? '', lines[side]!));
  return html`<h2 id="pair-${index}">${students[0]} and ${students[1]}: ${percent(share)}</h2>
<div class="beside">${columns}</div>
`;
}

function column(student: string, source: string, ranges: readonly Lines[]): Html {
  const isShared = (line: number) => ranges.some(({ first, last }) => first <= line && line <= last);
  const text = source.split('\n').map((line, index) => {
    const number = `${index + 1}`.padStart(4);
    return isShared(index + 1) ? html`<mark>${number}  ${line}</mark>\n` : html`${number}  ${line}\n`;
  });
  return html`<section aria-label="${student}"><h3>${student}</h3><pre tabindex="0">${text}</pre></section>`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
