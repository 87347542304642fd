/** What is found in a folder or a roster, before anything is graded. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { LARGEST_ARCHIVE } from './archive.ts';
import { innermost } from './contents.ts';
import { digestOf } from './fingerprint.ts';
import { readRoster } from './roster.ts';
import { submissionsIn } from './submission.ts';

const top = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-roster-'));
afterAll(() => fs.rmSync(top, { recursive: true, force: true }));
let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(top, 'one-'));
});

const make = (name: string) => fs.mkdirSync(path.join(folder, name), { recursive: true });
const file = (name: string) => fs.writeFileSync(path.join(folder, name), '');

describe('in a folder', () => {
  test('directories come first, then archives, and the rest is named', () => {
    for (const name of ['zoe', 'ada']) make(name);
    for (const name of ['bob.zip', 'al.tar.gz', 'notes.txt', '.hidden']) file(name);
    const { submissions, ignored } = submissionsIn(folder);
    expect(submissions.map(({ student, name }) => [student, name])).toEqual([
      ['ada', 'ada'],
      ['zoe', 'zoe'],
      ['al', 'al.tar.gz'],
      ['bob', 'bob.zip'],
    ]);
    expect(ignored).toEqual(['.hidden', 'notes.txt']);
  });

  test('everything that is wrong is said at once', () => {
    make('ada');
    file('ada.zip');
    fs.symlinkSync('ada', path.join(folder, 'eve'));
    fs.mkdirSync(Buffer.concat([Buffer.from(`${folder}/a`), Buffer.from([0xff])]));
    expect(() => submissionsIn(folder)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(
          /(?=.*eve is a symbolic link to ada\.)(?=.*Two submissions are called "ada": ada and ada\.zip\.)(?=.*is not UTF-8)/s,
        ),
      }),
    );
  });

  test('no submission at all is an error', () => {
    expect(() => submissionsIn(folder)).toThrow('holds no submissions. Give the folder that has one directory');
  });
});

describe('a roster', () => {
  const roster = (text: string) => {
    const name = path.join(folder, 'roster.csv');
    fs.writeFileSync(name, text);
    return readRoster(name);
  };

  test('names students, submissions and addresses, in its own order', () => {
    make('work/b');
    file('a.zip');
    const found = roster('\ufeffStudent,email,submission\r\n"Lovelace, Ada",ada@example.edu,work/b\r\nbob,,a.zip\r\n');
    expect(found).toEqual([
      { student: 'Lovelace, Ada', email: 'ada@example.edu', name: 'work/b', place: path.join(folder, 'work/b') },
      { student: 'bob', name: 'a.zip', place: path.join(folder, 'a.zip') },
    ]);
  });

  test.each([
    ['is empty', '', /is empty\. Its first line is: student,submission,email/],
    ['has no students', 'student,submission\n', /has no students\. Write one line/],
    ['has no header', 'ada,ada\n', /has no column "student"/],
    ['has a column of another name', 'student,submission,section\nx,a,1\n', /unknown column "section"/],
    ['has a column twice', 'student,submission,student\nx,a,1\n', /has the column "student" twice/],
    ['has a name twice', 'student,submission\nx,a\nx,b\n', /Two submissions are called "x": a and b/],
    ['has a name twice, spelt in two ways', 'student,submission\né,a\ne\u0301,b\n', /Two submissions are called/],
    ['gives two students one submission', 'student,submission\nx,a\ny,./a\n', /"x" and "y" have the same submission/],
    [
      'names what is missing',
      'student,submission\nx,a\ny,none\n',
      /line 3: the submission of "y" is missing: there is no none/,
    ],
    ['names a link', 'student,submission\nx,a\ny,link\n', /line 3: link is a symbolic link to a\./],
    [
      'names a file of another kind',
      'student,submission\nx,roster.csv\n',
      /line 2: roster.csv is neither a directory nor/,
    ],
    ['has no submission for a student', 'student,submission\nx,\n', /line 2: "x" has no submission/],
    ['has a student without a name', 'student,submission\n,a\n', /line 2: the student has no name/],
    ['has an address that is not one', 'student,submission,email\nx,a,here\n', /"here" is not an email address/],
    ['has a line of another length', 'student,submission\nx,a,b,c\n', /not a CSV file that can be read: .*line 2/],
    ['has a quote that does not end', 'student,submission\n"x,a\n', /not a CSV file that can be read/],
  ])('that %s is refused', (_, text, sentence) => {
    for (const name of ['a', 'b']) make(name);
    fs.symlinkSync('a', path.join(folder, 'link'));
    expect(() => roster(text)).toThrow(sentence);
  });
});

describe('names from a folder or a roster do not reach the terminal raw', () => {
  const said = (read: () => unknown): string => {
    try {
      read();
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };

  test('of submissions', () => {
    make('\x1b]0;title\x07ada');
    file('\x1b]0;title\x07ada.zip');
    fs.symlinkSync('\x9b2J', path.join(folder, 'eve\x1b[A\nInvented: line'));
    fs.mkdirSync(Buffer.concat([Buffer.from(`${folder}/\x9bA`), Buffer.from([0xff])]));
    const message = said(() => submissionsIn(folder));
    expect(message.split('\n')).toHaveLength(3);
    expect(message).not.toMatch(/[^\P{Cc}\n]/u);
  });

  test('of a roster', () => {
    file('roster.csv');
    fs.writeFileSync(path.join(folder, 'roster.csv'), 'student,submission\nx,a\x1b[A\n');
    const message = said(() => readRoster(path.join(folder, 'roster.csv')));
    expect(message).toContain('there is no a\ufffd[A');
    expect(message).not.toContain('\x1b');
  });
});

describe('around a submission', () => {
  test('a name that is not UTF-8 is not gone into, nor is a path that cannot be looked at', () => {
    fs.mkdirSync(path.join(folder, 'eve'));
    fs.mkdirSync(Buffer.concat([Buffer.from(`${folder}/eve/caf`), Buffer.from([0xe9])]));
    expect(innermost(path.join(folder, 'eve'))).toBe(path.join(folder, 'eve'));
    expect(innermost(path.join(folder, 'missing'))).toBe(path.join(folder, 'missing'));
  });

  test('an archive that is refused for its size is not read before', async () => {
    const archive = path.join(folder, 'big.zip');
    fs.writeFileSync(archive, '');
    fs.truncateSync(archive, LARGEST_ARCHIVE + 1);
    expect(await digestOf(archive, [])).toBe(`${LARGEST_ARCHIVE + 1} bytes`);
  });

  test('folders and an archive that stand alone are gone into', () => {
    make('ada_file_/__MACOSX');
    make('ada_file_/course/inner/labs/07-store');
    expect(innermost(path.join(folder, 'ada_file_'))).toBe(path.join(folder, 'ada_file_/course/inner'));
    make('bob_file_');
    file('bob_file_/work.zip');
    expect(innermost(path.join(folder, 'bob_file_'))).toBe(path.join(folder, 'bob_file_/work.zip'));
  });

  test('a link is not followed', () => {
    make('ada');
    make('bob/labs');
    fs.symlinkSync('../bob', path.join(folder, 'ada/course'));
    expect(innermost(path.join(folder, 'ada'))).toBe(path.join(folder, 'ada'));
  });
});
