/** The seeded wrong answers, by the test that finds each out: what a failure of that test most likely is. */

import fs from 'node:fs';
import path from 'node:path';
import { home } from '../harness/home.ts';
import type { LabFolder } from '../lab.ts';

/** @returns names of mistakes by the title of a test; empty in a copy of the course without solutions. */
export function mistakesOf({ folder }: LabFolder): Map<string, string[]> {
  const wrong = path.join(home, 'solutions', path.basename(folder), 'wrong');
  const byTest = new Map<string, string[]>();
  if (!fs.existsSync(wrong)) return byTest;
  for (const file of fs.readdirSync(wrong).sort()) {
    const [first = ''] = fs.readFileSync(path.join(wrong, file), 'utf8').split('\n', 1);
    const title = /killed by: (.+)$/.exec(first)?.[1];
    if (title === undefined) continue;
    const mistake = path.parse(file).name.replaceAll('-', ' ');
    byTest.set(title, [...(byTest.get(title) ?? []), mistake]);
  }
  return byTest;
}
