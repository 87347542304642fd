/** One submission of a batch, judged as `grade check` judges one. */

import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { hasFile, judgeLabs } from '../check.ts';
import { Judge } from '../harness/judge-client.ts';
import { removeTree } from '../harness/remove-tree.ts';
import type { HiddenPack } from '../hidden/pack.ts';
import { type LabFolder, learnerFile } from '../lab.ts';
import { plain, type Report } from '../report.ts';
import { unpack } from './archive.ts';
import { innermost } from './contents.ts';
import type { Entry, State } from './entry.ts';
import { digestOf, type Fingerprint } from './fingerprint.ts';
import type { Submission } from './submission.ts';
import { isForbidden, UnreadableArchive, UnreadableDirectory } from './unreadable-archive.ts';

export interface Terms {
  /** Of the course. */
  labs: LabFolder[];
  /** The labs that were asked for: one whose file is missing earns nothing. If absent, those that there is a file for. */
  only?: LabFolder[];
  seed: number;
  /** What the seed of each submission is drawn from; absent where the instructor has chosen one seed for all. */
  secret?: string;
  /** As of `graderDigest`, and of the hidden tests if there are any. */
  grader: string;
  hidden?: HiddenPack;
}

/** Files that cannot be read are found out again, and reported, when they are graded. */
export async function fingerprintOf({ place }: Submission, terms: Terms): Promise<Fingerprint> {
  return {
    submission: await digestOf(innermost(place), terms.labs).catch((error: Error) => plain(error.message)),
    grader: terms.grader,
    seed: terms.seed,
    labs: terms.only?.map(({ id }) => id) ?? null,
  };
}

/**
 * The inputs of a submission depend on what was handed in and on a secret of the results: what one attempt has been asked
 * tells the next one, or a friend's, nothing, and the same submission has the same inputs again.
 */
function seedFor({ seed, secret }: Terms, { submission }: Fingerprint): number {
  if (secret === undefined) return seed;
  return createHmac('sha256', secret).update(submission).digest().readUInt32BE(0) >>> 1;
}

interface Outcome {
  state: State;
  reason?: string;
  report: Report | null;
}

/**
 * A fault of the grader's own is tried once more, with everything anew, and then reported.
 * @param scratch a path of the caller's own, for the files of an archive. @param cpu the one that all of it runs on.
 */
export async function gradeOne(
  submission: Submission,
  fingerprint: Fingerprint,
  terms: Terms,
  { scratch, cpu }: { scratch: string; cpu: number },
): Promise<Entry> {
  const own = { ...terms, seed: seedFor(terms, fingerprint) };
  const first = await attempt(submission, own, scratch, cpu);
  const outcome = first.state === 'error' ? await attempt(submission, own, scratch, cpu) : first;
  const { student, email, received, name } = submission;
  return {
    schema: 'skiff/batch-entry/v1',
    student,
    ...(email === undefined ? {} : { email }),
    ...(received === undefined ? {} : { received }),
    submission: name,
    fingerprint,
    ...outcome,
  };
}

async function attempt({ place, name }: Submission, terms: Terms, scratch: string, cpu: number): Promise<Outcome> {
  try {
    removeTree(scratch);
    const inner = innermost(place);
    if (fs.lstatSync(inner).isDirectory()) return await judged(inner, name, terms, cpu);
    fs.mkdirSync(scratch, { recursive: true, mode: 0o700 });
    await unpack(inner, terms.labs.map(learnerFile), scratch);
    return await judged(scratch, name, terms, cpu);
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof UnreadableDirectory) return { state: 'unreadable', reason: plain(message), report: null };
    if (error instanceof UnreadableArchive)
      return { state: 'unreadable', reason: plain(`The archive cannot be read: ${message}.`), report: null };
    return { state: 'error', reason: plain(`The grader failed: ${message}`), report: null };
  } finally {
    removeTree(scratch);
  }
}

/** @throws UnreadableDirectory where its mode is in the way: that is part of what was handed in. */
function isThere(submission: string, lab: LabFolder): boolean {
  try {
    return hasFile(submission, lab);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    throw new UnreadableDirectory(
      `${path.dirname(learnerFile(lab))} may not be read by the grader. ` +
        'Give it and the folders around it back their rights: chmod -R u+rwX.',
    );
  }
}

async function judged(
  submission: string,
  name: string,
  { labs, only, seed, hidden }: Terms,
  cpu: number,
): Promise<Outcome> {
  const chosen = only ?? labs.filter((lab) => isThere(submission, lab));
  if (chosen.length === 0)
    return { state: 'empty', reason: 'It has none of the files that labs are graded from.', report: null };
  await using judge = new Judge({ cpu });
  const report = await judgeLabs({ submission, name, labs: chosen, seed, judge, hidden });
  const tests = report.labs.flatMap(({ tasks }) => tasks.flatMap((task) => task.tests));
  const failure = tests.find(({ outcome }) => outcome === 'error');
  if (failure === undefined) return { state: 'graded', report };
  return { state: 'error', reason: failure.message ?? 'The grader failed.', report };
}
