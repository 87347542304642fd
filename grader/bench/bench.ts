/**
 * The benchmark: `npm run bench [-- --only NAME] [--json] [--rounds N]`. Prints each figure of budgets.md, the other
 * engines' in the same run, the ratio, the budget and whether it holds. Fails no test: it exits 0 when it could measure.
 */

import { mkdtempSync } from 'node:fs';
import { arch, cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { useUnpackedTools } from '../harness/unpacked-tools.ts';
import { Engines } from './engines/engines.ts';
import type { Figure, Result } from './figure.ts';
import { builds } from './figures/build.ts';
import { churn } from './figures/churn.ts';
import { commit } from './figures/commit.ts';
import { dockerCli } from './figures/docker-cli.ts';
import { exec } from './figures/exec.ts';
import { layers } from './figures/layers.ts';
import { lifecycle } from './figures/lifecycle.ts';
import { load } from './figures/load.ts';
import { memory } from './figures/memory.ts';
import { runtime } from './figures/runtime.ts';
import { start } from './figures/start.ts';
import { watch } from './figures/watch.ts';
import { writers } from './figures/writers.ts';
import { describeResult } from './report.ts';

useUnpackedTools();

const FIGURES: Figure[] = [
  start,
  lifecycle,
  exec,
  writers,
  dockerCli,
  layers,
  load,
  commit,
  builds,
  churn,
  memory,
  runtime,
  watch,
];

interface Options {
  only?: string[];
  json?: boolean;
  rounds: number;
}

async function measure(figure: Figure, engines: Engines, rounds: number): Promise<Result[]> {
  const progress = (text: string): void => void process.stderr.write(`  ${figure.name}: ${text}\n`);
  try {
    return await figure.run({ engines, progress, rounds });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ title: figure.title, unit: 'ms', ours: null, reason, comparisons: [] }];
  }
}

/** What the numbers were taken on. A load above the number of cores makes them rough; ratios suffer less than times. */
function machine(): { kernel: string; arch: string; node: string; cores: number; load: number } {
  return { kernel: release(), arch: arch(), node: process.version, cores: cpus().length, load: loadavg()[0]! };
}

async function main({ only, json, rounds }: Options): Promise<void> {
  const figures = only === undefined ? FIGURES : FIGURES.filter(({ name }) => only.includes(name));
  const engines = new Engines(mkdtempSync(join(tmpdir(), 'skiff-bench-')));
  const interrupted = (): void => {
    process.stderr.write('bench: interrupted, cleaning up\n');
    engines.stop().finally(() => process.exit(130));
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupted);
  const before = machine();
  if (!json) {
    const load = `load ${before.load.toFixed(1)}${before.load > before.cores / 2 ? ' (busy: read ratios, not times)' : ''}`;
    console.log(`Linux ${before.kernel} ${before.arch}, Node ${before.node}, ${before.cores} cores, ${load}\n`);
  }
  const all: Record<string, Result[]> = {};
  try {
    for (const figure of figures) {
      const results = await measure(figure, engines, rounds);
      all[figure.name] = results;
      if (!json) console.log(`${figure.title} [${figure.name}]\n${results.map(describeResult).join('\n')}\n`);
    }
  } finally {
    await engines.stop();
  }
  if (json) console.log(JSON.stringify({ machine: before, figures: all }, null, 2));
  process.exitCode = Object.values(all)
    .flat()
    .some(({ ours }) => ours !== null)
    ? 0
    : 1;
}

function figureName(name: string, before: string[] = []): string[] {
  const names = FIGURES.map((figure) => figure.name);
  if (!names.includes(name)) throw new InvalidArgumentError(`The figures are: ${names.join(', ')}.`);
  return [...before, name];
}

function count(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1) throw new InvalidArgumentError('A whole number from 1 is wanted.');
  return rounds;
}

const program = new Command('bench')
  .option('--only <name>', `one figure; may be repeated (${FIGURES.map(({ name }) => name).join(', ')})`, figureName)
  .option('--json', 'the results as one JSON document')
  .option('--rounds <count>', 'how often what is small is measured', count, 200)
  .action(main);
await program.parseAsync();
