/**
 * Workflow commands for the log of a GitHub Actions run, which GitHub shows as annotations: the two notices that repositories of
 * GitHub Classroom's time print, and one error for each test that failed.
 */

import type { ReportExporter } from './exporter.ts';
import { type JudgedTest, judgedTests, shortened, totalsOf } from './judged-tests.ts';

/** GitHub shows ten annotations of a kind for a step; the last one says how many more there are. */
const ANNOTATIONS = 10;

export const github: ReportExporter = {
  name: 'github',
  about: 'GitHub Actions: annotations of one submission, to print in a workflow step',
  extension: 'txt',
  ofReport: (report) => {
    const tests = judgedTests(report);
    const { points, countedPoints, ungradedPoints } = totalsOf(tests);
    const failed = tests.filter(({ outcome }) => outcome === 'failed');
    const shown = failed.length > ANNOTATIONS ? failed.slice(0, ANNOTATIONS - 1) : failed;
    const totals = { totalPoints: points, maxPoints: countedPoints };
    const lines = [
      ...shown.map(annotation),
      ...(shown.length < failed.length
        ? [command('error', { title: 'More' }, `${failed.length - shown.length} more tests failed.`)]
        : []),
      ...(ungradedPoints > 0
        ? [
            command(
              'warning',
              { title: 'Not graded' },
              `${ungradedPoints} points could not be graded here. They are not lost.`,
            ),
          ]
        : []),
      // Without points to earn there is nothing to report, as in GitHub Classroom's own reporter.
      ...(countedPoints > 0
        ? [
            command('notice', { title: 'Autograding complete' }, `Points ${points}/${countedPoints}`),
            command('notice', { title: 'Autograding report' }, JSON.stringify(totals)),
          ]
        : []),
    ];
    return lines.map((line) => `${line}\n`).join('');
  },
};

function annotation({ lab, name, reason }: JudgedTest): string {
  return command('error', { file: lab.file, title: shortened(name, 200) }, shortened(reason, 2_000));
}

/** One line, whatever is in it: a line break or a second `::` would be a command of its own. */
function command(kind: string, properties: Record<string, string>, message: string): string {
  const list = Object.entries(properties).map(
    ([key, value]) => `${key}=${encoded(value, /[%\r\n:,\p{Cc}\u2028\u2029]/gu)}`,
  );
  return `::${kind} ${list.join(',')}::${encoded(message, /[%\r\n\p{Cc}\u2028\u2029]/gu)}`;
}

/** The runner decodes these and no others. */
const CODES: Record<string, string> = { '%': '%25', '\r': '%0D', '\n': '%0A', ':': '%3A', ',': '%2C' };

function encoded(text: string, special: RegExp): string {
  return text.replace(special, (letter) => CODES[letter] ?? ' ');
}
