/** The one canonical report. Everything that is shown or exported is made from it. */

import { stripVTControlCharacters } from 'node:util';
import * as z from 'zod';

export const REPORT_VERSION = 'skiff/report/v1';

/**
 * `passed`, `failed`: judged. `skipped`: not tried, because something it builds on failed. `error`: the harness failed,
 * twice. `unsupported`: this machine lacks what the test needs. Only `failed` says anything about the learner's work.
 */
export const outcomes = ['passed', 'failed', 'skipped', 'error', 'unsupported'] as const;
export type Outcome = (typeof outcomes)[number];
const outcomeSchema = z.enum(outcomes);

const durationMs = z.number().min(0).describe('milliseconds');

export const testReportSchema = z.strictObject({
  title: z.string(),
  outcome: outcomeSchema,
  /** `maxPoints` if the test passed, else 0. */
  points: z.int().min(0),
  maxPoints: z.int().min(1),
  /** Why it did not pass, for the learner. Plain text without control characters, at most 4,000 characters. */
  message: z.string().optional(),
  /** What the judge saw, next to what it expected. */
  evidence: z.string().optional(),
  durationMs,
});
export type TestReport = z.infer<typeof testReportSchema>;

export const taskReportSchema = z.strictObject({
  id: z.int(),
  title: z.string(),
  outcome: outcomeSchema,
  /** The sum of its tests' points: one edge that is missed costs one edge. */
  points: z.int().min(0),
  maxPoints: z.int().min(1),
  tests: z.array(testReportSchema),
});
export type TaskReport = z.infer<typeof taskReportSchema>;

export const labReportSchema = z.strictObject({
  /** The lab's id. */
  lab: z.string(),
  number: z.int(),
  title: z.string(),
  /** The learner's file, relative to the clone. */
  file: z.string(),
  /** SHA-256 of that file as it was judged; null when it could not be read. */
  digest: z.string().nullable(),
  /** What the inputs of the tests were drawn from; `--seed` repeats them. */
  seed: z.int().min(0),
  outcome: outcomeSchema,
  points: z.int().min(0),
  maxPoints: z.int().min(1),
  /** Points of tests that are `error` or `unsupported`: neither earned nor lost. */
  ungradedPoints: z.int().min(0),
  durationMs,
  tasks: z.array(taskReportSchema),
});
export type LabReport = z.infer<typeof labReportSchema>;

export const reportSchema = z.strictObject({
  schema: z.literal(REPORT_VERSION),
  /** The directory that was graded, as it was given. */
  submission: z.string(),
  seed: z.int().min(0),
  /** RFC 3339. */
  gradedAt: z.iso.datetime(),
  grader: z.strictObject({ version: z.string(), node: z.string(), kernel: z.string(), arch: z.string() }),
  points: z.int().min(0),
  maxPoints: z.int().min(0),
  ungradedPoints: z.int().min(0),
  durationMs,
  labs: z.array(labReportSchema),
});
export type Report = z.infer<typeof reportSchema>;

/** The worst of several: what failed outweighs what could not be judged, which outweighs what passed. */
export function worst(all: readonly Outcome[]): Outcome {
  const order: Outcome[] = ['failed', 'error', 'unsupported', 'skipped'];
  return order.find((outcome) => all.includes(outcome)) ?? 'passed';
}

const LONGEST_TEXT = 4_000;
const CONTROL = /[^\P{Cc}\n\t]|\p{Bidi_Control}/gu;

/** The same as `plain`, of any length. */
export function withoutControls(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROL, '').trimEnd();
}

/** Text that may come from a submission, fit for a terminal and a page: no control sequences, no direction overrides. */
export function plain(text: string): string {
  const clean = withoutControls(text.slice(0, 8 * LONGEST_TEXT));
  return clean.length <= LONGEST_TEXT ? clean : `${clean.slice(0, LONGEST_TEXT)} … (shortened)`;
}
