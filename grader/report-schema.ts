/** `npx tsx grader/report-schema.ts`: write the JSON Schema of the canonical report, for programs in other languages. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { home } from './harness/home.ts';
import { REPORT_VERSION, reportSchema } from './report.ts';

export const schemaFile = path.join(home, 'grader/report.schema.json');

export function reportJsonSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(reportSchema, { target: 'draft-2020-12' });
  return `${JSON.stringify({ $schema, $id: REPORT_VERSION, title: 'A grading report of Skiff', ...schema }, null, 2)}\n`;
}

if (process.argv[1]?.endsWith('report-schema.ts')) fs.writeFileSync(schemaFile, reportJsonSchema());
