/** What a child does on its way to its program, all but the exec. So a seccomp filter can be the last thing before it. */

import type { Program } from '#contract/process';
import { closeOnExecFrom, dup2, dupAbove, setCloseOnExec } from '#kernel/descriptors';
import { chdir } from '#kernel/execve';
import { HIGHEST_SIGNAL, setDefaultAction, unblockAllSignals } from '#kernel/signals';

/**
 * Take the program's working directory and standard streams, have the exec close the other descriptors, and give every
 * signal its default action. `program` says then that this is done. To do it again changes nothing.
 * @throws KernelError
 */
export function readyToExecute(program: Program): void {
  if (program.ready) return;
  chdir(program.cwd);
  placeStdio(program.stdio);
  closeOnExecFrom(3 + (program.inherited ?? 0));
  for (let signal = 1; signal <= HIGHEST_SIGNAL; signal++) setDefaultAction(signal);
  unblockAllSignals();
  program.cwd = '.';
  program.stdio = [0, 1, 2];
  program.ready = true;
}

/**
 * A source that is itself 0, 1 or 2 is copied out of the way first: were stdio [1, 0, 2] put in place one by one, the
 * second dup2 would copy what the first has just written. dup2 also clears FD_CLOEXEC, which Node sets on 0, 1 and 2.
 * Others are not copied, since a small RLIMIT_NOFILE may leave no number to copy them to.
 */
function placeStdio(stdio: Program['stdio']): void {
  const sources = stdio.map((fd, target) => (fd > 2 || fd === target ? fd : dupAbove(fd, 3)));
  for (const [target, source] of sources.entries())
    if (source === target) setCloseOnExec(target, false);
    else dup2(source, target);
}
