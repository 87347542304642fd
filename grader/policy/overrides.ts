/** Grades that a person has set. They win over what was judged, and no run of the grader touches their file. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { BadInput } from '../bad-input.ts';
import { writeWhole } from '../batch/entry.ts';

const OVERRIDES_VERSION = 'skiff/batch-overrides/v1';

const overrideSchema = z.strictObject({
  student: z.string().min(1),
  lab: z.string().min(1),
  /** null takes the override back: what was judged counts again. */
  points: z.number().min(0).nullable(),
  by: z.string().min(1),
  /** RFC 3339. */
  at: z.iso.datetime(),
  why: z.string().min(1),
});
export type Override = z.infer<typeof overrideSchema>;

/** All that were ever set, oldest first: the last one of a student and a lab counts. */
const documentSchema = z.strictObject({ schema: z.literal(OVERRIDES_VERSION), overrides: z.array(overrideSchema) });

/** @param out the directory of a batch's results. @throws BadInput for a file that cannot be read: no grade is guessed. */
export function readOverrides(out: string): Override[] {
  const file = fileIn(out);
  if (!fs.existsSync(file)) return [];
  try {
    return documentSchema.parse(JSON.parse(fs.readFileSync(file, 'utf8'))).overrides;
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new BadInput(`${file} holds the grades that were set by hand, and cannot be read: ${why}. Mend it.`);
  }
}

/** Append one; earlier ones stay, so that it can be seen who set what. */
export async function addOverride(out: string, override: Override): Promise<void> {
  const overrides = [...readOverrides(out), override];
  await writeWhole(fileIn(out), { schema: OVERRIDES_VERSION, overrides });
}

/** The one that counts; undefined where no grade was set, or the last one was taken back. */
export function overrideOf(overrides: readonly Override[], student: string, lab: string): Override | undefined {
  const last = overrides.findLast((each) => each.student === student && each.lab === lab);
  return last?.points === null ? undefined : last;
}

function fileIn(out: string): string {
  return path.join(out, 'overrides.json');
}
