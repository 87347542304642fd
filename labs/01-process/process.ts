/** fork, exec, wait: how a program is started and how one learns what became of it. fork(2), execve(2), wait(2). */

import { NotImplemented } from '#contract/not-implemented';
import type { Child, ExitStatus, Program, SpawnOptions } from '#contract/process';

/**
 * Task 1. Decode the number that wait(2) stored: WIFEXITED, WEXITSTATUS, WIFSIGNALED and WTERMSIG in words.
 * @param waitStatus as waitpid stored it, e.g. 0x0300 or 0x008b.
 * @returns `exitCode` 0…255 and `signal` null when the program ended by itself; 128 + n and the signal's name, e.g.
 *   `SIGKILL`, when signal n ended it, whether it dumped core or not.
 */
export function exitStatus(_waitStatus: number): ExitStatus {
  throw new NotImplemented('process', 1);
}

/**
 * Task 2. Start `program` in a child process and return at once, in the parent. `options.cloneFlags` go to clone
 * (0n when there are no options).
 *
 * Task 5. The child runs `options.prepare` first, if there is one. If anything fails in the child before the
 * program runs, the child writes one `StepFailure` as JSON to the report pipe and ends with its `exitCode`:
 * 127 if execve(2) found nothing (ENOENT, ENOTDIR), 126 if execve refused what it found, 125 for every other failure,
 * also what `prepare` throws. The step of a KernelError is its `syscall`, that of any other error is `prepare`. If nothing
 * fails, the read end of the pipe is at end-of-file as soon as the program runs, and not only when it ends. The parent
 * keeps no copy of the write end.
 * @throws KernelError if there can be no child; no descriptor stays open then.
 */
export function spawn(_program: Program, _options: SpawnOptions = { cloneFlags: 0n }): Child {
  throw new NotImplemented('process', 2);
}

/**
 * Task 2. Become the program: called in a child, never returns when all is well. The environment, the working
 * directory and the arguments are exactly those of `program`.
 *
 * Task 3. Descriptors 0, 1 and 2 are copies of the three in `program.stdio`, open after execve; every other descriptor
 * is closed by then. The three may be any open descriptors, also 0, 1 and 2 themselves, in any order, also the same
 * one twice.
 *
 * Task 4. Every signal, 1 to 64, has its default action (as far as one may choose) and none is blocked. A signal that
 * came before meets its default action: reset all of them before you open the mask.
 *
 * Task 5. A name without `/` is looked up in the PATH of `program.env`, from left to right; an empty element is the
 * working directory. A file that may not be executed is passed over. Without a PATH the directories are those that the
 * contract of `Program` lists. An empty name is ENOENT.
 * @throws KernelError with `syscall` `chdir`, `execve`, … and its errno. For a name without `/`: EACCES if the search
 *   met a file that may not be executed, else ENOENT.
 */
export function execute(_program: Program): never {
  throw new NotImplemented('process', 2);
}

/**
 * Task 6. Wait until child `pid` has ended, reap it, and say how it ended. Other children are left alone. A signal that
 * reaches the waiting process meanwhile does not end the wait.
 * @throws KernelError ECHILD if it is not a child of ours, or has been waited for already.
 */
export function wait(_pid: number): ExitStatus {
  throw new NotImplemented('process', 6);
}
