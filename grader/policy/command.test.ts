/** `grade gradebook` and `grade override`, as an instructor runs them on a class that is really graded. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { home } from '../harness/home.ts';

const FILE = 'labs/00-what-is-a-container/membership.ts';
const LAB = 'what-is-a-container';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-policy-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function grade(...args: string[]) {
  const env = { ...process.env, NO_COLOR: '1' };
  return spawnSync(path.join(home, 'grade'), args, { cwd: folder, encoding: 'utf8', env });
}
const put = (name: string, text: string) => {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  fs.writeFileSync(path.join(folder, name), text);
};
const policy = (more: object) => put('policy.json', JSON.stringify({ schema: 'skiff/policy/v1', ...more }));
const gradesOf = (...args: string[]) => {
  const { stdout, stderr } = grade('gradebook', 'out', '--json', ...args);
  expect(stderr).toBe('');
  return (JSON.parse(stdout) as { grades: { student: string; points: number | null; note?: string }[] }).grades;
};
const batch = () => grade('batch', 'roster.csv', '--out', 'out', '--seed', '5');
const due = (at: string) => ({ labs: { [LAB]: { due: at } } });

beforeAll(() => {
  const solution = fs.readFileSync(path.join(home, 'solutions/00-what-is-a-container/membership.ts'), 'utf8');
  put(`ada-1/${FILE}`, 'export const {');
  put(`ada-2/${FILE}`, solution);
  put(`bob/${FILE}`, solution);
  put(
    'roster.csv',
    'student,submission,received\nada,ada-1,2026-12-03T10:00:00Z\nada,ada-2,2026-12-05T12:00:00+02:00\nbob,bob,2026-12-01T10:00:00Z\n',
  );
  const { status, stderr } = batch();
  expect(status, stderr).toBe(0);
});

test('each attempt of a student is graded and kept', () => {
  const { submissions } = JSON.parse(fs.readFileSync(path.join(folder, 'out/summary.json'), 'utf8'));
  expect(
    submissions.map(({ student, received, points }: Record<string, unknown>) => [student, received, points]),
  ).toEqual([
    ['ada', '2026-12-03T10:00:00Z', 0],
    ['ada', '2026-12-05T12:00:00+02:00', 100],
    ['bob', '2026-12-01T10:00:00Z', 100],
  ]);
});

test('deadlines, attempts and extensions are counted in', () => {
  policy({ ...due('2026-12-04T00:00:00Z'), late: { perDay: 10 } });
  expect(gradesOf('--policy', 'policy.json')).toMatchObject([
    { student: 'ada', points: 80, note: 'Handed in 2 days late: 80 % of the points.' },
    { student: 'bob', points: 100 },
  ]);
  policy({ ...due('2026-12-04T00:00:00Z'), attempts: { most: 1 } });
  expect(gradesOf('--policy', 'policy.json')[0]).toMatchObject({ points: 0 });
  policy({ ...due('2026-12-04T00:00:00Z'), extensions: { ada: { [LAB]: '2026-12-05T12:00:00+02:00' } } });
  expect(gradesOf('--policy', 'policy.json')[0]).toMatchObject({ points: 100 });
  expect(grade('gradebook', 'out', '--policy', 'policy.json').stdout).toBe(
    `student  ${LAB}\nada      100\nbob      100\n`,
  );
});

test('a grade set by hand survives a regrade, and says who, when and why', () => {
  const set = grade('override', 'out', 'ada', '0', '42.5', '--why', 'oral exam', '--by', 'Dr. X');
  expect([set.stdout, set.stderr]).toEqual([`ada, ${LAB}: 42.5 of 100 points, set by Dr. X.\n`, '']);
  expect(grade('batch', 'roster.csv', '--out', 'out', '--seed', '6').status).toBe(0);
  expect(gradesOf()[0]).toMatchObject({
    points: 42.5,
    override: { by: 'Dr. X', why: 'oral exam', at: expect.stringMatching(/^\d{4}-/) },
  });
  expect(grade('gradebook', 'out').stdout).toContain('ada      42.5*\n');
  grade('override', 'out', 'ada', LAB, 'none', '--why', 'wrong student');
  expect(gradesOf()[0]).toMatchObject({ points: 100 });
});

test.each([
  [
    'a deadline without a zone',
    due('2026-12-04T00:00:00'),
    /labs\.what-is-a-container\.due: must be a date and a time with its zone/,
  ],
  [
    'a lab that is not in the course',
    { labs: { stor: { due: '2026-12-04T00:00:00Z' } } },
    /no lab "stor"\. Did you mean "store"\?/,
  ],
  ['an extension of a stranger', { extensions: { adda: {} } }, /no student "adda"\. Did you mean "ada"\?/],
  ['an unknown rule', { late: { perWeek: 3 } }, /late: Unrecognized key: "perWeek"/],
  ['a grace without a unit', { late: { grace: '15' } }, /must be a number with s, m, h or d behind it/],
])('%s is refused', (_, more, message) => {
  policy(more);
  const { status, stderr, stdout } = grade('gradebook', 'out', '--policy', 'policy.json');
  expect(stderr).toMatch(message);
  expect([status, stdout]).toEqual([2, '']);
});

test.each([
  [['override', 'out', 'adda', LAB, '5', '--why', 'x'], /Did you mean "ada"/],
  [['override', 'out', 'ada', LAB, '101', '--why', 'x'], /has 100 points; 101 are more than that/],
  [['override', 'out', 'ada', LAB, '-1', '--why', 'x'], /unknown option|must be a number/],
  [['override', 'out', 'ada', LAB, '5', '--why', ' '], /--why must be one line of text/],
  [['override', 'out', 'ada', LAB, '5'], /--why/],
  [['gradebook', 'missing'], /no missing\/summary\.json\. Give the directory of a grade batch/],
])('%j is refused', (args, message) => {
  const { status, stderr } = grade(...args);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

test('a submission without a time has no deadline to be late for, and that is said', () => {
  put('plain.csv', 'student,submission\nbob,bob\n');
  expect(grade('batch', 'plain.csv', '--out', 'plain', '--seed', '5').status).toBe(0);
  policy(due('2026-12-04T00:00:00Z'));
  const { status, stderr } = grade('gradebook', 'plain', '--policy', 'policy.json');
  expect(stderr).toContain('it is not known when the submission was received. Fill in the column "received"');
  expect(status).toBe(2);
});

test('a file of overrides that cannot be read stops everything', () => {
  fs.mkdirSync(path.join(folder, 'damaged'));
  fs.copyFileSync(path.join(folder, 'out/summary.json'), path.join(folder, 'damaged/summary.json'));
  fs.writeFileSync(path.join(folder, 'damaged/overrides.json'), '{');
  const { status, stderr } = grade('gradebook', 'damaged');
  expect(stderr).toMatch(/overrides\.json holds the grades that were set by hand, and cannot be read/);
  expect(status).toBe(2);
});
