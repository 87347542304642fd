/** `workshop run-mine`, which `skiff --mine` calls: the engine with the learner's planks in place of its own. */

import { spawn, spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { freshReport, hasPassed } from './check/check-lab.ts';
import { home } from './home.ts';
import { type CourseLab, existingLabs, findLab } from './labs.ts';
import { removeOldRoots, stateRoot } from './mine-roots.ts';
import { isUntouched } from './starter.ts';
import { Advice, paint } from './terminal.ts';

/**
 * Build the engine with the planks swapped in, run it with `args`, and end with its exit code.
 * @param picked labs by id; without it every plank whose lab passes now.
 */
export async function runMine(args: string[], picked: string[] | undefined): Promise<void> {
  const labs = existingLabs();
  const mine = picked === undefined ? await passing(labs) : [...new Set(picked)].map(findLab);
  const others = labs.filter((lab) => !mine.some(({ id }) => id === lab.id));
  // Standard output belongs to the engine's own command.
  console.error(paint.dim(plankLine(mine, others)));

  const bundle = build(mine);
  const root = stateRoot(mine.length === 0 ? null : bundle);
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
