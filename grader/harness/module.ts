/** The module of a suite that runs by itself (`npx vitest run labs/…`). */

import fs from 'node:fs';
import path from 'node:path';
import { inject } from 'vitest';
import { readLab } from '../lab.ts';
import { bundleModule, type ModuleFiles, readLearnerFile } from './bundle.ts';
import { currentSession } from './current-session.ts';
import { writeModule } from './make-module.ts';
import { Refused } from './refused.ts';

const made = new Map<string, Promise<string>>();

/** @returns the folder of what the subject loads, made once per worker. */
export function moduleFor({ folder, file }: { folder: string; file: string }): Promise<string> {
  const key = `${folder}\0${file}`;
  const module = made.get(key) ?? makeFor(folder, file);
  made.set(key, module);
  return module;
}

/** @returns the folder; for a module that is refused, of one that throws the refusal. */
async function makeFor(folder: string, file: string): Promise<string> {
  const module = await filesOf(folder, file);
  const target = writeModule(module);
  process.once('exit', () => fs.rmSync(target, { recursive: true, force: true }));
  process.once('SIGTERM', () => process.exit(143));
  return target;
}

async function filesOf(folder: string, file: string): Promise<ModuleFiles> {
  try {
    const text = readLearnerFile(path.dirname(file), path.basename(file));
    const session = inject('skiffNoSandbox') === undefined ? await currentSession() : null;
    return await bundleModule({ ...readLab(folder), folder }, text, session);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const plank = `throw Object.assign(new Error(${JSON.stringify(error.message)}), {name: 'Refused'})`;
    return { plank, driver: 'module.exports = {};', shared: 'module.exports = {};' };
  }
}
