/** From the save of a learner's file to the verdict on the screen, through the real `./workshop watch`. */

import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { run, stop } from '../engines/process.ts';
import type { Figure, Result } from '../figure.ts';
import { median, quantile } from '../statistics.ts';
import { cloneRepository } from './clone.ts';

const SAVES = 7;
/** What every verdict says, red or green. */
const VERDICT = /\d+ of \d+ points.*\n/;

/** Resolves when the watch has printed a verdict since `from`. @throws Error when it ends, or is silent for a minute. */
function verdict(watch: ChildProcess, output: { text: string }, from: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(new Error('no verdict within 60 s')), 60_000);
    const look = (): void => {
      if (VERDICT.test(output.text.slice(from))) settle();
    };
    const ended = (): void => settle(new Error(`watch ended: ${output.text.trim().slice(-400)}`));
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      watch.stdout!.off('data', look);
      watch.off('exit', ended);
      if (error) reject(error);
      else resolve();
    };
    watch.stdout!.on('data', look);
    watch.on('exit', ended);
    look();
  });
}

/** Milliseconds from each save to its verdict. */
async function timeSaves(clone: string, lab: string): Promise<number[]> {
  const folder = readdirSync(join(clone, 'labs')).find((name) => name.replace(/^\d+-/, '') === lab);
  if (folder === undefined) throw new Error(`there is no lab ${lab}`);
  const solution = readdirSync(join(clone, 'solutions', folder)).find((name) => name.endsWith('.ts'));
  if (solution === undefined) throw new Error(`the lab ${lab} has no solution`);
  const file = join(clone, 'labs', folder, basename(solution));
  cpSync(join(clone, 'solutions', folder, solution), file);
  const watch = spawn(join(clone, 'workshop'), ['watch', lab], { cwd: clone, stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { text: '' };
  for (const stream of [watch.stdout, watch.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output.text += chunk.toString();
    });
  }
  try {
    await verdict(watch, output, 0);
    const times: number[] = [];
    for (let save = 0; save < SAVES; save++) {
      const from = output.text.length;
      const saved = performance.now();
      appendFileSync(file, `// save ${save}\n`);
      await verdict(watch, output, from);
      times.push(performance.now() - saved);
    }
    return times;
  } finally {
    await stop(watch);
  }
}

export const watch: Figure = {
  name: 'watch',
  title: 'save to verdict in ./workshop watch',
  async run({ progress }) {
    const directory = mkdtempSync(join(tmpdir(), 'skiff-bench-watch-'));
    const results: Result[] = [];
    try {
      progress('copying the repository');
      const clone = await cloneRepository(directory);
      await run('node', [join(clone, 'engine', 'build.mjs'), '--need', 'workshop']);
      for (const [kind, lab, limit, stretchLimit] of [
        ['pure lab', 'what-is-a-container', 1000, 400],
        ['kernel lab', 'rootfs', 2000, 800],
      ] as const) {
        progress(`${kind} ${lab}`);
        const title = `${kind} (${lab}), p50 of ${SAVES} saves`;
        try {
          const times = await timeSaves(clone, lab);
          const also = { worst: quantile(times, 1) };
          results.push({ title, unit: 'ms', ours: median(times), also, limit, stretchLimit, comparisons: [] });
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          results.push({ title, unit: 'ms', ours: null, reason, limit, comparisons: [] });
        }
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
    return results;
  },
};
