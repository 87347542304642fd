/** `npm run mutate -- LAB…`: judge mutants of the solutions, and write what became of them to mutation.json. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { setup } from '../harness/build-once.ts';
import { Judge } from '../harness/judge-client.ts';
import { runLab } from '../harness/run-lab.ts';
import { type LabFolder, narrowed, titlesOf } from '../lab.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import {
  digestOf,
  equivalents,
  type LabMutation,
  readMutation,
  type Survivor,
  score,
  writeMutation,
} from './mutation-results.ts';
import { allVariants, type Variants } from './variants.ts';

interface Options {
  share: number;
  seed?: number;
  survivors?: boolean;
  fresh?: boolean;
}

const program = new Command('npm run mutate --')
  .description('Judge mutants of the solutions: copies with one change. A mutant that passes shows a gap in a suite.')
  .argument('[labs...]', 'ids or numbers of labs; all if absent')
  .option('--share <number>', 'how many mutants of each lab to judge', whole, 40)
  .option('--seed <number>', 'draw another sample', whole)
  .option('--survivors', 'judge those again that survived and are open')
  .option('--fresh', 'forget what was judged before')
  .addHelpText(
    'after',
    '\nA run goes on where an earlier one of the same solution and seed has ended. Results are kept in' +
      '\ngrader/proof/mutation.json after each mutant. Write a verdict to each survivor there, then: npm run proof' +
      '\nThe texts of the mutants are in .build/mutants/LAB/.' +
      '\n\nExamples:\n  npm run mutate -- store --share 1000\n  npm run mutate -- 7 8 --survivors',
  )
  .action(mutate);

function whole(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}

async function mutate(typed: string[], options: Options): Promise<void> {
  setup();
  const all = allVariants();
  const unknown = typed.find((name) => !all.some(({ lab }) => isNamed(lab, name)));
  if (unknown !== undefined)
    program.error(`Unknown lab "${unknown}". The labs are ${all.map(({ lab }) => lab.id).join(', ')}.`);
  await using judge = new Judge();
  for (const variants of all)
    if (typed.length === 0 || typed.some((name) => isNamed(variants.lab, name)))
      await mutateLab(variants, options, judge);
}

function isNamed({ id, number }: LabFolder, name: string): boolean {
  return id === name || (/^\d+$/.test(name) && number === Number(name));
}

async function mutateLab({ lab, solution, starter }: Variants, options: Options, judge: Judge): Promise<void> {
  const ids = allVariants().map(({ lab }) => lab.id);
  const before = readMutation()[lab.id];
  const digest = digestOf(solution);
  const seed = options.seed ?? before?.seed ?? 1;
  const mutants = await mutantsOf(lab, solution, starter, seed);
  const goesOn = before !== undefined && before.solution === digest && before.seed === seed && !options.fresh;
  const empty = { solution: digest, seed, mutants: mutants.length, judged: 0, killed: 0, timeouts: 0, survivors: [] };
  const now: LabMutation = goesOn ? { ...before, mutants: mutants.length } : empty;
  const again = options.survivors
    ? mutants.filter((mutant) => now.survivors.some((each) => each.verdict.startsWith('open') && isOf(each, mutant)))
    : [];
  const sample = options.survivors ? again : mutants.slice(now.judged, options.share);
  if (sample.length > 0) {
    const tests = await passedBySolution(lab, solution, judge);
    for (const [index, mutant] of sample.entries()) {
      const start = performance.now();
      const death = await killed(mutant, tests, judge);
      if (options.survivors) now.survivors = now.survivors.filter((each) => !isOf(each, mutant));
      else now.judged++;
      if (death === null) {
        const verdict = earlier(before?.survivors ?? [], mutant);
        const { place, line, mutator, original, replacement } = mutant;
        now.survivors.push({ place, line, mutator, original, replacement, verdict });
      } else {
        now.killed++;
        if (death.timeout) now.timeouts++;
      }
      writeMutation({ ...readMutation(), [lab.id]: now }, ids);
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(
        `${lab.id} ${index + 1}/${sample.length} ${seconds} s  line ${mutant.line}: ${mutant.original} → ${mutant.replacement}\n` +
          `    ${death === null ? `SURVIVED: ${path.relative('', mutant.file)}` : `${death.timeout ? 'timeout' : 'killed'} by ${death.title}`}`,
      );
    }
  }
  console.log(
    `${lab.id}: ${now.killed} of ${now.judged} judged were killed, ${equivalents(now)} are equivalent: ${score(now)} %. ` +
      `There are ${now.mutants} mutants.`,
  );
}

/** The lines of another solution may have moved. */
function earlier(survivors: Survivor[], mutant: Mutant): Survivor['verdict'] {
  const alike = survivors.filter((each) => isAlike(each, mutant));
  return (alike.find(({ line }) => line === mutant.line) ?? alike[0])?.verdict ?? 'open';
}

function isOf(survivor: Survivor, mutant: Mutant): boolean {
  return survivor.line === mutant.line && isAlike(survivor, mutant);
}

function isAlike(survivor: Survivor, mutant: Mutant): boolean {
  return (['place', 'mutator', 'original', 'replacement'] as const).every((key) => survivor[key] === mutant[key]);
}

/** The lab with the tests that can be told here. @throws Error if the solution fails one. */
async function passedBySolution(lab: LabFolder, solution: string, judge: Judge): Promise<LabFolder> {
  const { tasks } = await runLab({ lab, file: solution, judge });
  const tests = tasks.flatMap(({ tests }) => tests);
  const red = tests.find(({ outcome }) => outcome !== 'passed' && outcome !== 'unsupported');
  if (red !== undefined) throw new Error(`The solution of ${lab.id} does not pass "${red.title}": ${red.message}`);
  const passed = new Set(tests.filter(({ outcome }) => outcome === 'passed').map(({ title }) => title));
  return narrowed(lab, (title) => passed.has(title));
}

interface Death {
  title: string;
  timeout: boolean;
}

/** First by the tests of its own tasks, which are most likely to know. */
async function killed(mutant: Mutant, lab: LabFolder, judge: Judge): Promise<Death | null> {
  const isOwn = (_: string, task: number) => mutant.tasks.includes(task);
  const parts = [narrowed(lab, isOwn), narrowed(lab, (title, task) => !isOwn(title, task))];
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-mutant-'));
  try {
    const file = path.join(folder, `${lab.module}.ts`);
    fs.writeFileSync(file, mutant.text);
    for (const part of parts.filter((part) => titlesOf(part).length > 0)) {
      const { tasks } = await runLab({ lab: part, file, judge, untilRed: true });
      const tests = tasks.flatMap(({ tests }) => tests);
      // The solution passes all of them here, so an error of the harness is of this mutant's making.
      const red = tests.find(
        ({ outcome, message = '' }) => /^(failed|error|unsupported)$/.test(outcome) && !UNRUN.test(message),
      );
      const late = tests.find(({ outcome }) => outcome === 'failed');
      const found = red ?? late;
      if (found !== undefined) return { title: found.title, timeout: LATE.test(found.message ?? '') };
    }
    return null;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const UNRUN = /^The suite did not run/;
const LATE = /did not return|was not over in time|Timeout|timed out|was not tried/;

await program.parseAsync();
