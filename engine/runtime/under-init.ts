import { accessSync, constants, statSync } from 'node:fs';
import { posix } from 'node:path';
import type { Program } from '#contract/process';
import { memoryFile } from '#kernel/memory-file';
import { initProgram } from './init-program.ts';

/**
 * What to execute so that `program` has an init above it: a process 1 that reaps. It is a file in memory, of this container
 * alone: nothing is mounted, and nothing in the image has to be there but /proc. A program that is not found is left as it
 * is, and executing it says so. Called in the container's root.
 */
export function underInit(program: Program): string[] {
  const path = findProgram(program);
  if (path === undefined) return program.args;
  const file = memoryFile('init', initProgram());
  return [`/proc/self/fd/${file}`, '--', path, ...program.args.slice(1)];
}

/** Where execvp(3) would find it, absolute or relative to the working directory as it was said. */
function findProgram({ args: [name = ''], env, cwd }: Program): string | undefined {
  if (name === '') return undefined;
  if (name.includes('/')) return isProgram(posix.resolve(cwd, name)) ? name : undefined;
  const path = env.find((variable) => variable.startsWith('PATH='))?.slice('PATH='.length);
  const directories = (path ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin').split(':');
  return directories
    .map((directory) => posix.join(directory || '.', name))
    .map((each) => (each.includes('/') ? each : `./${each}`))
    .find((each) => isProgram(posix.resolve(cwd, each)));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
