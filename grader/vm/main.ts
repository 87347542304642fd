/**
 * The cgroup v2 lane: runs tests, or any command, in a virtual machine with a pure cgroup v2.
 *
 *     tsx grader/vm/main.ts                          every test file with `.cgroup` in its name
 *     tsx grader/vm/main.ts -- engine/runtime        what `vitest run engine/runtime` would run
 *     tsx grader/vm/main.ts --command 'uname -a'     a shell command instead of tests
 */

import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { runInVm, VmFailed, type VmResult } from './boot.ts';
import { countTests, tallyLine } from './tally.ts';
import { VmUnavailable } from './unavailable.ts';

const REPOSITORY = dirname(dirname(import.meta.dirname));

/** Emulation makes everything 5 to 20 times slower, so what is a hang elsewhere is patience here. */
const VITEST = 'node node_modules/vitest/vitest.mjs run --maxWorkers=2 --testTimeout=60000 --hookTimeout=60000';

interface Options {
  command?: string;
  timeout: number;
  memory: number;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Built outside, where it is quick; the guest sees the result. What does not build will say so itself when it is run. */
function build(): void {
  spawnSync(process.execPath, [join(REPOSITORY, 'engine', 'build.mjs')], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function boot(command: string, options: Options, signal: AbortSignal): Promise<VmResult> {
  return runInVm({
    command,
    signal,
    env: { NO_COLOR: '1', CI: 'true', SKIFF_VM: '1' },
    timeoutMs: options.timeout * 1000,
    memoryMiB: options.memory,
    onOutput: (chunk) => process.stdout.write(chunk),
    onReady: () => process.stderr.write('vm: booted, running the command\n'),
  });
}

async function main(words: string[], options: Options): Promise<number> {
  const tests = options.command === undefined;
  const selection = words.length > 0 ? words : ['.cgroup'];
  const command = options.command ?? `${VITEST} ${selection.map(quoted).join(' ')}`;
  build();
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupted.abort());
  try {
    const result = await boot(command, options, interrupted.signal);
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
    process.stderr.write(
      `vm: Linux ${result.guestKernel}, booted in ${seconds(result.bootMs)}, ${seconds(result.totalMs)} in all, exit ${result.exitCode}\n`,
    );
    if (tests) console.log(tallyLine(countTests(result.output, result.exitCode)));
    return result.exitCode;
  } catch (error) {
    if (error instanceof VmUnavailable) {
      console.log(`vm: skipped: ${error.message}`);
      if (tests) console.log(tallyLine({ passed: 0, failed: 0, skipped: 1 }));
      return 0;
    }
    if (!(error instanceof VmFailed)) throw error;
    process.stderr.write(`vm: ${error.message}\n`);
    if (tests) console.log(tallyLine({ ...countTests(error.output, 1) }));
    return 1;
  }
}

function atLeast(smallest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < smallest) {
      throw new InvalidArgumentError(`A whole number from ${smallest} is wanted.`);
    }
    return value;
  };
}

const program = new Command('vm')
  .argument('[vitest...]', 'arguments for vitest (after --)')
  .option('--command <line>', 'run this in /bin/sh instead of tests')
  .option('--timeout <seconds>', 'kill the machine after this time', atLeast(1), 900)
  .option('--memory <MiB>', 'memory of the machine', atLeast(256), 2048)
  .action(async (words: string[], options: Options) => {
    process.exitCode = await main(words, options);
  });
await program.parseAsync();
