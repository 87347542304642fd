/** What a course decides about time and attempts, as data: deadlines, lateness, extensions, how many attempts count. */

import fs from 'node:fs';
import * as z from 'zod';
import { BadInput } from '../bad-input.ts';
import { noSuchLab } from '../check.ts';

export const POLICY_VERSION = 'skiff/policy/v1';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

const duration = z
  .string()
  .regex(/^\d{1,5}[smhd]$/, 'must be a number with s, m, h or d behind it, for example "15m"')
  .transform((text) => Number(text.slice(0, -1)) * SECONDS[text.at(-1) as keyof typeof SECONDS]);

/** RFC 3339 with a zone: the same minute is another one elsewhere. In milliseconds since 1970. */
const instant = z.iso
  .datetime({
    offset: true,
    error: 'must be a date and a time with its zone, for example "2026-12-04T23:59:00+01:00"',
  })
  .transform(Date.parse);

const policySchema = z.strictObject({
  schema: z.literal(POLICY_VERSION),
  /** By lab. A lab without an entry has no deadline. */
  labs: z.record(z.string(), z.strictObject({ due: instant })).default({}),
  /** Deadlines of their own: by student, then by lab. */
  extensions: z.record(z.string(), z.record(z.string(), instant)).default({}),
  late: z
    .strictObject({
      /** Late by so much is in time. */
      grace: duration.default(0),
      /** Percent of the points that each day begun takes, counted from the deadline. */
      perDay: z.number().min(0).max(100).default(0),
      /** What comes later than this after the deadline gets 0 points. */
      cutOff: duration.optional(),
    })
    .prefault({}),
  attempts: z
    .strictObject({
      /** Which of the attempts that count is the grade. */
      count: z.enum(['best', 'last']).default('last'),
      /** How many count, from the first on. */
      most: z.int().min(1).optional(),
      /** How many count in any 24 hours. */
      perDay: z.int().min(1).optional(),
    })
    .prefault({}),
});
export type Policy = z.infer<typeof policySchema>;

/** Without deadlines; the last attempt counts. */
export const noPolicy: Policy = policySchema.parse({ schema: POLICY_VERSION });

/** @param labs ids of the course's labs. @throws BadInput that names everything that is wrong at once */
export function readPolicy(file: string, labs: readonly string[]): Policy {
  let value: unknown;
  try {
    value = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new BadInput(`The policy ${file} cannot be read: ${(error as Error).message}`);
  }
  const { data, error } = policySchema.safeParse(value);
  if (data === undefined)
    throw new BadInput(
      error!.issues
        .map(({ path, message }) => `The policy ${file}, ${path.join('.') || 'the document'}: ${message}.`)
        .join('\n'),
    );
  const named = [
    ...Object.keys(data.labs).map((lab) => ['labs', lab]),
    ...Object.entries(data.extensions).flatMap(([student, due]) =>
      Object.keys(due).map((lab) => [`extensions.${student}`, lab]),
    ),
  ];
  const unknown = named.filter(([, lab]) => !labs.includes(lab!));
  if (unknown.length > 0)
    throw new BadInput(
      unknown.map(([where, lab]) => `The policy ${file}, ${where}: ${noSuchLab(lab!, labs)}`).join('\n'),
    );
  return data;
}
