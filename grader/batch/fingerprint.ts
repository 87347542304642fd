/** What a grade depends on. A submission whose fingerprint has not changed need not be graded again. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { readLearnerFile } from '../harness/bundle.ts';
import { home } from '../harness/home.ts';
import { Refused } from '../harness/refused.ts';
import { type LabFolder, learnerFile } from '../lab.ts';
import { LARGEST_ARCHIVE } from './archive.ts';

export const fingerprintSchema = z.strictObject({
  /** SHA-256 of the archive, or of the files in a directory that labs are graded from. */
  submission: z.string(),
  /** SHA-256 of all that judges. */
  grader: z.string(),
  seed: z.int().min(0),
  /** Ids of the labs that were asked for; null for all that a submission has a file for. */
  labs: z.array(z.string()).nullable(),
});
export type Fingerprint = z.infer<typeof fingerprintSchema>;

/** @param place an archive, or a directory. @throws Unreadable, or Error as of open(2) and read(2). */
export async function digestOf(place: string, labs: LabFolder[]): Promise<string> {
  const hash = createHash('sha256');
  const stat = fs.lstatSync(place);
  if (stat.isDirectory()) {
    for (const lab of labs) hash.update(JSON.stringify([lab.id, contentOf(place, learnerFile(lab))]));
    return hash.digest('hex');
  }
  // It is refused for its size, whatever it holds.
  if (stat.size > LARGEST_ARCHIVE) return `${stat.size} bytes`;
  for await (const piece of fs.createReadStream(place)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

function contentOf(submission: string, file: string): { source: string } | { refused: string } {
  try {
    return { source: readLearnerFile(submission, file) };
  } catch (error) {
    if (error instanceof Refused) return { refused: error.message };
    throw error;
  }
}

/** Of this clone: the suites of the labs and everything they use. Its own tests and texts judge nothing. */
const JUDGES = ['engine', 'grader', 'labs', 'solutions', 'package.json', 'package-lock.json'];
const ASIDE = [
  'grader/architecture',
  'grader/batch',
  'grader/beside',
  'grader/bench',
  'grader/chapters',
  'grader/proof',
];
const GRADES = ['grader/export', 'grader/pages', 'grader/policy', 'grader/signing', 'grader/similarity'];
const BESIDES = [...ASIDE, ...GRADES, 'grader/render', 'grader/vm', 'grader/words', 'grader/workshop'];

export function graderDigest(labs: LabFolder[]): string {
  const learners = new Set(labs.map((lab) => path.join(home, learnerFile(lab))));
  const hash = createHash('sha256').update(process.version);
  const visit = (file: string) => {
    const stat = fs.lstatSync(file);
    const name = path.relative(home, file);
    if (stat.isDirectory()) {
      if (BESIDES.includes(name) || path.basename(name) === 'testdata') return;
      for (const below of fs.readdirSync(file).sort()) visit(path.join(file, below));
    } else if (stat.isFile() && /\.(ts|mjs|json)$/.test(name) && !learners.has(file)) {
      if (name.endsWith('.test.ts') && !name.startsWith('labs/')) return;
      hash.update(JSON.stringify([name, fs.readFileSync(file, 'utf8')]));
    }
  };
  for (const name of JUDGES) visit(path.join(home, name));
  return hash.digest('hex');
}
