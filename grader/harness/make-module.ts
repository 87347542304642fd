/** The folder with what a subject loads: written by the judge, copied into each sandbox. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { LabFolder } from '../lab.ts';
import { bundleModule, bundleOwn, type ModuleFiles } from './bundle.ts';
import type { Session } from './session.ts';
import { SESSION_PREFIX } from './session-paths.ts';

/** A learner's text, or the path of a module of this clone's own. */
export type ModuleSource = { text: string } | { own: string };

/**
 * Bundle a module and its driver.
 * @param session where the text is compiled; null without sandboxes.
 * @returns a new folder with `plank.cjs`, `driver.cjs` and `shared.cjs`. @throws Refused
 */
export async function makeModule(lab: LabFolder, source: ModuleSource, session: Session | null): Promise<string> {
  return writeModule(await ('own' in source ? bundleOwn(lab, source.own) : bundleModule(lab, source.text, session)));
}

export const MODULE_FILES = ['plank', 'driver', 'shared'] as const;

/** @returns a new folder. */
export function writeModule(made: ModuleFiles): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `${SESSION_PREFIX}${process.pid}-module-`));
  for (const name of MODULE_FILES) fs.writeFileSync(path.join(folder, `${name}.cjs`), made[name]);
  return folder;
}
