/** A correct module gets full marks in whatever style it is written: guard.ts and the compiler are not in the way. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readLabs } from '../lab.ts';
import { home } from './home.ts';
import { Judge } from './judge-client.ts';
import { runLab } from './run-lab.ts';

const styles = path.join(home, 'grader/harness/testdata/styles');
const lab = readLabs(home).find(({ id }) => id === 'what-is-a-container')!;
const solution = fs.readFileSync(path.join(home, 'solutions/00-what-is-a-container/membership.ts'), 'utf8');
const judge = new Judge();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-styles-'));

afterAll(async () => {
  await judge[Symbol.asyncDispose]();
  fs.rmSync(folder, { recursive: true });
});

test.each(fs.readdirSync(styles))('%s before the solution', async (name) => {
  const file = path.join(folder, name);
  fs.writeFileSync(file, `${fs.readFileSync(path.join(styles, name), 'utf8')}\n${solution}`);
  const report = await runLab({ lab, file, judge, patience: 60_000 });
  const failed = report.tasks.flatMap(({ tests }) => tests.filter(({ outcome }) => outcome !== 'passed'));
  expect(failed.map(({ title, message }) => `${title}: ${message}`)).toEqual([]);
});
