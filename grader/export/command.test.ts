/** `grade export` as an instructor runs it. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import { exporters } from './exporters.ts';
import { ada, bob, environment, rosterCsv } from './testing/reports.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-export-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const put = (name: string, text: string) => fs.writeFileSync(path.join(folder, name), text);
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
