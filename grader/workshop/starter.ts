/** The untouched starter of a lab, found again after the learner has written over it. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { home, shortPath } from './home.ts';
import type { CourseLab } from './labs.ts';

/** Whether every exported function of this text still throws NotImplemented. */
export function isStarter(text: string): boolean {
  const functions = text.match(/^export (async )?function /gm)?.length ?? 0;
  const stubs = text.match(/\bthrow new NotImplemented\(/g)?.length ?? 0;
  return functions > 0 && stubs >= functions;
}

/**
 * Whether the file is the starter to the letter. One that only looks like it (a stub kept as a comment, a helper written
 * before the first task) is the learner's work.
 */
export function isUntouched(lab: CourseLab): boolean {
  try {
    return fs.readFileSync(lab.file, 'utf8') === starterOf(lab);
  } catch {
    return false;
  }
}

/** Whether the file is the solution to the letter, as `catch-up` puts it in. */
export function isSolution(lab: Pick<CourseLab, 'file' | 'solution'>): boolean {
  try {
    return fs.readFileSync(lab.file, 'utf8') === fs.readFileSync(lab.solution, 'utf8');
  } catch {
    return false;
  }
}

/** The newest version in the history that is a starter; undefined when there is no history or none is. */
export function starterOf(lab: CourseLab): string | undefined {
  const file = shortPath(lab.file);
  for (const commit of git('log', '--format=%H', '--', file)?.split('\n').filter(Boolean) ?? []) {
    const text = git('show', `${commit}:${file}`);
    if (text !== undefined && isStarter(text)) return text;
  }
  return undefined;
}

/** What git prints, run in the clone; undefined when it fails or is missing. */
export function git(...args: string[]): string | undefined {
  const child = spawnSync('git', ['-C', home, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return child.status === 0 ? child.stdout : undefined;
}
