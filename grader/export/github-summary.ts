/** The page of a workflow run on GitHub: append it to the file that $GITHUB_STEP_SUMMARY names. */

import { marks, score, whyUngraded } from '../render/words.ts';
import type { ReportExporter } from './exporter.ts';
import { type JudgedTest, judgedTests, plainLine, totalsOf } from './judged-tests.ts';

/** A step's summary may have 1 MiB, and one that is longer is dropped whole. */
const LONGEST = 900_000;

export const githubSummary: ReportExporter = {
  name: 'github-summary',
  about: 'GitHub Actions: Markdown of one submission, to append to $GITHUB_STEP_SUMMARY',
  extension: 'md',
  ofReport: (report) => {
    const tests = judgedTests(report);
    const { points, countedPoints, ungradedPoints } = totalsOf(tests);
    const why = whyUngraded(tests.map(({ outcome }) => outcome));
    const head = [
      `# ${score({ points, maxPoints: countedPoints + ungradedPoints, ungradedPoints })}`,
      '',
      ...(why === null ? [] : [...why.split('\n').flatMap((line) => [line, ''])]),
      ...report.labs.flatMap((lab) => [
        `## ${literal(lab.title)}: ${score(lab)}`,
        '',
        '| | Task | Points |',
        '| --- | --- | --- |',
        ...lab.tasks.map(
          ({ title, outcome, points, maxPoints }) =>
            `| ${marks[outcome]} | ${literal(title)} | ${points} / ${maxPoints} |`,
        ),
        '',
        '',
      ]),
    ].join('\n');
    return withinLimit(head, tests.filter(({ outcome }) => outcome !== 'passed').map(detail));
  },
};

function withinLimit(head: string, details: string[]): string {
  let page = head;
  for (const [index, each] of details.entries()) {
    if (Buffer.byteLength(page) + Buffer.byteLength(each) > LONGEST)
      return `${page}${details.length - index} more tests did not pass. The report has them all.\n`;
    page += each;
  }
  return page;
}

function detail({ name, outcome, reason }: JudgedTest): string {
  return `<details><summary>${marks[outcome]} ${literal(name)}</summary>\n\n<pre>${entities(reason)}</pre>\n</details>\n\n`;
}

/** What GitHub makes a link or a mention of without any markup; a space of no width breaks it. GFM, section 6.9. */
const LINK_STARTS = /:(?=\/\/)|www(?=\.)|@/gi;

/** In one line of Markdown or HTML: shown as it is, without links, mentions or markup. */
function literal(text: string): string {
  return entities(plainLine(text).replace(LINK_STARTS, '$&\u200b')).replaceAll('\u200b', '&#8203;');
}

/** A blank line would end the block of HTML, so line breaks are references as well. CommonMark, section 4.6. */
function entities(text: string): string {
  return text.replace(/[&<>"'`*_[\]|\\@#~\n]/g, (letter) => `&#${letter.codePointAt(0)};`);
}
