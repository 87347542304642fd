/** `workshop test`: every check there is, and one line that says how they ended. */

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { home } from '../home.ts';
import { setUpPackages } from '../setup.ts';
import { paint, say } from '../terminal.ts';
import { provideDocker } from '../unpacked-docker.ts';
import { tallyReporter } from './reporter.ts';
import { emptyTally, type Tally, tallyLine } from './tally.ts';

/** Of what a tool complains about; the rest is one run of that tool away. */
const DETAIL_LINES = 80;
/** Of what is said about one failed test. */
const FAILURE_LINES = 40;
const SLOWEST = 10;

/** @param filters only test files whose path has one of these in it; lint and types are checked all the same. */
export async function runEveryCheck(filters: string[], { install }: { install: boolean }): Promise<void> {
  await setUpPackages({ install, tests: true });
  provideDocker({ install });
  const tally = emptyTally();
  checkWith(tally, 'lint', '@biomejs/biome/bin/biome', ['check', '.', '--diagnostic-level=error']);
  checkWith(tally, 'typecheck', 'typescript/bin/tsc', ['--noEmit']);
  checkWith(tally, 'dead code', 'knip/bin/knip.js', ['--no-progress', '--no-config-hints']);
  await runVitest(tally, filters);
  sayTally(tally);
  // Whatever a test may have left open must not keep the verdict from its reader.
  process.stdout.write(`${tallyLine(tally)}\n`, () => process.exit(tally.failures.length === 0 ? 0 : 1));
}

/** A tool that says with its exit code whether all is well, counted as one check. */
function checkWith(tally: Tally, title: string, script: string, args: string[]): void {
  const started = Date.now();
  const child = spawnSync(process.execPath, [path.join(home, 'node_modules', script), ...args], {
    cwd: home,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const good = child.status === 0;
  if (good) tally.passed += 1;
  else
    tally.failures.push({
      title,
      detail: firstLines(`${child.stdout}${child.stderr}`.trim(), DETAIL_LINES) || String(child.error ?? child.signal),
    });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  say(`  ${good ? paint.green('✔') : paint.red('✘')} ${title} ${paint.dim(`(${seconds} s)`)}`);
}

function firstLines(text: string, most: number): string {
  const lines = text.split('\n');
  return lines.length <= most ? text : [...lines.slice(0, most), `… ${lines.length - most} more lines`].join('\n');
}

async function runVitest(tally: Tally, filters: string[]): Promise<void> {
  const { startVitest } = await import('vitest/node');
  const before = tally.passed + tally.failures.length + tally.skipped.length;
  try {
    const vitest = await startVitest('test', filters, {
      root: home,
      watch: false,
      reporters: [tallyReporter(tally)],
    });
    await vitest?.close();
  } catch (error) {
    tally.failures.push({ title: 'vitest', detail: (error as Error).stack ?? String(error) });
  }
  if (tally.passed + tally.failures.length + tally.skipped.length === before) {
    tally.failures.push({
      title: 'vitest',
      detail: `No test ran${filters.length > 0 ? ` for ${filters.join(' ')}` : ''}.`,
    });
  }
  // Vitest leaves its own verdict here; ours also counts lint and types.
  process.exitCode = 0;
}

function sayTally({ failures, skipped, files }: Tally): void {
  const slowest = [...files].sort((one, other) => other.seconds - one.seconds).slice(0, SLOWEST);
  if (slowest.length > 1) {
    say(`\n${paint.bold('The slowest files')}`);
    for (const { name, seconds } of slowest) say(`  ${seconds.toFixed(1).padStart(7)} s ${name}`);
  }
  if (skipped.length > 0) {
    say(`\n${paint.bold('Skipped')}`);
    for (const { title, reason } of skipped) say(`  ${paint.yellow('–')} ${title}\n      ${reason}`);
  }
  if (failures.length > 0) {
    say(`\n${paint.bold('Failed')}`);
    for (const { title, detail } of failures) {
      say(`  ${paint.red('✘')} ${title}\n${firstLines(detail, FAILURE_LINES).replace(/^/gm, '      ')}\n`);
    }
    // Once more together: what is above may be cut where it is read.
    if (failures.length > 1) for (const { title } of failures) say(`  ${paint.red('✘')} ${title}`);
  }
  say();
}
