/** The bundled module of a suite that runs by itself (`npx vitest run labs/…`): made once per worker. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readLab } from '../lab.ts';
import { bundleModule, readLearnerFile } from './bundle.ts';
import { Refused } from './refused.ts';

const made = new Map<string, Promise<string>>();

/** @returns JavaScript for the subject to load; for a module that is refused, one that throws the refusal. */
export function moduleFor({ folder, file }: { folder: string; file: string }): Promise<string> {
  const key = `${folder}\0${file}`;
  const module = made.get(key) ?? write(folder, file);
  made.set(key, module);
  return module;
}

async function write(folder: string, file: string): Promise<string> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-module-'));
  process.once('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
  process.once('SIGTERM', () => process.exit(143));
  const target = path.join(directory, 'module.cjs');
  fs.writeFileSync(target, await code(folder, file));
  return target;
}

async function code(folder: string, file: string): Promise<string> {
  try {
    return await bundleModule({ ...readLab(folder), folder }, readLearnerFile(path.dirname(file), path.basename(file)));
  } catch (error) {
    if (error instanceof Refused)
      return `throw Object.assign(new Error(${JSON.stringify(error.message)}), {name: 'Refused'})`;
    throw error;
  }
}
