/** The checks are checked: each lab is judged on files whose verdict is known beforehand. */

import fs from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { home } from '../harness/home.ts';
import { Judge } from '../harness/judge-client.ts';
import { runLab } from '../harness/run-lab.ts';
import { type LabFolder, narrowed, titlesOf } from '../lab.ts';
import type { LabReport, Outcome } from '../report.ts';
import { staysAfloat } from './afloat.ts';
import { idleModules } from './idle-modules.ts';
import { readMutation } from './mutation-results.ts';
import { proofPage } from './table.ts';
import { allVariants } from './variants.ts';
import { writtenTo } from './written.ts';

const everything = process.env.SKIFF_PROOF === 'all';

/** Judging is work for one core, and some of it is waiting: three judges keep two cores busy. */
const judges = [new Judge(), new Judge(), new Judge()];
vi.setConfig({ maxConcurrency: judges.length, testTimeout: 600_000 });
const idle = [...judges];
const waiting: ((judge: Judge) => void)[] = [];

afterAll(async () => {
  for (const judge of judges) await judge[Symbol.asyncDispose]();
});

/** A run in CI draws the same inputs every time; SKIFF_PROOF=all and `npm run steady` draw others. */
const seed = everything ? undefined : 1;

interface Judged {
  file?: string;
  /** Text of a module instead of a file. */
  source?: string;
  own?: boolean;
}

async function judged(lab: LabFolder, { file, source, own = false }: Judged): Promise<LabReport> {
  const judge = idle.pop() ?? (await new Promise<Judge>((resolve) => waiting.push(resolve)));
  try {
    if (source === undefined) return await runLab({ lab, file: file!, own, seed, judge });
    return await writtenTo(lab, source, (written) => runLab({ lab, file: written, own, seed, judge }));
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
  return Object.fromEntries(titlesOf(lab).map((title) => [title, outcome]));
}

const variants = allVariants();

/** A run of all checks proves this many of each lab's, the same ones every time; SKIFF_PROOF=all proves every one. */
const SHARE = { wrong: 20, correct: 2, idle: 1 };

/** Evenly over the list, which is in the order of the names. */
function shareOf<T>(items: T[], kind: keyof typeof SHARE): T[] {
  const most = SHARE[kind];
  if (everything || items.length <= most) return items;
  return Array.from({ length: most }, (_, index) => items[Math.floor((index * items.length) / most)]!);
}

describe.concurrent.each(variants)('lab $lab.id', ({ lab, starter, solution, engine, wrong, correct }) => {
  test('the untouched starter fails every graded test', async () => {
    expect(outcomes(await judged(lab, { file: starter }), 'failed')).toEqual(all(lab, 'failed'));
  });

  test('the solution passes', async () => {
    expect(outcomes(await judged(lab, { file: solution }), 'passed')).toEqual(all(lab, 'passed'));
  });

  test("the engine's own module passes", async () => {
    expect(outcomes(await judged(lab, { file: engine, own: true }), 'passed')).toEqual(all(lab, 'passed'));
  });

  test('with the solution swapped in, the engine stays afloat', async () => {
    await staysAfloat(lab);
  });

  test.each(shareOf(idleModules(solution), 'idle'))(
    'functions that do nothing ($name) earn no point',
    async ({ source }) => {
      expect(outcomes(await judged(lab, { source }), 'failed')).toEqual(all(lab, 'failed'));
    },
  );

  test.each(shareOf(wrong, 'wrong'))(
    'the wrong answer $name is found out by "$killedBy"',
    async ({ source, killedBy }) => {
      const report = await judged(
        narrowed(lab, (title) => title === killedBy),
        { source: source() },
      );
      const killer = report.tasks[0]!.tests[0]!;
      expect(killer.outcome, killer.message).toBe('failed');
      // A file that cannot be loaded is wrong about everything, and so proves nothing about this one test.
      expect(killer.message).not.toMatch(
        /throws while it is loaded|does not compile|the import of|not writ|Hook timed out|did not start/,
      );
    },
  );

  if (correct.length > 0)
    test.each(shareOf(correct, 'correct'))('the correct variant $name passes', async ({ source, passes }) => {
      const tested = narrowed(lab, (title) => passes.includes(title));
      expect(outcomes(await judged(tested, { source: source() }), 'passed')).toEqual(all(tested, 'passed'));
    });
});

test('docs/proof.md says what is proved here', () => {
  const page = fs.readFileSync(path.join(home, 'docs/proof.md'), 'utf8');
  expect(page, 'write it anew: npx tsx grader/proof/write.ts').toBe(proofPage(variants, readMutation()));
});
