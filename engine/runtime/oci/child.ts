/** The last steps of a child of this runtime, which is to outlive it. */

import type { Program } from '#contract/process';
import { PR_SET_PDEATHSIG, prctl } from '#kernel/credentials';
import { dup2, setCloseOnExec, write } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { chdir, exitNow, workingDirectory } from '#kernel/execve';
import { execute } from '#process';
import { step } from '../step.ts';
import { requireProgram } from './find-program.ts';

/** Go to where the program is to be, and see that it is there: what can be wrong is said before anything has run. */
export function readyProgram(program: Program, inherited: number): void {
  step('working directory', () => enterDirectory(program.cwd));
  requireProgram(program.args[0]!, program.env);
  // The caller of `create` for a container with a terminal may wait until nobody else has this process's own streams.
  for (const [target, source] of program.stdio.entries()) if (source > 2) dup2(source, target);
  program.stdio = [0, 1, 2];
  program.cwd = '.';
  program.inherited = inherited;
  // Node marks at its start what it inherits.
  for (let fd = 3; fd < 3 + inherited; fd++) step(`descriptor ${fd}`, () => setCloseOnExec(fd, false));
}

/**
 * A working directory like /proc/self/fd/7 would lead to what this process has open of the host (CVE-2024-21626). The
 * kernel tells who stands outside of its root.
 */
function enterDirectory(path: string): void {
  chdir(path);
  try {
    workingDirectory();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw new Error(`The working directory ${path} is outside of the container's root; the container is not started.`);
  }
}

/** From now on the end of the process that made this one is not an end for it. prctl(2). */
export function outliveParent(): void {
  prctl(PR_SET_PDEATHSIG, 0);
}

/** Nobody listens any more but the reader of the program's own standard error. */
export function executeOrTell(program: Program): never {
  try {
    return execute(program);
  } catch (error) {
    const reason = error instanceof KernelError ? error.message.replace(/^.*: [A-Z0-9]+: /, '') : String(error);
    try {
      write(2, `exec ${program.args[0]}: ${reason}\n`);
    } catch {
      // It is closed.
    }
    return exitNow(255);
  }
}
