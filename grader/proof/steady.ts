/**
 * `npm run steady [-- LAB…] [--rounds N] [--burners N]`: judge what has to pass (or, with --wrong, to fail) again and
 * again, with other inputs each time, while other programs use up the processors. What gets another verdict is printed.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { Command, InvalidArgumentError } from 'commander';
import { Judge } from '../harness/judge-client.ts';
import { runLab } from '../harness/run-lab.ts';
import { narrowed, titlesOf } from '../lab.ts';
import type { LabReport } from '../report.ts';
import { allVariants, type Variants } from './variants.ts';
import { writtenTo } from './written.ts';

interface Options {
  rounds: number;
  burners: number;
  variants: boolean;
  wrong: boolean;
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new InvalidArgumentError('Write a whole number, e.g. 20.');
  return number;
}

/** Processes that never sleep. */
function burn(burners: number): ChildProcess[] {
  return Array.from({ length: burners }, () => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
}

interface Case {
  name: string;
  /** What every test of the report has to say. */
  outcome: 'passed' | 'failed';
  judge(judge: Judge): Promise<LabReport>;
}

function casesOf({ lab, solution, correct, wrong }: Variants, round: number, options: Options): Case[] {
  if (options.wrong)
    return wrong.map(({ name, source, killedBy }) => ({
      name: `wrong answer ${name} of ${lab.id}`,
      outcome: 'failed',
      judge: (judge) => {
        const killer = narrowed(lab, (title) => title === killedBy);
        return writtenTo(lab, source(), (file) => runLab({ lab: killer, file, judge }));
      },
    }));
  const cases: Case[] = [
    { name: `solution of ${lab.id}`, outcome: 'passed', judge: (judge) => runLab({ lab, file: solution, judge }) },
  ];
  const whole = correct.filter(({ passes }) => passes.length === titlesOf(lab).length);
  const variant = whole[round % Math.max(1, whole.length)];
  if (options.variants && variant !== undefined)
    cases.push({
      name: `variant ${variant.name} of ${lab.id}`,
      outcome: 'passed',
      judge: (judge) => writtenTo(lab, variant.source(), (file) => runLab({ lab, file, judge })),
    });
  return cases;
}

/** @returns a line for each test that says something else. */
function differences({ name, outcome: expected }: Case, { seed, tasks }: LabReport): string[] {
  const tests = tasks.flatMap((task) => task.tests).filter(({ outcome }) => outcome !== expected);
  return tests.map(({ title, outcome, message }) => `${name}, seed ${seed}: ${outcome}: ${title}\n      ${message}`);
}

async function steady(ids: string[], options: Options): Promise<void> {
  const { rounds, burners } = options;
  const labs = allVariants().filter(
    ({ lab }) => ids.length === 0 || ids.includes(lab.id) || ids.includes(`${lab.number}`),
  );
  if (labs.length === 0) throw new Error(`Unknown lab: ${ids.join(', ')}. ./workshop map names them.`);
  const burning = burn(burners);
  let [runs, differing] = [0, 0];
  try {
    await using judge = new Judge();
    for (let round = 0; round < rounds; round++) {
      for (const known of labs)
        for (const each of casesOf(known, round, options)) {
          const found = differences(each, await each.judge(judge));
          runs += 1;
          if (found.length > 0) differing += 1;
          for (const line of found) process.stdout.write(`  ${line}\n`);
        }
      process.stderr.write(`round ${round + 1} of ${rounds}: ${runs} runs, ${differing} with another verdict\n`);
    }
  } finally {
    for (const burner of burning) burner.kill('SIGKILL');
  }
  process.stdout.write(`${runs} runs beside ${burners} burners, ${differing} with another verdict\n`);
  process.exitCode = differing === 0 ? 0 : 1;
}

await new Command('steady')
  .description('Judge solutions again and again beside programs that use up the processors.')
  .argument('[labs...]', 'ids or numbers; all labs if absent')
  .option('--rounds <n>', 'how often each lab is judged', count, 20)
  .option('--burners <n>', 'programs that use up a processor each', count, 2)
  .option('--no-variants', 'only the solutions, and not a correct variant of each as well')
  .option('--wrong', 'the wrong answers instead, each by the test that has to find it out')
  .addHelpText(
    'after',
    '\nExamples:\n  npm run steady\n  npm run steady -- process exec --rounds 5\n  npm run steady -- --wrong --rounds 3\n',
  )
  .action(steady)
  .parseAsync();
