/**
 * The learner's progress: `.workshop/progress.txt`, plain text that a person may edit. One fact a line, named by the
 * lab's id. What cannot be understood is kept as it stands and never an error.
 */

import fs from 'node:fs';
import path from 'node:path';
import { stateFolder } from './home.ts';

export interface LabProgress {
  /** The day (YYYY-MM-DD) of the first check that passed everything. */
  passed?: string;
  /** Of the last check. */
  points?: { reached: number; of: number; ungraded?: number };
  /** The highest hint seen by task id: 0 for the one from what the check saw, 1…3 for the lab's own. */
  hints: Map<number, number>;
  /** The day the solution was asked for before the lab had passed. */
  gaveUp?: string;
}

export interface Progress {
  current?: string;
  labs: Map<string, LabProgress>;
  /** Lines of somebody else's, in order. */
  kept: string[];
}

const HEADING = [
  '# Your progress in the workshop. Plain text: edit it as you like. Lines that are not understood are kept.',
  '#   current LAB · passed LAB DAY · points LAB REACHED/OF [ungraded N] · hint LAB TASK LEVEL · gave-up LAB DAY',
];

export function parseProgress(text: string): Progress {
  const progress: Progress = { labs: new Map(), kept: [] };
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '' || HEADING.includes(line)) continue;
    if (!understand(progress, line)) progress.kept.push(line);
  }
  return progress;
}

export function formatProgress(progress: Progress): string {
  const lines = [...HEADING, ''];
  const fact = (word: string, lab: string, rest = '') =>
    lines.push(`${word.padEnd(8)} ${rest === '' ? lab : `${lab.padEnd(20)} ${rest}`}`);
  if (progress.current !== undefined) fact('current', progress.current);
  for (const [lab, { passed, points, hints, gaveUp }] of progress.labs) {
    if (points !== undefined)
      fact('points', lab, `${points.reached}/${points.of}${points.ungraded ? ` ungraded ${points.ungraded}` : ''}`);
    if (passed !== undefined) fact('passed', lab, passed);
    for (const [task, level] of hints) fact('hint', lab, `${task} ${level}`);
    if (gaveUp !== undefined) fact('gave-up', lab, gaveUp);
  }
  return `${[...lines, ...progress.kept].join('\n')}\n`;
}

/** The facts of `lab`, made empty when there are none yet. */
export function progressOf(progress: Progress, lab: string): LabProgress {
  let found = progress.labs.get(lab);
  if (found === undefined) {
    found = { hints: new Map() };
    progress.labs.set(lab, found);
  }
  return found;
}

export const progressFile = path.join(stateFolder, 'progress.txt');

export function readProgress(): Progress {
  try {
    return parseProgress(fs.readFileSync(progressFile, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return parseProgress('');
    throw error;
  }
}

/** Read, change, write: the file appears whole by rename. */
export function updateProgress(change: (progress: Progress) => void): Progress {
  const progress = readProgress();
  change(progress);
  fs.mkdirSync(stateFolder, { recursive: true });
  const temporary = `${progressFile}.${process.pid}`;
  fs.writeFileSync(temporary, formatProgress(progress));
  fs.renameSync(temporary, progressFile);
  return progress;
}

/** From now on the learner is in this lab. */
export function goTo(lab: string): void {
  updateProgress((progress) => {
    progress.current = lab;
  });
}

export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function understand(progress: Progress, line: string): boolean {
  const [word, lab, ...rest] = line.trim().split(/\s+/);
  if (lab === undefined || !/^[a-z][a-z0-9-]*$/.test(lab)) return false;
  const [first = '', second = '', third = ''] = rest;
  switch (word) {
    case 'current':
      progress.current = lab;
      return true;
    case 'passed':
      progressOf(progress, lab).passed = first || 'some day';
      return true;
    case 'gave-up':
      progressOf(progress, lab).gaveUp = first || 'some day';
      return true;
    case 'points': {
      const numbers = /^(\d+)\/(\d+)$/.exec(first);
      if (numbers === null) return false;
      progressOf(progress, lab).points = {
        reached: Number(numbers[1]),
        of: Number(numbers[2]),
        ...(second === 'ungraded' && /^\d+$/.test(third) ? { ungraded: Number(third) } : {}),
      };
      return true;
    }
    case 'hint':
      if (!/^\d+$/.test(first) || !/^[0-3]$/.test(second)) return false;
      progressOf(progress, lab).hints.set(Number(first), Number(second));
      return true;
    default:
      return false;
  }
}
