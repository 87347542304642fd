/** `grade batch`: many submissions, each graded once, whatever ends the command in between. */

import { createPublicKey, type KeyObject, randomBytes, randomInt } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { BadInput } from '../bad-input.ts';
import { findLab } from '../check.ts';
import { home } from '../harness/home.ts';
import { removeTree } from '../harness/remove-tree.ts';
import { provePack } from '../hidden/judge-hidden.ts';
import { openPack } from '../hidden/pack.ts';
import { type LabFolder, readLabs } from '../lab.ts';
import { dropSignature, readSignature, signFile, verdictOf } from '../signing/signature.ts';
import { allowedCpus, checkTaskset } from './cpus.ts';
import { type Entry, entryFile, readEntry, writeWhole } from './entry.ts';
import { type Fingerprint, graderDigest } from './fingerprint.ts';
import { fingerprintOf, gradeOne, type Terms } from './grade-one.ts';
import type { Progress } from './progress.ts';
import { makeScratch, openResults, SETTINGS, SUMMARY } from './results-folder.ts';
import { readRoster } from './roster.ts';
import { type Found, type Submission, submissionsIn } from './submission.ts';
import { type Summary, summaryOf } from './summary.ts';

export interface BatchOptions {
  /** A folder with one directory or archive for each student, or a roster. */
  input: string;
  /** Ids, numbers or folder names; each submission's own labs if absent. */
  labs?: string[];
  /** How many submissions are graded at a time; as many as there are CPUs if absent. */
  jobs?: number;
  /** If absent, the one that the results in `out` have, or else a new one. */
  seed?: number;
  /** The directory for the results. */
  out: string;
  /** Grade those again that ended in `error`, and no others. */
  onlyErrors?: boolean;
  /** A directory of hidden tests, which count as well. */
  hidden?: string;
  /** What every result is signed with. */
  key?: KeyObject;
  /** @param total submissions to grade in this run. */
  progress: (total: number) => Progress;
}

interface Work {
  submission: Submission;
  fingerprint: Fingerprint;
  file: string;
}

/** @throws BadInput */
export async function gradeBatch(options: BatchOptions): Promise<Summary> {
  const labs = readLabs(home);
  const only = options.labs === undefined ? undefined : chosenLabs(labs, options.labs);
  const { submissions, ignored } = submissionsOf(options.input);
  const cpus = allowedCpus();
  checkTaskset(cpus[0]!);
  using hidden = options.hidden === undefined ? undefined : openPack(options.hidden, labs, options.input);
  const { out, lock } = openResults(options.out, options.input, submissions);
  let scratch: string | undefined;
  try {
    const unpacked = makeScratch(out);
    scratch = unpacked;
    const { seed, secret } = await settingsOf(out, options.seed);
    const grader = graderDigest(labs);
    const terms: Terms = {
      labs,
      only,
      seed,
      secret,
      grader: hidden === undefined ? grader : `${grader} ${hidden.digest}`,
      hidden,
    };
    const { work, outdated } = await workOf(submissions, terms, out, options);
    if (hidden !== undefined && work.length > 0)
      await provePack(hidden, only?.map(({ id }) => id) ?? [...hidden.labs.keys()]);
    const progress = options.progress(work.length);
    try {
      await inSlots(options.jobs ?? cpus.length, work, async ({ submission, fingerprint, file }, slot) => {
        const place = { scratch: path.join(unpacked, String(slot)), cpu: cpus[slot % cpus.length]! };
        const entry = await gradeOne(submission, fingerprint, terms, place);
        dropSignature(file);
        await writeWhole(file, entry);
        if (options.key !== undefined) await signFile(file, options.key);
        progress.done(entry);
      });
    } finally {
      progress.end();
    }
    const summary = summaryOf({
      submissions,
      seed,
      isSeedShared: secret === undefined,
      labs: only,
      out,
      ignored,
      outdated,
    });
    await writeWhole(path.join(out, SUMMARY), summary);
    return summary;
  } finally {
    if (scratch !== undefined) removeTree(scratch);
    lock.release();
  }
}

/** In the course's order, each once. */
function chosenLabs(labs: LabFolder[], typed: string[]): LabFolder[] {
  const chosen = new Set(typed.map((each) => findLab(labs, each).id));
  return labs.filter(({ id }) => chosen.has(id));
}

/** What is handed in there: a folder or a roster. @throws BadInput */
export function submissionsOf(input: string): Found {
  let stat: fs.Stats;
  try {
    stat = fs.statSync(input);
    if (stat.isDirectory()) return submissionsIn(input);
    if (stat.isFile() && input.toLowerCase().endsWith('.csv')) return { submissions: readRoster(input), ignored: [] };
  } catch (error) {
    if (error instanceof BadInput) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new BadInput(
      code === 'ENOENT'
        ? `There is no ${input}. Give a folder of submissions, or a roster whose name ends in .csv.`
        : `${input} cannot be read: ${message}`,
    );
  }
  throw new BadInput(`${input} is neither a folder of submissions nor a roster whose name ends in .csv.`);
}

const settingsSchema = z.strictObject({
  schema: z.literal('skiff/batch/v1'),
  seed: z.int().min(0),
  /** Absent where the instructor has chosen the seed: then all submissions have the same inputs. */
  secret: z.string().optional(),
});
type Settings = Pick<z.infer<typeof settingsSchema>, 'seed' | 'secret'>;

/** They are kept before anything is graded, so that a run that goes on has the same inputs. */
async function settingsOf(out: string, wanted: number | undefined): Promise<Settings> {
  const file = path.join(out, SETTINGS);
  if (wanted === undefined && fs.existsSync(file)) {
    try {
      return settingsSchema.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
    } catch {
      throw new BadInput(`${file} is not the settings of a batch. Give another directory with --out, or a --seed.`);
    }
  }
  const settings: Settings =
    wanted === undefined ? { seed: randomInt(2 ** 31), secret: randomBytes(32).toString('hex') } : { seed: wanted };
  await writeWhole(file, { schema: 'skiff/batch/v1', ...settings });
  return settings;
}

interface Plan {
  work: Work[];
  /** Files of results that do not hold any more and are not graded again by this run. */
  outdated: Set<string>;
}

async function workOf(
  submissions: Submission[],
  terms: Terms,
  out: string,
  { onlyErrors = false, key }: Pick<BatchOptions, 'onlyErrors' | 'key'>,
): Promise<Plan> {
  const publicKey = key === undefined ? undefined : createPublicKey(key);
  const work: Work[] = [];
  const outdated = new Set<string>();
  let known = 0;
  for (const submission of submissions) {
    const file = entryFile(out, submission.student, submission.received);
    const entry = readEntry(file);
    const fingerprint = await fingerprintOf(submission, terms);
    if (entry !== undefined) known += 1;
    // With a key, only what was signed as it is holds: another result may have been changed since, and is graded again.
    const isOurs =
      publicKey === undefined ||
      (fs.existsSync(file) && verdictOf(fs.readFileSync(file), readSignature(file), publicKey) === 'signed');
    const holds = isOurs && stillHolds(entry, submission, fingerprint);
    const due = onlyErrors ? entry?.state === 'error' : !holds;
    if (due) work.push({ submission, fingerprint, file });
    else if (!holds) outdated.add(file);
  }
  if (onlyErrors && known === 0)
    throw new BadInput(`${out} has no results yet. Run the same command without --only first.`);
  return { work, outdated };
}

function stillHolds(
  entry: Entry | undefined,
  { name, email, received }: Submission,
  fingerprint: Fingerprint,
): boolean {
  if (entry?.submission !== name || entry.email !== email || entry.received !== received) return false;
  return isDeepStrictEqual(entry.fingerprint, fingerprint);
}

/** @throws the first failure, when all that was under way has ended; nothing new is begun after it. */
async function inSlots(slots: number, work: Work[], run: (work: Work, slot: number) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  const slot = async (_: unknown, index: number) => {
    while (failures.length === 0 && next < work.length) {
      const each = work[next++]!;
      await run(each, index).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(slots, work.length) }, slot));
  if (failures.length > 0) throw failures[0];
}
