/** Programs that the bundle wants to be run at certain moments of a container's life. config.md, "POSIX-platform Hooks". */

import type { SeccompFilter } from '#contract/privileges';
import type { Program } from '#contract/process';
import { close, O_RDWR, open, pollIn, readAll } from '#kernel/descriptors';
import { execve } from '#kernel/execve';
import { memoryFile, rewind } from '#kernel/memory-file';
import { pidfdOpen } from '#kernel/pidfd';
import { kill } from '#kernel/signals';
import { spawn, wait } from '#process';
import { readyToExecute } from '../ready.ts';
import { installSeccomp } from '../seccomp/install.ts';
import { parseReport } from '../start-error.ts';
import type { Hook, Hooks } from './config-document.ts';
import { RuntimeError } from './error.ts';
import type { State } from './state.ts';

export type HookKind = keyof Hooks;

const SIGKILL = 9;
const MOST_WORDS = 64 * 1024;

/**
 * Run the hooks of a kind one after the other, each with the state on its standard input. Synchronous, so that a forked
 * child can call it.
 * @param cwd where they run.
 * @param seccomp what they are under: the container's own, for those that are the container's.
 * @throws RuntimeError at the first one that fails, or is not over within its timeout.
 */
export function runHooks(
  kind: HookKind,
  hooks: Hooks | undefined,
  state: State,
  cwd: string,
  seccomp: SeccompFilter | null = null,
): void {
  for (const [index, hook] of (hooks?.[kind] ?? []).entries())
    runHook(hook, `hook #${index} (${kind})`, { state, cwd, seccomp });
}

interface Surroundings {
  state: State;
  cwd: string;
  seccomp: SeccompFilter | null;
}

function runHook({ path, args, env, timeout }: Hook, name: string, { state, cwd, seccomp }: Surroundings): void {
  const nowhere = open('/dev/null', O_RDWR);
  const input = memoryFile('state', JSON.stringify(state));
  const words = memoryFile('words');
  try {
    const program: Program = {
      args: args?.length ? args : [path],
      env: env ?? [],
      cwd,
      stdio: [input, nowhere, words],
    };
    const { pid, report } = spawn(program, { cloneFlags: 0n, prepare: () => becomeHook(path, program, seccomp) });
    const failure = parseReport(readReport(report));
    const inTime = failure !== null || endsWithin(pid, timeout);
    if (!inTime) kill(pid, SIGKILL);
    const { exitCode, signal } = wait(pid);
    if (failure) throw new RuntimeError(`error running ${name} ${path}: ${failure.message}`);
    if (!inTime)
      throw new RuntimeError(`error running ${name} ${path}: it was not over within ${timeout} s and was killed`);
    if (exitCode !== 0)
      throw new RuntimeError(
        `error running ${name} ${path}: ${signal ?? `exit status ${exitCode}`}, stderr: ${lastWords(words)}`,
      );
  } finally {
    for (const fd of [nowhere, input, words]) close(fd);
  }
}

/**
 * The program is the path; what it is called is another matter, and dockerd's own hook does not know itself by another
 * name. So this does not go by `args[0]`, as `execute` does.
 */
function becomeHook(path: string, program: Program, seccomp: SeccompFilter | null): never {
  readyToExecute(program);
  if (seccomp) installSeccomp(seccomp);
  return execve(path, program.args, program.env);
}

/** The pipe ends when the program runs, at once for a healthy one. */
function readReport(report: number): string {
  try {
    return readAll(report, MOST_WORDS);
  } finally {
    close(report);
  }
}

/** @param timeout seconds; absent for ever. */
function endsWithin(pid: number, timeout: number | undefined): boolean {
  const pidfd = pidfdOpen(pid);
  try {
    return pollIn(pidfd, timeout === undefined ? -1 : timeout * 1000);
  } finally {
    close(pidfd);
  }
}

function lastWords(fd: number): string {
  rewind(fd);
  try {
    return readAll(fd, MOST_WORDS).trim().slice(-1000);
  } catch {
    return '(more than 64 KiB)';
  }
}
