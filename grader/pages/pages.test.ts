/** The pages of a class, as a browser sees them. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import axe from 'axe-core';
import { JSDOM } from 'jsdom';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ada, bob } from '../export/testing/reports.ts';
import { home } from '../harness/home.ts';
import type { Grade } from '../policy/grades.ts';
import { inTime } from '../policy/late.ts';
import type { Report } from '../report.ts';
import { html } from './html.ts';
import { labStatistics, TestCounts } from './statistics.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-pages-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A name that would be a program, and a message that would be a page. */
const HOSTILE = `"><script>alert(1)</script><img src=x onerror='alert(2)'>`;

interface Line {
  student: string;
  state: string;
  file: string;
  received?: string;
  reason?: string;
  report: Report | null;
}

/** What a batch leaves behind. */
function results(name: string, lines: Line[]): string {
  const out = path.join(folder, name);
  fs.mkdirSync(path.join(out, 'submissions'), { recursive: true });
  const fingerprint = { submission: 'a', grader: 'b', seed: 7, labs: null };
  for (const { student, state, file, received, reason, report } of lines) {
    const entry = {
      schema: 'skiff/batch-entry/v1',
      student,
      received,
      submission: student,
      fingerprint,
      state,
      reason,
    };
    fs.writeFileSync(path.join(out, file), JSON.stringify({ ...entry, report }));
  }
  const submissions = lines.map(({ report: _, ...line }) => line);
  fs.writeFileSync(path.join(out, 'summary.json'), JSON.stringify({ schema: 'skiff/batch-summary/v1', submissions }));
  return out;
}

function withMessage(report: Report, message: string): Report {
  const labs = report.labs.map((lab) => ({
    ...lab,
    title: message,
    tasks: lab.tasks.map((task) => ({
      ...task,
      title: message,
      tests: task.tests.map((each) => ({ ...each, message })),
    })),
  }));
  return { ...report, labs };
}

function open(...parts: string[]): Document {
  return new JSDOM(fs.readFileSync(path.join(folder, ...parts), 'utf8'), { runScripts: 'outside-only' }).window
    .document;
}

const rowsOf = (document: Document, caption: string) =>
  [...document.querySelectorAll('table')]
    .filter((table) => table.caption?.textContent === caption)
    .flatMap((table) => [...table.tBodies[0]!.rows])
    .map((row) => [...row.cells].map((cell) => cell.textContent?.trim()));

describe('a class', () => {
  beforeAll(() => {
    const out = results('class', [
      {
        student: 'ada',
        state: 'graded',
        file: 'submissions/ada-1.json',
        received: '2026-12-01T10:00:00Z',
        report: ada,
      },
      {
        student: 'bob',
        state: 'graded',
        file: 'submissions/bob-1.json',
        received: '2026-12-03T10:00:00Z',
        report: bob,
      },
      { student: 'eve', state: 'empty', file: 'submissions/eve-1.json', reason: 'It has no files.', report: null },
      {
        student: HOSTILE,
        state: 'graded',
        file: 'submissions/hostile-1.json',
        received: '2026-12-03T11:00:00Z',
        report: withMessage(bob, HOSTILE),
      },
    ]);
    const { status, stderr } = spawnSync(path.join(home, 'grade'), ['report', out, '--title', 'Autumn'], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });

  test('shows who has what, how each lab went, and when work came', () => {
    const document = open('class/report/index.html');
    expect(document.title).toBe('Autumn');
    const process = ada.labs.find(({ lab }) => lab === 'process')!;
    const grades = rowsOf(document, 'Points of each student');
    expect(grades.map(([student]) => student)).toEqual([HOSTILE, 'ada', 'bob', 'eve']);
    expect(process.ungradedPoints).toBeGreaterThan(0);
    expect(grades[1]![1]).toBe('open');
    expect(grades[2]![1]).toBe(String(bob.labs[0]!.points));
    expect(grades[3]!.at(-1)).toBe('Handed in without any file of a lab. It has no files.');
    expect(rowsOf(document, 'Submissions of each day (UTC)').map((row) => row.slice(0, 2))).toEqual([
      ['2026-12-01', '1'],
      ['2026-12-03', '2'],
    ]);
    for (const link of document.querySelectorAll('tbody a'))
      expect(fs.existsSync(path.join(folder, 'class/report', decodeURIComponent(link.getAttribute('href')!)))).toBe(
        true,
      );
  });

  test('the page of a student shows the evidence, and names no other student', () => {
    const text = fs.readFileSync(path.join(folder, 'class/report/students/ada-1.html'), 'utf8');
    expect(text).not.toMatch(/bob|eve/);
    const document = open('class/report/students/ada-1.html');
    expect(document.querySelector('h1')!.textContent).toBe('Grades of ada');
    const failed = ada.labs.flatMap(({ tasks }) => tasks.flatMap(({ tests }) => tests)).find(({ message }) => message);
    expect(document.body.textContent).toContain(failed!.message);
    expect(document.querySelectorAll('details').length).toBeGreaterThan(0);
  });

  test.each(['index.html', 'students/hostile-1.html', 'students/ada-1.html', 'students/eve-1.html'])(
    '%s keeps text as text, needs no network, and axe finds no fault',
    async (name) => {
      const document = open('class/report', name);
      expect(document.querySelectorAll('script, img, link, iframe, [onerror], [src]').length).toBe(0);
      expect(document.querySelector('meta[http-equiv]')!.getAttribute('content')).toContain("default-src 'none'");
      const window = document.defaultView as unknown as { eval(code: string): void; axe: typeof axe };
      window.eval(axe.source);
      // Colours need a browser that draws.
      const { violations } = await window.axe.run(document, { rules: { 'color-contrast': { enabled: false } } });
      expect(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)])).toEqual([]);
    },
  );
});

test('of several attempts the page shows the one that counts', () => {
  const early = { student: 'ada', state: 'graded', file: 'submissions/one.json', received: '2026-12-01T10:00:00Z' };
  const late = { ...early, file: 'submissions/two.json', received: '2026-12-03T10:00:00Z' };
  const out = results('attempts', [
    { ...early, report: withMessage(bob, 'of the first') },
    { ...late, report: withMessage(bob, 'of the second') },
  ]);
  const { stdout } = spawnSync(path.join(home, 'grade'), ['report', out, '--json'], { encoding: 'utf8' });
  const { files } = JSON.parse(stdout) as { files: string[] };
  const page = fs.readFileSync(files.find((file) => file.includes('/students/'))!, 'utf8');
  expect([page.includes('of the second'), page.includes('of the first')]).toEqual([true, false]);
  expect(page).toContain('2 attempts, 2 of them count.');
});

test('text that is put into markup stays text, in attributes too', () => {
  const odd = `'"<>&\u0007\u202e`;
  const { window } = new JSDOM(html`<p title="${odd}">${odd}</p>`.markup);
  const paragraph = window.document.querySelector('p')!;
  expect([paragraph.title, paragraph.textContent]).toEqual([`'"<>&`, `'"<>&`]);
});

test('statistics leave open grades out', () => {
  const gradeOf = (points: number | null): Grade => ({
    student: 's',
    lab: 'store',
    maxPoints: 100,
    points,
    earned: points,
    late: inTime,
    attempts: { handedIn: 1, counted: 1 },
  });
  expect(labStatistics([0, 5, 50, 99, 100, null].map(gradeOf))).toEqual({
    graded: 5,
    open: 1,
    mean: 50.8,
    median: 50,
    full: 1,
    bins: [2, 0, 0, 0, 0, 1, 0, 0, 0, 2],
  });
  expect(labStatistics([gradeOf(null)])).toMatchObject({ graded: 0, mean: undefined, median: undefined });
  const counts = new TestCounts();
  for (const { labs } of [ada, bob]) counts.add(labs[0]!);
  for (const { failed, judged } of counts.failures()) expect(failed).toBeLessThanOrEqual(judged);
});
