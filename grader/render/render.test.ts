import { Chalk } from 'chalk';
import { describe, expect, test } from 'vitest';
import type { Outcome, Report } from '../report.ts';
import { markdownReport } from './markdown.ts';
import { terminalReport } from './terminal.ts';

function task(id: number, outcome: Outcome, message?: string) {
  const earned = { points: outcome === 'passed' ? 25 : 0, maxPoints: 25 };
  return {
    id,
    title: `The ${id}th | thing`,
    outcome,
    ...earned,
    tests: [
      {
        title: `task ${id}: it works`,
        outcome,
        ...earned,
        durationMs: 3,
        ...(message === undefined ? {} : { message }),
      },
    ],
  };
}

const report: Report = {
  schema: 'skiff/report/v1',
  submission: 'ada',
  seed: 7,
  gradedAt: '2026-11-23T12:00:00.000Z',
  grader: { version: '1.0.0', node: 'v22.0.0', kernel: '6.1', arch: 'x64' },
  points: 25,
  maxPoints: 100,
  ungradedPoints: 50,
  durationMs: 1234,
  labs: [
    {
      lab: 'process',
      number: 1,
      title: 'A process',
      file: 'labs/01-process/process.ts',
      digest: 'a'.repeat(64),
      seed: 7,
      outcome: 'failed',
      points: 25,
      maxPoints: 100,
      ungradedPoints: 50,
      durationMs: 1200,
      tasks: [
        task(1, 'passed'),
        task(2, 'failed', 'expected 1\n```\nto be 2'),
        task(3, 'error', 'the shim was lost'),
        task(4, 'unsupported', 'no cgroups here'),
      ],
    },
  ],
};

describe('a report', () => {
  test('on a terminal has a line for each task, and the reason for each that is open', () => {
    expect(terminalReport(report, new Chalk({ level: 0 }))).toBe(
      [
        '✘ 01 A process  25 of 100 points, 50 not graded',
        `  ✔ ${'task 1: The 1th | thing'.padEnd(64)}  25 / 25`,
        `  ✘ ${'task 2: The 2th | thing'.padEnd(64)}   0 / 25`,
        '      ✘ it works',
        '          expected 1',
        '          ```',
        '          to be 2',
        `  ! ${'task 3: The 3th | thing'.padEnd(64)}   0 / 25`,
        '      ! it works',
        '          the shim was lost',
        `  ? ${'task 4: The 4th | thing'.padEnd(64)}   0 / 25`,
        '      ? it works',
        '          no cgroups here',
        '',
        '"!" is a fault of the grader, seen twice: grade again before you decide about these points.',
        '"?" is something this machine lacks: grade on one that has it; ./workshop doctor says what it is.',
        '',
        '25 of 100 points, 50 not graded in 1.2 s',
      ].join('\n'),
    );
  });

  test('as Markdown keeps tables and fences whole, whatever a message says', () => {
    const page = markdownReport(report);
    expect(page).toContain('| ✔ | 1 | The 1th \\| thing | 25 / 25 |');
    expect(page).toContain('````text\nexpected 1\n```\nto be 2\n````');
    expect(page).toMatch(/^# 25 of 100 points, 50 not graded\n/);
  });
});
