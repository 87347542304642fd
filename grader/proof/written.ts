/** A module that is only text, as a file for as long as it is judged. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { LabFolder } from '../lab.ts';

/** Write `source` as the lab's module into a folder of its own, and remove it when `use` is over. */
export async function writtenTo<T>(lab: LabFolder, source: string, use: (file: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-proof-'));
  try {
    const file = path.join(folder, `${lab.module}.ts`);
    fs.writeFileSync(file, source);
    return await use(file);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
