/** `grade check`: one submission directory, one report. */

import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BadInput } from './bad-input.ts';
import { Unreadable } from './harness/bundle.ts';
import { home } from './harness/home.ts';
import { Judge } from './harness/judge-client.ts';
import { runLab } from './harness/run-lab.ts';
import { judgeHidden, provePack } from './hidden/judge-hidden.ts';
import { type HiddenPack, openPack } from './hidden/pack.ts';
import { withHidden } from './hidden/redact.ts';
import { type LabFolder, learnerFile, readLabs } from './lab.ts';
import { type LabReport, plain, REPORT_VERSION, type Report } from './report.ts';
import { nearest } from './workshop/nearest.ts';

export interface CheckOptions {
  /** A submission: a directory with `labs/NN-id/MODULE.ts` in it. */
  directory: string;
  /** Id, number or folder name of the one lab to grade; else all that the submission has a file for. */
  lab?: string;
  /** What the inputs of the tests are drawn from: the `seed` of a report repeats it. Drawn anew if absent. */
  seed?: number;
  onLab?: (lab: LabFolder) => void;
  /** A directory of hidden tests, which count as well. */
  hidden?: string;
}

/** Only the learner's files are read; suites, drivers and settings are this clone's. @throws BadInput */
export async function checkSubmission({
  directory,
  lab,
  seed = randomInt(2 ** 31),
  onLab,
  hidden,
}: CheckOptions): Promise<Report> {
  const submission = openSubmission(directory);
  const labs = labsToGrade(submission, directory, lab);
  using pack = hidden === undefined ? undefined : openPack(hidden, readLabs(home), submission);
  if (pack !== undefined)
    await provePack(
      pack,
      labs.map(({ id }) => id),
    );
  await using judge = new Judge();
  try {
    return await judgeLabs({ submission, name: directory, labs, seed, judge, onLab, hidden: pack });
  } catch (error) {
    throw error instanceof Unreadable ? new BadInput(error.message) : error;
  }
}

export interface LabsOf {
  /** The top directory of the submission, absolute. */
  submission: string;
  /** What the report calls it. */
  name: string;
  labs: LabFolder[];
  seed: number;
  judge: Judge;
  onLab?: (lab: LabFolder) => void;
  hidden?: HiddenPack;
}

/** Judge these labs of a submission, whether it has their files or not. @throws Unreadable */
export async function judgeLabs({ submission, name, labs, seed, judge, onLab, hidden }: LabsOf): Promise<Report> {
  const start = performance.now();
  const reports: LabReport[] = [];
  for (const each of labs) {
    onLab?.(each);
    const file = path.join(submission, learnerFile(each));
    const report = await runLab({ lab: each, file, submission, seed, judge });
    const more = hidden?.labs.get(each.id);
    reports.push(
      more === undefined
        ? report
        : withHidden(report, await judgeHidden(more, { file, submission, seed, judge }), more),
    );
  }
  const sum = (value: (report: LabReport) => number) => reports.reduce((total, each) => total + value(each), 0);
  return {
    schema: REPORT_VERSION,
    submission: plain(name),
    seed,
    gradedAt: new Date().toISOString(),
    grader: { version: graderVersion(), node: process.version, kernel: os.release(), arch: process.arch },
    points: sum(({ points }) => points),
    maxPoints: sum(({ maxPoints }) => maxPoints),
    ungradedPoints: sum(({ ungradedPoints }) => ungradedPoints),
    // Without the time of hidden tests: see redact.ts.
    durationMs: hidden === undefined ? Math.round(performance.now() - start) : sum(({ durationMs }) => durationMs),
    labs: reports,
  };
}

/**
 * The directory as it was typed: an argument that is not UTF-8 reaches a program of Node in pieces, and only the kernel has
 * it whole. proc_pid_cmdline(5).
 */
export function typedPath(directory: string): Buffer {
  if (!directory.includes('\ufffd')) return Buffer.from(directory);
  const args = fs.readFileSync('/proc/self/cmdline', 'latin1').split('\0');
  const typed = args.map((arg) => Buffer.from(arg, 'latin1')).find((arg) => arg.toString() === directory);
  return typed ?? Buffer.from(directory);
}

function openSubmission(directory: string): string {
  const typed = typedPath(directory);
  let stat: fs.Stats;
  try {
    stat = fs.statSync(typed);
    if (stat.isDirectory()) fs.accessSync(typed, fs.constants.R_OK | fs.constants.X_OK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new BadInput(`There is no directory ${directory}. Give the directory of a submission.`);
    throw new BadInput(`${directory} cannot be read: ${message}`);
  }
  if (!stat.isDirectory()) throw new BadInput(`${directory} is not a directory. Give the directory of a submission.`);
  const place = fs.realpathSync.native(typed, { encoding: 'buffer' });
  if (place.equals(Buffer.from(place.toString()))) return place.toString();
  // From here on paths are text, so one that is not leads through a descriptor, which stays open until the end.
  return `/proc/self/fd/${fs.openSync(place, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)}`;
}

function labsToGrade(submission: string, directory: string, typed: string | undefined): LabFolder[] {
  const labs = readLabs(home);
  if (typed !== undefined) {
    const lab = findLab(labs, typed);
    if (!hasFile(submission, lab))
      throw new BadInput(`${directory} has no ${learnerFile(lab)}, which is the file of lab ${lab.id}.`);
    return [lab];
  }
  const found = labs.filter((lab) => hasFile(submission, lab));
  if (found.length === 0)
    throw new BadInput(
      `${directory} has none of the files that labs are graded from: ${labs.map(learnerFile).join(', ')}. ` +
        'Is it the top directory of a submission?',
    );
  return found;
}

/** Whether there is anything in the place of a lab's file, be it a link or a directory. */
export function hasFile(submission: string, lab: LabFolder): boolean {
  return fs.lstatSync(path.join(submission, learnerFile(lab)), { throwIfNoEntry: false }) !== undefined;
}

/** @param typed id, number or folder name. @throws BadInput for an unknown lab, with the nearest name. */
export function findLab(labs: LabFolder[], typed: string): LabFolder {
  const number = /^\d+$/.test(typed) ? Number(typed) : undefined;
  const found = labs.find((lab) => lab.id === typed || lab.number === number || path.basename(lab.folder) === typed);
  if (found !== undefined) return found;
  throw new BadInput(
    noSuchLab(
      typed,
      labs.map(({ id }) => id),
    ),
  );
}

/** For a word that should be the id of a lab: what is wrong, and what was likely meant. */
export function noSuchLab(typed: string, ids: readonly string[]): string {
  const near = nearest(typed, ids);
  return `There is no lab "${typed}". ${near === undefined ? `The labs are ${ids.join(', ')}.` : `Did you mean "${near}"?`}`;
}

function graderVersion(): string {
  const { version } = JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8')) as { version: string };
  return version;
}
