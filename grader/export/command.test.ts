/** `grade export` as an instructor runs it. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import type { Report } from '../report.ts';
import { exporters } from './exporters.ts';
import { ada, bob, environment, rosterCsv } from './testing/reports.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-export-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const put = (name: string, text: string) => {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  fs.writeFileSync(path.join(folder, name), text);
};
put('ada.json', JSON.stringify(ada));
put('bob.json', JSON.stringify(bob));
put('roster.csv', rosterCsv);
put('broken.json', '{"schema":');
put('other.json', '{"schema":"skiff/report/v0"}');
put('damaged.json', JSON.stringify({ ...ada, points: -1 }));

function grade(args: string[], { env = {}, input = '' } = {}) {
  return spawnSync(path.join(home, 'grade'), ['export', ...args], {
    encoding: 'utf8',
    cwd: folder,
    input,
    env: { ...process.env, ...environment, NO_COLOR: '1', ...env },
  });
}

const golden = (name: string) => fs.readFileSync(path.join(home, 'grader/export/testdata', name), 'utf8');

describe('grade export', () => {
  test('writes a document to standard output, from standard input too', () => {
    const done = grade(['ada.json', '--format', 'junit']);
    expect([done.stdout, done.stderr, done.status]).toEqual([golden('junit.xml'), '', 0]);
    const piped = grade(['-', '--format', 'classroom50'], { input: JSON.stringify(ada) });
    expect([piped.stdout, piped.stderr, piped.status]).toEqual([golden('classroom50.json'), '', 0]);
  });

  test('writes a file for a class, and says whose grade is left open', () => {
    const done = grade([
      'ada.json',
      'bob.json',
      '--format',
      'canvas',
      '--roster',
      'roster.csv',
      '--out',
      'new/canvas.csv',
      '--json',
    ]);
    expect(fs.readFileSync(path.join(folder, 'new/canvas.csv'), 'utf8')).toBe(golden('canvas.csv'));
    expect(fs.readdirSync(path.join(folder, 'new'))).toEqual(['canvas.csv']);
    expect(JSON.parse(done.stdout)).toEqual({
      format: 'canvas',
      files: ['new/canvas.csv'],
      open: [{ student: 'ada', lab: 'process', ungradedPoints: 40 }],
    });
    expect(done.stderr).toContain('Left open: ada, lab process: 40 points could not be graded.\n');
    expect(done.status).toBe(0);
  });

  test('writes a file for each report to a directory', () => {
    const done = grade(['ada.json', 'bob.json', '--format', 'gradescope', '--out', 'each/']);
    expect([done.stdout, done.stderr, done.status]).toEqual(['', '', 0]);
    expect(fs.readdirSync(path.join(folder, 'each')).sort()).toEqual(['ada.json', 'bob.json']);
    expect(fs.readFileSync(path.join(folder, 'each/ada.json'), 'utf8')).toBe(golden('gradescope.json'));
  });

  const canvas = ['--format', 'canvas', '--roster', 'list.csv', '--ungraded-as-zero', '--out'];

  test('does not overwrite the roster, by whatever name', () => {
    put('list.csv', rosterCsv);
    fs.symlinkSync('list.csv', path.join(folder, 'link.csv'));
    for (const out of ['list.csv', 'link.csv', './new/../list.csv']) {
      const done = grade(['ada.json', ...canvas, out]);
      expect(done.stderr).toContain('list.csv is the roster and would be overwritten');
      expect(done.status).toBe(2);
    }
    expect(fs.readFileSync(path.join(folder, 'list.csv'), 'utf8')).toBe(rosterCsv);
  });

  test('takes results of grade batch, whose student is the key, and names those without a report', () => {
    const fingerprint = { submission: 'a', grader: 'b', seed: 7, labs: null };
    const entry = { schema: 'skiff/batch-entry/v1', student: 'ada', submission: 'x.zip', fingerprint };
    const empty = { ...entry, student: 'eve\x1b[A', submission: 'eve', state: 'empty', reason: 'none', report: null };
    put('entry.json', JSON.stringify({ ...entry, state: 'graded', report: { ...ada, submission: 'x.zip' } }));
    put('empty.json', JSON.stringify(empty));
    put('list.csv', rosterCsv);
    const done = grade(['entry.json', 'empty.json', ...canvas, 'of-batch.csv']);
    expect([done.stderr, done.status]).toEqual(['Skipped: empty.json, eve: empty: none\n', 0]);
    expect(fs.readFileSync(path.join(folder, 'of-batch.csv'), 'utf8')).toContain('Lovelace');
    const none = grade(['empty.json', ...canvas, 'none.csv']);
    expect(none.stderr).toMatch(/None of the files holds a report\.\nSkipped: empty\.json/);
    expect([none.status, fs.existsSync(path.join(folder, 'none.csv'))]).toEqual([2, false]);
  });

  describe('of a batch', () => {
    const fingerprint = { submission: 'a', grader: 'b', seed: 7, labs: null };
    interface Result {
      name: string;
      student: string;
      received?: string;
      state: string;
      reason?: string;
      report: Report | null;
    }
    /** What a batch leaves, but for results that its summary does not list. */
    const batch = (out: string, results: Result[], unlisted: string[] = []) => {
      const file = (name: string) => `submissions/${name}.json`;
      for (const { name, student, ...rest } of results) {
        const entry = { schema: 'skiff/batch-entry/v1', student, submission: name, fingerprint, ...rest };
        put(`${out}/${file(name)}`, JSON.stringify(entry));
      }
      const listed = results.filter(({ name }) => !unlisted.includes(name));
      const submissions = listed.map(({ name, student, state }) => ({ student, state, file: file(name) }));
      put(`${out}/summary.json`, JSON.stringify({ schema: 'skiff/batch-summary/v1', submissions }));
      put('list.csv', rosterCsv);
      return results.map(({ name }) => `${out}/${file(name)}`);
    };
    const scores = (args: string[]) => {
      const { stdout, stderr, status } = grade([...args, '--format', 'lti', '--roster', 'list.csv']);
      expect(status, stderr).toBe(0);
      const { lineItems } = JSON.parse(stdout) as {
        lineItems: { resourceId: string; scores: { userId: string; scoreGiven?: number; comment: string }[] }[];
      };
      return { scores: lineItems.find(({ resourceId }) => resourceId === 'process')!.scores, stderr };
    };
    const override = (out: string, student: string, points: number) => {
      const one = { student, lab: 'process', points, by: 'X', at: '2026-12-06T10:00:00.000Z', why: 'oral' };
      put(`${out}/overrides.json`, JSON.stringify({ schema: 'skiff/batch-overrides/v1', overrides: [one] }));
    };
    const full = bob.labs.find(({ lab }) => lab === 'process')!.points;
    const early = '2026-12-01T00:00:00Z';
    const graded = { state: 'graded', received: early };

    test('counts in deadlines, the attempt that counts, and grades set by hand', () => {
      const files = batch('grades', [
        { name: 'early', student: 'ada', ...graded, report: ada },
        { name: 'late', student: 'ada', ...graded, received: '2026-12-03T12:00:00Z', report: bob },
        { name: 'bob', student: 'bob', ...graded, report: bob },
      ]);
      const due = { process: { due: '2026-12-03T00:00:00Z' } };
      put('policy.json', JSON.stringify({ schema: 'skiff/policy/v1', labs: due, late: { perDay: 50 } }));
      const points = (...args: string[]) => scores([...files, ...args]).scores.map(({ scoreGiven }) => scoreGiven);
      expect(points()).toEqual([full, full]);
      expect(points('--policy', 'policy.json')).toEqual([full / 2, full]);
      const [late] = scores([...files, '--policy', 'policy.json']).scores;
      expect(late!.comment).toMatch(/^Handed in 1 day late: 50 % of the points\./);
      override('grades', 'ada', 7);
      expect(points('--policy', 'policy.json')).toEqual([7, full]);
      expect(scores(files).scores[0]!.comment).toMatch(/^Set by X: oral/);
    });

    test('has a grade set by hand for what could not be judged', () => {
      const files = batch('unread', [
        { name: 'ada', student: 'ada', state: 'unreadable', reason: 'damaged', report: null },
        { name: 'bob', student: 'bob', ...graded, report: bob },
      ]);
      override('unread', 'ada', 85);
      const found = scores(files);
      expect(found.scores.map(({ userId, scoreGiven }) => [userId, scoreGiven])).toEqual([
        ['ada', 85],
        ['bob', full],
      ]);
      expect(scores(files.slice(0, 1)).scores).toMatchObject([{ userId: 'ada', scoreGiven: 85 }]);
    });

    test('leaves out what an earlier run has left, and says so', () => {
      const results = [
        { name: 'ghost', student: 'bob', ...graded, received: '2026-12-14T00:00:00Z', report: ada },
        { name: 'bob', student: 'bob', ...graded, received: '2026-12-04T00:00:00Z', report: bob },
      ];
      const found = scores(batch('again', results, ['ghost']));
      expect(found.scores.map(({ scoreGiven }) => scoreGiven)).toEqual([full]);
      expect(found.stderr).toBe('Skipped: again/submissions/ghost.json: it is of an earlier run of grade batch\n');
    });

    test('leaves a grade open whose last attempt met a fault of the grader, or is to be graded again', () => {
      for (const state of ['error', 'open']) {
        const files = batch(state, [
          { name: 'first', student: 'bob', ...graded, report: bob },
          {
            ...{ name: 'second', student: 'bob', received: '2026-12-02T00:00:00Z' },
            ...{ state: 'error', reason: 'no disk', report: null },
          },
        ]);
        if (state === 'open') {
          const summary = fs.readFileSync(path.join(folder, state, 'summary.json'), 'utf8');
          put(`${state}/summary.json`, summary.replace('"error"', '"open"'));
        }
        const found = scores(files);
        expect(found.scores.flatMap(({ scoreGiven }) => scoreGiven ?? [])).toEqual([]);
        expect(found.stderr).toMatch(/Left open: bob, lab process: \d+ points could not be graded/);
      }
    });

    test('refuses two results that were given different grades by hand', () => {
      const files = ['one', 'two'].flatMap((out, index) => {
        const written = batch(out, [{ name: 'bob', student: 'bob', state: 'empty', report: null }]);
        override(out, 'bob', 10 * index);
        return written;
      });
      const { status, stderr } = grade([...files, '--format', 'lti', '--roster', 'list.csv']);
      expect(stderr).toContain('different grades set by hand for bob, lab process: 0 and 10');
      expect(status).toBe(2);
    });
  });

  test('keeps mode and owner of a file, and makes grades of a class for their owner alone', () => {
    put('list.csv', rosterCsv);
    const at = (name: string) => path.join(folder, name);
    expect(grade(['ada.json', ...canvas, 'grades.csv']).status).toBe(0);
    expect(fs.statSync(at('grades.csv')).mode & 0o777).toBe(0o600);
    const root = process.getuid?.() === 0;
    fs.chmodSync(at('grades.csv'), 0o640);
    if (root) fs.chownSync(at('grades.csv'), 12, 34);
    const before = fs.statSync(at('grades.csv'));
    fs.symlinkSync('grades.csv', at('through.csv'));
    expect(grade(['bob.json', ...canvas, 'through.csv']).status).toBe(0);
    const { mode, uid, gid } = fs.statSync(at('grades.csv'));
    expect({ mode, uid, gid }).toEqual({ mode: before.mode, uid: before.uid, gid: before.gid });
    expect(fs.readFileSync(at('grades.csv'), 'utf8')).toContain('Builder');
    expect(fs.lstatSync(at('through.csv')).isSymbolicLink()).toBe(true);
  });

  test('refuses a link that leads nowhere', () => {
    put('list.csv', rosterCsv);
    fs.symlinkSync('gone.csv', path.join(folder, 'dangling.csv'));
    const done = grade(['ada.json', ...canvas, 'dangling.csv']);
    expect(done.stderr).toMatch(
      /dangling\.csv cannot be written: it is a symbolic link to gone\.csv, which is missing/,
    );
    expect(done.status).toBe(2);
    expect(fs.readlinkSync(path.join(folder, 'dangling.csv'))).toBe('gone.csv');
  });

  test('lists every format, for people and for scripts', () => {
    const names = exporters.map(({ name }) => name);
    expect(grade(['--list']).stdout.match(/^\S+/gm)).toEqual(names);
    const formats = JSON.parse(grade(['--list', '--json']).stdout) as { name: string; holds: string }[];
    expect(formats.map(({ name }) => name)).toEqual(names);
    expect(formats.find(({ name }) => name === 'moodle')?.holds).toBe('class');
  });

  test('has help with examples', () => {
    const { stdout, status } = grade(['--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('./grade export reports/*.json --format canvas --roster gradebook.csv --out grades.csv');
  });

  test.each([
    [['ada.json'], /Name the format with --format: classroom50, github/],
    [['ada.json', '--format', 'junti'], /Did you mean "junit"\?/],
    [['ada.json', '--format', 'pdf'], /There is no format "pdf"\. The formats are classroom50, /],
    [['--format', 'junit'], /Name the reports to export/],
    [['none.json', '--format', 'junit'], /There is no file none\.json\. Give the file of a report\./],
    [['.', '--format', 'junit'], /\. is a directory\. Give files, for example \.\/\*\.json\./],
    [['broken.json', '--format', 'junit'], /broken\.json is not JSON/],
    [['other.json', '--format', 'junit'], /must be "skiff\/report\/v1", not "skiff\/report\/v0"/],
    [['damaged.json', '--format', 'junit'], /damaged\.json is a damaged report: points: /],
    [['ada.json', 'bob.json', '--format', 'junit'], /holds one report, and 2 were given/],
    [['ada.json', '--format', 'ctrf', '--out', '.'], /ada\.json is one of the reports and would be overwritten/],
    [['ada.json', '--format', 'canvas', '--out', '.'], /writes one file, and \. is a directory/],
    [['ada.json', '--format', 'junit', '--json'], /--json needs --out/],
    [['ada.json', '--format', 'junit', '--roster', 'roster.csv'], /--roster cannot be used with --format junit/],
    [['ada.json', '--format', 'canvas', '--key', 'ID'], /Give the roster with --roster/],
    [['ada.json', '--format', 'canvas', '--roster', 'roster.csv', '--key', 'ID'], /no row with "ada" as its ID/],
    [['ada.json', '--format', 'junit', '--out', '/dev/full'], /\/dev\/full cannot be written: its disk is full/],
    [['ada.json', '--format', 'junit', '--out', 'ada.json/x.xml'], /ada\.json\/x\.xml cannot be written/],
  ])('refuses %j with the way out, and writes nothing', (args, message) => {
    const before = fs.readdirSync(folder).sort();
    const done = grade(args);
    expect(done.stderr).toMatch(message);
    expect([done.stdout, done.status]).toEqual(['', 2]);
    expect(fs.readdirSync(folder).sort()).toEqual(before);
    expect(JSON.parse(fs.readFileSync(path.join(folder, 'ada.json'), 'utf8'))).toEqual(ada);
  });
});
