/** What the last check of each lab saw: `.workshop/checks/LAB.json`. Hints and `--mine` read it. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { labReportSchema } from '../../report.ts';
import { stateFolder } from '../home.ts';
import type { CourseLab } from '../labs.ts';

const lastCheckSchema = z.object({
  /** SHA-256 of the learner's file as it was checked. */
  digest: z.string(),
  report: labReportSchema,
});
export type LastCheck = z.infer<typeof lastCheckSchema>;

export function digestOf(file: string): string {
  try {
    return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  } catch {
    return 'absent';
  }
}

export function rememberCheck(lab: CourseLab, check: LastCheck): void {
  const file = fileOf(lab);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(`${file}.${process.pid}`, JSON.stringify(check));
  fs.renameSync(`${file}.${process.pid}`, file);
}

/** Undefined when there was none, or the learner's file has changed since. */
export function lastCheck(lab: CourseLab): LastCheck | undefined {
  try {
    const check = lastCheckSchema.parse(JSON.parse(fs.readFileSync(fileOf(lab), 'utf8')));
    return check.digest === digestOf(lab.file) && check.report.lab === lab.id ? check : undefined;
  } catch {
    return undefined;
  }
}

function fileOf(lab: CourseLab): string {
  return path.join(stateFolder, 'checks', `${lab.id}.json`);
}
