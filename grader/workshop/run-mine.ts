/** `workshop run-mine`, which `skiff --mine` calls: the engine with the learner's planks in place of its own. */

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { processStat } from '../../engine/kernel/process-stat.ts';
import { freshReport, hasPassed } from './check/check-lab.ts';
import { home, stateFolder } from './home.ts';
import { type CourseLab, existingLabs, findLab } from './labs.ts';
import { removeOldRoots, stateRoot } from './mine-roots.ts';
import { isUntouched } from './starter.ts';
import { Advice, paint } from './terminal.ts';

/**
 * Build the engine with the planks swapped in, run it with `args`, and end with its exit code.
 * @param picked labs by id; without it every plank whose lab passes now.
 */
export async function runMine(typed: string[], picked: string[] | undefined): Promise<void> {
  const { base, args } = splitRoot(typed);
  const labs = existingLabs();
  const mine = picked === undefined ? await passing(labs) : [...new Set(picked)].map(findLab);
  const others = labs.filter((lab) => !mine.some(({ id }) => id === lab.id));
  // Standard output belongs to the engine's own command.
  sayOnce(plankLine(mine, others));

  const bundle = build(mine);
  const root = stateRoot(mine.length === 0 ? null : bundle, base);
  for (const other of await removeOldRoots(root)) {
    console.error(paint.dim(`Containers of earlier planks are still there: ./skiff --root ${other} ps -a`));
  }
  const child = spawn(process.execPath, [path.join(bundle, 'skiff.cjs'), ...args], {
    stdio: 'inherit',
    env: { ...process.env, SKIFF_ROOT: root },
  });
  // The terminal sends its signals to both of us; ours would end before the engine could say goodbye.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!process.stdin.isTTY || signal === 'SIGTERM' || signal === 'SIGHUP') child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`The engine could not be started: ${error.message}`);
    process.exit(125);
  });
  child.on('close', (code, signal) => process.exit(code ?? 128 + os.constants.signals[signal ?? 'SIGKILL']));
}

/** `--root` names where the roots of all mixes lie: one daemon must never serve two of them. */
function splitRoot(typed: string[]): { base: string | undefined; args: string[] } {
  const args = [...typed];
  for (let at = 0; at < args.length && args[at]!.startsWith('-'); at += 1) {
    const word = args[at]!;
    if (word.startsWith('--root=')) return { base: args.splice(at, 1)[0]!.slice('--root='.length), args };
    if (word === '--root' && args[at + 1] !== undefined) return { base: args.splice(at, 2)[1], args };
    if (['--host', '-H', '--socket'].includes(word)) at += 1;
  }
  return { base: undefined, args };
}

/** People read the same words once in a terminal session; a script that reads them, as each break-it.sh does, always gets them. */
function sayOnce(line: string): void {
  const file = path.join(stateFolder, 'said.txt');
  const said = `${sessionId()} ${line}`;
  try {
    if (process.stderr.isTTY && sessionId() !== undefined && fs.readFileSync(file, 'utf8') === said) return;
  } catch {
    // Nothing has been said yet.
  }
  fs.mkdirSync(stateFolder, { recursive: true });
  fs.writeFileSync(file, said);
  console.error(paint.dim(line));
}

/** Of the terminal session that this process belongs to; undefined where there is no /proc. */
function sessionId(): number | undefined {
  return processStat('self')?.session;
}

async function passing(labs: CourseLab[]): Promise<CourseLab[]> {
  const mine: CourseLab[] = [];
  for (const lab of labs) {
    if (!isUntouched(lab) && hasPassed(await freshReport(lab))) mine.push(lab);
  }
  return mine;
}

function plankLine(mine: CourseLab[], others: CourseLab[]): string {
  const names = (labs: CourseLab[]) => labs.map(({ id }) => id).join(', ');
  if (mine.length === 0)
    return `Your planks: none yet, so this is the engine's own ship. One joins when its lab passes.`;
  return `Your planks: ${names(mine)}.${others.length > 0 ? ` The engine's own: ${names(others)}.` : ' The whole ship is yours.'}`;
}

/** @returns the folder of the bundles. */
function build(mine: CourseLab[]): string {
  const conditions = mine.map(({ id }) => `lab-${id}`).sort();
  const script = path.join(home, 'engine', 'build.mjs');
  const child = spawnSync(
    process.execPath,
    [script, '--need', 'skiff', ...(conditions.length > 0 ? ['--conditions', conditions.join(',')] : [])],
    {
      stdio: ['ignore', 2, 2],
    },
  );
  if (child.status !== 0)
    throw new Advice(
      'The engine cannot be built with these planks. The message above names the file and the line.',
      125,
    );
  return path.join(home, '.build', conditions.length > 0 ? conditions.join('+') : 'default');
}
