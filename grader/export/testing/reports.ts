/** Reports for the tests of the exporters: two that stay the same, for golden files, and any number of odd ones. */

import fc from 'fast-check';
import { type LabReport, type Outcome, outcomes, REPORT_VERSION, type Report, worst } from '../../report.ts';
import type { Environment } from '../exporter.ts';

type TestOf = LabReport['tasks'][number]['tests'][number];

interface Judged {
  title: string;
  outcome: Outcome;
  maxPoints: number;
  message?: string;
  evidence?: string;
}

function testOf({ title, outcome, maxPoints, message, evidence }: Judged): TestOf {
  return {
    title,
    outcome,
    points: outcome === 'passed' ? maxPoints : 0,
    maxPoints,
    durationMs: 12,
    ...(message === undefined ? {} : { message }),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

function sum<T>(all: readonly T[], value: (one: T) => number): number {
  return all.reduce((total, one) => total + value(one), 0);
}

function labOf(id: string, number: number, title: string, tasks: { title: string; tests: Judged[] }[]): LabReport {
  const judged = tasks.map((task, index) => {
    const tests = task.tests.map(testOf);
    return {
      id: index + 1,
      title: task.title,
      outcome: worst(tests.map(({ outcome }) => outcome)),
      points: sum(tests, ({ points }) => points),
      maxPoints: sum(tests, ({ maxPoints }) => maxPoints),
      tests,
    };
  });
  const open = judged
    .flatMap(({ tests }) => tests)
    .filter(({ outcome }) => outcome === 'error' || outcome === 'unsupported');
  return {
    lab: id,
    number,
    title,
    file: `labs/${String(number).padStart(2, '0')}-${id}/${id}.ts`,
    digest: 'a'.repeat(64),
    seed: 7,
    outcome: worst(judged.map(({ outcome }) => outcome)),
    points: sum(judged, ({ points }) => points),
    maxPoints: sum(judged, ({ maxPoints }) => maxPoints),
    ungradedPoints: sum(open, ({ maxPoints }) => maxPoints),
    durationMs: 1200,
    tasks: judged,
  };
}

function reportOf(submission: string, labs: LabReport[], gradedAt = '2026-11-23T12:00:00.000Z'): Report {
  return {
    schema: REPORT_VERSION,
    submission,
    seed: 7,
    gradedAt,
    grader: { version: '1.0.0', node: 'v22.0.0', kernel: '6.1', arch: 'x64' },
    points: sum(labs, ({ points }) => points),
    maxPoints: sum(labs, ({ maxPoints }) => maxPoints),
    ungradedPoints: sum(labs, ({ ungradedPoints }) => ungradedPoints),
    durationMs: 14_000,
    labs,
  };
}

function processLab(...results: Outcome[]): LabReport {
  const titles = ['The child runs', 'The child is waited for'];
  const tests = [
    'it runs the command as PID 1',
    'it keeps <stdin> & "stdout"',
    'it says how the child ended',
    'it waits, once',
    'it kills the group',
  ].map((title, index) => {
    const outcome = results[index] ?? 'passed';
    const said = { message: 'expected 1\n```\nto be 2', evidence: '/proc/12/status: State: Z' };
    return { title, outcome, maxPoints: 20, ...(outcome === 'failed' ? said : {}) };
  });
  return labOf('process', 1, 'A process', [
    { title: titles[0]!, tests: tests.slice(0, 2) },
    { title: titles[1]!, tests: tests.slice(2) },
  ]);
}

const cgroupsLab = labOf('cgroups', 4, 'Limits', [
  { title: 'Memory', tests: [{ title: 'memory.max is kept', outcome: 'passed', maxPoints: 100 }] },
]);

/** Every outcome once: 20 points earned, 40 lost, 40 not graded. */
export const ada = reportOf('submissions/ada', [processLab('passed', 'failed', 'skipped', 'error', 'unsupported')]);
/** Two labs, all graded. */
export const bob = reportOf(
  'submissions/bob',
  [processLab('passed', 'failed'), cgroupsLab],
  '2026-11-24T08:30:00.000Z',
);

export const rosterCsv = `Student,ID,SIS User ID,SIS Login ID,Section,Lab 1: A process (4711),email
Points Possible,,,,,100,
"Lovelace, Ada",11,S100,ada,01,55,ada@example.edu
"=Builder, Bob",12,S101,BOB,01,,bob@example.edu
`;

export const environment: Environment = {
  CLASSROOM: 'ce-2026',
  ASSIGNMENT: 'lab-01',
  ASSIGNMENT_TYPE: 'individual',
  OWNER: 'ada',
  SUBMISSION_TAG: 'submit/2026-11-23T10-00-00Z-a1b2c3d',
  COMMIT_URL: 'https://github.com/acme/ce-2026-lab-01-ada/commit/a1b2c3d',
  RELEASE_URL: 'https://github.com/acme/ce-2026-lab-01-ada/releases/tag/submit%2F2026-11-23T10-00-00Z-a1b2c3d',
  REVIEW_URL: 'https://github.com/acme/ce-2026-lab-01-ada/compare/0000000...a1b2c3d',
};

const awkward = [
  '',
  ' ',
  '=1+1',
  '+cmd|calc',
  '-2',
  '@SUM(A1)',
  '\t=1',
  '\r\n=1',
  ' =1',
  '\u0000\u001b[31m',
  '\ud800',
  '\ufffe\uffff',
  '\u202etxt.exe',
  ']]>',
  '</failure>',
  '<script>',
  '&amp;',
  '"quoted", \'and\'',
  '::error::x\n::set-env name=A::b',
  '%0A::notice::x',
  '##[error]x',
  '```\n# no',
  '\u2028',
  'Points Possible',
  'ſ𝒳é漢',
  '\uff1d1+1',
  'x;=1+1',
  'x; "@SUM(A1)"',
];

/** Texts that have done harm elsewhere, alone and within others. */
export const oddText = fc.oneof(
  fc.constantFrom(...awkward),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(fc.oneof(fc.constantFrom(...awkward), fc.string({ maxLength: 8 })), { maxLength: 5 })
    .map((parts) => parts.join('')),
);

const oddTest: fc.Arbitrary<Judged> = fc.record({
  title: oddText,
  outcome: fc.constantFrom(...outcomes),
  maxPoints: fc.integer({ min: 1, max: 100 }),
  message: fc.option(oddText, { nil: undefined }),
  evidence: fc.option(oddText, { nil: undefined }),
});

const oddTasks = fc.array(fc.record({ title: oddText, tests: fc.array(oddTest, { minLength: 1, maxLength: 4 }) }), {
  minLength: 1,
  maxLength: 3,
});

/** Reports with odd texts in each place that takes text, and every mixture of outcomes. */
export const oddReport: fc.Arbitrary<Report> = fc
  .record({ submission: oddText, labs: fc.array(fc.tuple(oddText, oddTasks), { maxLength: 2 }) })
  .map(({ submission, labs }) =>
    reportOf(
      `in/${submission.replaceAll('/', '_')}`,
      labs.map(([title, tasks], index) => labOf(`lab${index}`, index, title, tasks)),
    ),
  );
