/** What the suites of the labs are written with. The learner's code never runs in this process. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, inject } from 'vitest';
import { home } from './home.ts';
import { LiveSubject } from './live-subject.ts';
import { moduleFor } from './module.ts';
import type { Subject, SubjectOptions } from './opened-subject.ts';

export type { Subject, SubjectOptions } from './opened-subject.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the module under test (module.ts); without it a suite bundles the file of SKIFF_SUBJECT or its own folder's. */
    skiffModule?: string;
    /** Milliseconds a call may take. */
    skiffPatience?: number;
    /** What random.ts draws from. */
    skiffSeed?: number;
  }
}

/** Start the learner's module in a sandbox of its own. Costs about 100 ms: once per suite (`beforeAll`) is usual. */
export async function openSubject(options: SubjectOptions = {}): Promise<Subject> {
  const module = inject('skiffModule') ?? (await moduleFor(subjectFile()));
  return LiveSubject.open(module, {
    uid: options.uid ?? 'root',
    noNewPrivileges: options.noNewPrivileges,
    cgroups: options.cgroups,
    prepare: options.prepare,
    patience: options.patience ?? inject('skiffPatience') ?? 5_000,
  });
}

function subjectFile(): { folder: string; file: string } {
  const suite = expect.getState().testPath;
  if (suite === undefined) throw new Error('openSubject() belongs in a test or in beforeAll.');
  const folder = path.dirname(suite);
  const file = process.env.SKIFF_SUBJECT;
  return {
    folder,
    file: file ? path.resolve(home, file) : path.join(folder, path.basename(suite).replace(/\.test\.ts$/, '.ts')),
  };
}

/** Make a FIFO that the subject can read and write. @param directory `outside` of a workDir. */
export { makeFifo, tell } from './fifo.ts';
export { infrastructure, unsupported } from './outcome-errors.ts';

/** Whether `file` is there, without following a link that the subject may have put there. */
export function exists(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}
