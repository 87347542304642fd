/** The directory of the results: what a batch writes there, and what it never touches. */

import fs from 'node:fs';
import path from 'node:path';
import { ContainerError } from '../../engine/container/errors.ts';
import { acquireLock } from '../../engine/container/lock.ts';
import type { FileLock } from '../../engine/kernel/file-lock.ts';
import { BadInput } from '../bad-input.ts';
import { removeTree } from '../harness/remove-tree.ts';
import { entryFile } from './entry.ts';
import { printable } from './printable.ts';
import type { Submission } from './submission.ts';

export const SETTINGS = 'batch.json';
export const SUMMARY = 'summary.json';
const LOCK = 'lock';
const RESULTS = 'submissions';
const SCRATCH = '.skiff-unpacked-';
/** Six letters are what mkdtemp(3) appends. */
const SCRATCH_NAME = /^\.skiff-unpacked-[A-Za-z0-9]{6}$/;

/** How each document of a batch begins; one that was being written when a batch was ended may have less of it. */
const BEGINNING = Buffer.from('{\n  "schema": "skiff/batch');

/**
 * Make the directory, if it is missing, and hold it for this process.
 * @param input what holds the submissions. @returns its real path, and the lock.
 * @throws BadInput, before anything is made or written, if it would be graded or has files that a batch did not write
 */
export function openResults(typed: string, input: string, submissions: Submission[]): { out: string; lock: FileLock } {
  const planned = realPathOf(typed);
  refuseAmongSubmissions(typed, planned, input, submissions);
  refuseForeignFiles(planned, submissions);
  try {
    fs.mkdirSync(typed, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new BadInput(`The results cannot be kept in ${typed}: ${(error as Error).message}`);
  }
  const out = fs.realpathSync(typed);
  return { out, lock: lockOf(out) };
}

/** A directory for the files of archives. Call it with the lock: what an ended batch left is removed. */
export function makeScratch(out: string): string {
  for (const entry of fs.readdirSync(out, { withFileTypes: true }))
    if (entry.isDirectory() && SCRATCH_NAME.test(entry.name)) removeTree(path.join(out, entry.name));
  return fs.mkdtempSync(path.join(out, SCRATCH));
}

/** As it will be once it is made: links on the way are followed, and the rest is missing. */
function realPathOf(typed: string): string {
  const missing: string[] = [];
  for (let at = path.resolve(typed); ; at = path.dirname(at)) {
    try {
      return path.join(fs.realpathSync(at), ...missing);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || fs.lstatSync(at, { throwIfNoEntry: false }) !== undefined)
        throw new BadInput(`The results cannot be kept in ${typed}: ${message}`);
      missing.unshift(path.basename(at));
    }
  }
}

function refuseAmongSubmissions(typed: string, out: string, input: string, submissions: Submission[]): void {
  const around = submissions.find(({ place }) => isWithin(out, place));
  if (around !== undefined)
    throw new BadInput(
      `${typed} would be graded as the submission of "${printable(around.student)}", or lies in it. ` +
        'Give the results a directory outside of the submissions with --out.',
    );
  const top = fs.realpathSync(input);
  const folder = fs.statSync(top).isDirectory() && isWithin(out, top);
  // Hidden names are not submissions.
  if (folder && !path.relative(top, out).startsWith('.'))
    throw new BadInput(
      `${typed} lies in ${input}, where each directory is graded as a submission. ` +
        `Give the results a directory beside it, for example --out ${path.join(path.dirname(top), 'grades')}.`,
    );
  const inside = submissions.find(({ place }) => isWithin(place, out) && isWritten(path.relative(out, place)));
  if (inside !== undefined)
    throw new BadInput(
      `The results in ${typed} would be written among the submissions: "${printable(inside.student)}" is ` +
        `${printable(inside.place)}. Give the results another directory with --out.`,
    );
}

function isWithin(place: string, folder: string): boolean {
  return place === folder || place.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** @param name relative to the directory of the results. */
function isWritten(name: string): boolean {
  const [first = ''] = name.split('/');
  return [LOCK, RESULTS, ...documents].includes(first) || SCRATCH_NAME.test(first);
}

const documents = [SETTINGS, SUMMARY].flatMap(withPartial);

/** The place of a document, and where it is written before it is whole. */
function withPartial(file: string): string[] {
  return [file, `${file}.new`];
}

function refuseForeignFiles(out: string, submissions: Submission[]): void {
  const entries = submissions.flatMap(({ student, received }) => withPartial(entryFile(out, student, received)));
  const written = [...documents.map((name) => path.join(out, name)), ...entries];
  const foreign =
    written.find((file) => !beginsAs(file, (text) => text.equals(BEGINNING.subarray(0, text.length)))) ??
    [path.join(out, LOCK)].find((file) => !beginsAs(file, (text) => /^\d{0,12}\n?$/.test(text.toString('latin1'))));
  if (foreign !== undefined)
    throw new BadInput(
      `${printable(foreign)} was not written by grade batch and would be overwritten. ` +
        'Give the results another directory with --out.',
    );
}

/** True if the file is missing; false if it is not a regular file, or its first bytes are others. */
function beginsAs(file: string, isOurs: (text: Buffer) => boolean): boolean {
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
  try {
    const head = Buffer.alloc(BEGINNING.length);
    return fs.fstatSync(fd).isFile() && isOurs(head.subarray(0, fs.readSync(fd, head, 0, head.length, 0)));
  } finally {
    fs.closeSync(fd);
  }
}

function lockOf(out: string): FileLock {
  try {
    return acquireLock(path.join(out, LOCK));
  } catch (error) {
    if (error instanceof ContainerError)
      throw new BadInput(
        `Another grade batch is writing to ${out}. Wait for it, or give another directory with --out.`,
      );
    throw new BadInput(`The results cannot be kept in ${out}: ${(error as Error).message}`);
  }
}
