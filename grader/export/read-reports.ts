/** Report files, checked before anything is made of them. */

import type { KeyObject } from 'node:crypto';
import fs from 'node:fs';
import type * as z from 'zod';
import { BadInput } from '../bad-input.ts';
import { entrySchema } from '../batch/entry.ts';
import { REPORT_VERSION, reportSchema } from '../report.ts';
import { readSignature, type Verdict, verdictOf } from '../signing/signature.ts';
import type { ReadReport } from './course-class.ts';
import { plainLine } from './judged-tests.ts';

/** A report of the whole course has less than 10 MB. */
const LARGEST = 64 * 1024 * 1024;

/** A result of `grade batch` without a report: empty, unreadable, or a fault of the grader. */
export interface SkippedResult {
  /** Where it was read from, for messages. */
  from: string;
  student: string;
  /** RFC 3339: when a server saw it, if that is known. */
  received?: string;
  /** The grader failed: what it would have earned is not known. */
  isError: boolean;
  /** Why, in one line. */
  skipped: string;
}

/** A report, or a result of `grade batch` with one in it. `-` reads standard input. @throws BadInput */
export function readReport(file: string): ReadReport | SkippedResult {
  return reportIn(readText(file, 'report'), file === '-' ? 'Standard input' : file);
}

/** A report that had to be signed. */
export interface ReadDocument {
  verdict: Verdict;
  /** Present if it is signed. */
  read?: ReadReport | SkippedResult;
}

/** @param key what its signature, beside it in FILE.sig, is checked with. @throws BadInput, also for a damaged report that is signed */
export function readSigned(file: string, key: KeyObject): ReadDocument {
  if (file === '-') throw new BadInput('Standard input has no signature beside it. Give files.');
  const bytes = readBytes(file, 'report');
  const verdict = verdictOf(bytes, readSignature(file), key);
  return verdict === 'signed' ? { verdict, read: reportIn(bytes.toString('utf8'), file) } : { verdict };
}

function reportIn(text: string, from: string): ReadReport | SkippedResult {
  const value = parsed(text, from);
  const version = (value as { schema?: unknown } | null)?.schema;
  if (version === BATCH_ENTRY) return ofEntry(value, from);
  if (version !== REPORT_VERSION)
    throw new BadInput(
      `${from} is not a report of this grader: its "schema" must be "${REPORT_VERSION}", not ${JSON.stringify(version) ?? 'absent'}. ` +
        'Make one with ./grade check DIRECTORY --json FILE, or give the submissions/*.json of ./grade batch.',
    );
  return { from, report: checked(reportSchema, value, from) };
}

const BATCH_ENTRY = entrySchema.shape.schema.value;

function ofEntry(value: unknown, from: string): ReadReport | SkippedResult {
  const { student, received, state, reason = '', report } = checked(entrySchema, value, from);
  if (report !== null) return { from, report, student, received };
  const isError = state === 'error';
  return { from, student: plainLine(student), received, isError, skipped: plainLine(`${state}: ${reason}`) };
}

function checked<T>(schema: z.ZodType<T>, value: unknown, from: string): T {
  const { data, error } = schema.safeParse(value);
  if (error === undefined) return data;
  const [issue] = error.issues;
  throw new BadInput(
    `${from} is a damaged report: ${issue?.path.join('.') || 'the document'}: ${issue?.message}. Grade the submission again.`,
  );
}

function parsed(text: string, from: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BadInput(
      `${from} is not JSON: ${(error as Error).message}. Give a report that ./grade check wrote with --json.`,
    );
  }
}

/** @param what the file is to be, for messages. @throws BadInput */
export function readText(file: string, what: string): string {
  return readBytes(file, what).toString('utf8');
}

function readBytes(file: string, what: string): Buffer {
  try {
    if (file === '-') return fs.readFileSync(0);
    const stat = fs.statSync(file);
    if (stat.isDirectory())
      throw new BadInput(`${file} is a directory. Give files, for example ${file.replace(/\/+$/, '')}/*.json.`);
    if (!stat.isFile()) throw new BadInput(`${file} is not a regular file. Give the file of a ${what}.`);
    if (stat.size > LARGEST) throw new BadInput(`${file} has ${stat.size} bytes, which is too large for a ${what}.`);
    return fs.readFileSync(file);
  } catch (error) {
    if (error instanceof BadInput) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new BadInput(`There is no file ${file}. Give the file of a ${what}.`);
    throw new BadInput(`${file} cannot be read: ${message}`);
  }
}
