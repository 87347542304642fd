/** What a batch keeps of one submission: one file, which is there whole or not at all. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { writeAtomically } from '../../engine/container/atomic-file.ts';
import { BadInput } from '../bad-input.ts';
import { reportSchema } from '../report.ts';
import { fingerprintSchema } from './fingerprint.ts';

/**
 * `graded`: there is a report, whatever the points. `empty`: it has none of the files that labs are graded from.
 * `unreadable`: an archive that is damaged or refused. `error`: the grader failed, twice.
 */
const states = ['graded', 'empty', 'unreadable', 'error'] as const;
export type State = (typeof states)[number];

export const entrySchema = z.strictObject({
  schema: z.literal('skiff/batch-entry/v1'),
  student: z.string(),
  email: z.string().optional(),
  /** RFC 3339: when a server saw it, as the roster says. */
  received: z.string().optional(),
  submission: z.string(),
  fingerprint: fingerprintSchema,
  state: z.enum(states),
  /** Why it is not `graded`. */
  reason: z.string().optional(),
  /** null when nothing could be judged. With state `error` some of its tests are `error`. */
  report: reportSchema.nullable(),
});
export type Entry = z.infer<typeof entrySchema>;

const LONGEST_NAME = 100;

/**
 * The file of a student, told apart from others whose names look alike once they are file names.
 * @param received tells attempts of one student apart.
 */
export function entryFile(out: string, student: string, received?: string): string {
  let name = '';
  for (const letter of student.replace(/[^\p{L}\p{N}._-]/gu, '_').replace(/^\./, '_'))
    if (Buffer.byteLength(name + letter) <= LONGEST_NAME) name += letter;
  const hash = createHash('sha256').update(student);
  if (received !== undefined) hash.update(`\0${Date.parse(received)}`);
  const digest = hash.digest('hex').slice(0, 8);
  return path.join(out, 'submissions', `${name}-${digest}.json`);
}

/** @returns undefined when there is no entry, or one of another version, which is graded again. */
export function readEntry(file: string): Entry | undefined {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return entrySchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // Somebody else has written there.
  }
}

/** @throws BadInput when the disk says no; what was there before stays. */
export async function writeWhole(file: string, document: unknown): Promise<void> {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeAtomically(file, `${JSON.stringify(document, null, 2)}\n`);
  } catch (error) {
    // Half a file would keep its room on a full disk.
    fs.rmSync(`${file}.new`, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOSPC' ? 'its disk is full. Make room' : `${message}. Mend that`;
    throw new BadInput(`${file} cannot be written: ${why} and run the same command again; no grade is lost.`);
  }
}
