import fs from 'node:fs';
import { CliError } from './errors.ts';
import { handOver, siblingBundle } from './handover.ts';

/**
 * `skiff --mine[=planks] …`: the same command line on the engine that has the learner's planks. Which of them pass, and
 * the build with them, is the workshop's business.
 */
export function runMine(planks: string, args: string[]): Promise<number> {
  const workshop = siblingBundle('workshop.cjs');
  if (!fs.existsSync(workshop)) {
    throw new CliError(`There is no ${workshop}. --mine works in a clone of the course: run ./skiff from there.`, 125);
  }
  const rest = args.filter((arg, at) => !(/^--mine(=|$)/.test(arg) && isGlobal(args, at)));
  return handOver(workshop, ['run-mine', ...(planks === '' ? [] : [`--planks=${planks}`]), '--', ...rest]);
}

/** Whether the argument stands before the command: what comes after belongs to the command or the container. */
function isGlobal(args: string[], at: number): boolean {
  for (let index = 0; index < at; index += 1) {
    const arg = args[index] as string;
    if (!arg.startsWith('-')) return false;
    if (['--root', '--host', '-H', '--socket'].includes(arg)) index += 1;
  }
  return true;
}
