/** `mutation.json`: what became of each lab's mutants, for docs/proof.md. Written by mutate.ts. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { home } from '../harness/home.ts';

const survivorSchema = z.strictObject({
  place: z.string(),
  line: z.int(),
  mutator: z.string(),
  original: z.string(),
  replacement: z.string(),
  /** Written by hand: `open`, `open: what a test would need`, or `equivalent: why no test can tell it from the solution`. */
  verdict: z.string().regex(/^(open(: \S.*)?|equivalent: \S.*)$/),
});
export type Survivor = z.infer<typeof survivorSchema>;

const labSchema = z.strictObject({
  /** SHA-256 of the solution that the mutants were made of. */
  solution: z.string(),
  /** The order of the mutants is drawn from it; the first `judged` were judged. */
  seed: z.int(),
  mutants: z.int(),
  judged: z.int(),
  killed: z.int(),
  /** Of those killed: ended because they took too long. */
  timeouts: z.int(),
  survivors: z.array(survivorSchema),
});
export type LabMutation = z.infer<typeof labSchema>;

const fileSchema = z.record(z.string(), labSchema);
export type MutationResults = z.infer<typeof fileSchema>;

const file = path.join(home, 'grader/proof/mutation.json');

/** @throws Error that says what is wrong in mutation.json. */
export function readMutation(): MutationResults {
  if (!fs.existsSync(file)) return {};
  const parsed = fileSchema.safeParse(JSON.parse(fs.readFileSync(file, 'utf8')));
  if (!parsed.success) throw new Error(`${file} does not fit its schema:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The labs in the order of `ids`, and what is already there of others. */
export function writeMutation(results: MutationResults, ids: string[]): void {
  const sorted = Object.fromEntries(ids.flatMap((id) => (results[id] === undefined ? [] : [[id, results[id]]])));
  const fresh = `${file}.${process.pid}`;
  fs.writeFileSync(fresh, `${JSON.stringify({ ...sorted, ...results }, null, 2)}\n`);
  fs.renameSync(fresh, file);
}

export function digestOf(solution: string): string {
  return createHash('sha256').update(fs.readFileSync(solution)).digest('hex');
}

export function equivalents({ survivors }: LabMutation): number {
  return survivors.filter(({ verdict }) => verdict.startsWith('equivalent')).length;
}

/** Killed, of those judged that are not equivalent; per cent, rounded down. */
export function score(lab: LabMutation): number {
  const told = lab.judged - equivalents(lab);
  return told === 0 ? 100 : Math.floor((100 * lab.killed) / told);
}
