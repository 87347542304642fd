/** The checks are checked: each lab is judged on files whose verdict is known beforehand. */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { home } from '../harness/home.ts';
import { Judge } from '../harness/judge-client.ts';
import { runLab } from '../harness/run-lab.ts';
import type { LabFolder } from '../lab.ts';
import type { LabReport, Outcome } from '../report.ts';
import { proofPage } from './table.ts';
import { allVariants } from './variants.ts';

const run = promisify(execFile);

/** Judging is work for one core; two judges keep the usual machine busy and no busier. */
const judges = [new Judge(), new Judge()];
vi.setConfig({ maxConcurrency: judges.length, testTimeout: 120_000 });
const idle = [...judges];
const waiting: ((judge: Judge) => void)[] = [];

afterAll(async () => {
  for (const judge of judges) await judge[Symbol.asyncDispose]();
});

async function judged(lab: LabFolder, file: string, own = false): Promise<LabReport> {
  const judge = idle.pop() ?? (await new Promise<Judge>((resolve) => waiting.push(resolve)));
  try {
    return await runLab({ lab, file, own, judge });
  } finally {
    const next = waiting.shift();
    if (next === undefined) idle.push(judge);
    else next(judge);
  }
}

/** Every test of lab.json with its outcome; with the message of each that is not what it should be. */
function outcomes(report: LabReport, expected: Outcome): Record<string, string> {
  const tests = report.tasks.flatMap(({ tests }) => tests);
  return Object.fromEntries(
    tests.map(({ title, outcome, message }) => [title, outcome === expected ? outcome : `${outcome}: ${message}`]),
  );
}

function all(lab: LabFolder, outcome: Outcome): Record<string, string> {
  return Object.fromEntries(lab.tasks.flatMap(({ tests }) => tests.map((title) => [title, outcome])));
}

const variants = allVariants();

describe.concurrent.each(variants)('lab $lab.id', ({ lab, starter, solution, engine, wrong }) => {
  test('the untouched starter fails every graded test', async () => {
    expect(outcomes(await judged(lab, starter), 'failed')).toEqual(all(lab, 'failed'));
  });

  test('the solution passes', async () => {
    expect(outcomes(await judged(lab, solution), 'passed')).toEqual(all(lab, 'passed'));
  });

  test('the solution passes again', async () => {
    expect(outcomes(await judged(lab, solution), 'passed')).toEqual(all(lab, 'passed'));
  });

  test("the engine's own module passes", async () => {
    expect(outcomes(await judged(lab, engine, true), 'passed')).toEqual(all(lab, 'passed'));
  });

  test('with the solution swapped in, the engine still runs a container', async () => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-proof-'));
    const condition = `solution-${lab.id}`;
    await run(process.execPath, [path.join(home, 'engine/build.mjs'), '--conditions', condition]);
    const skiff = (...args: string[]) =>
      run(process.execPath, [path.join(home, '.build', condition, 'skiff.cjs'), '--root', root, ...args]);
    try {
      const { stdout } = await skiff('run', '--rm', '--network', 'none', 'hostbox', 'sh', '-c', 'echo afloat in $$');
      expect(stdout).toBe('afloat in 1\n');
    } finally {
      await skiff('daemon', 'stop');
      fs.rmSync(root, { recursive: true, force: true });
    }
  });

  test.each(wrong)('the wrong answer $name is found out by "$killedBy"', async ({ file, killedBy }) => {
    const report = await judged(lab, file);
    const tests = report.tasks.flatMap(({ tests }) => tests);
    const killer = tests.find(({ title }) => title === killedBy);
    expect(killer?.outcome).toBe('failed');
    // A file that cannot be loaded is wrong about everything, and so proves nothing about this one test.
    expect(killer?.message).not.toMatch(/while it is loaded|does not compile|is refused/);
  });
});

test('docs/proof.md says what is proved here', () => {
  const page = fs.readFileSync(path.join(home, 'docs/proof.md'), 'utf8');
  expect(page, 'write it anew: npx tsx grader/proof/write.ts').toBe(proofPage(variants));
});
