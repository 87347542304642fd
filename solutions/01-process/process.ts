/** fork, exec, wait: how a program is started and how one learns what became of it. fork(2), execve(2), wait(2). */

import type { Child, ExitStatus, Program, SpawnOptions, StepFailure } from '#contract/process';
import { close, closeOnExecFrom, dup2, dupAbove, pipe, write } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { chdir, execve, exitNow } from '#kernel/execve';
import { fork } from '#kernel/fork';
import { HIGHEST_SIGNAL, setDefaultAction, signalName, unblockAllSignals } from '#kernel/signals';
import { waitpid } from '#kernel/wait';

const ENOENT = 2;
/** Where a program is looked for if its environment has no PATH. */
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function exitStatus(waitStatus: number): ExitStatus {
  const signal = waitStatus & 0x7f;
  if (signal !== 0) return { exitCode: 128 + signal, signal: signalName(signal) };
  return { exitCode: (waitStatus >> 8) & 0xff, signal: null };
}

export function spawn(program: Program, options: SpawnOptions = { cloneFlags: 0n }): Child {
  const report = pipe();
  try {
    const pid = fork(() => becomeProgram(program, options, report.write), { flags: options.cloneFlags });
    return { pid, report: report.read };
  } catch (error) {
    close(report.read);
    throw error;
  } finally {
    close(report.write);
  }
}

function becomeProgram(program: Program, options: SpawnOptions, report: number): never {
  try {
    options.prepare?.();
    return execute(program);
  } catch (error) {
    const failure = failureOf(error);
    write(report, JSON.stringify(failure));
    return exitNow(failure.exitCode);
  }
}

function failureOf(error: unknown): StepFailure {
  if (!(error instanceof KernelError)) {
    return { step: 'prepare', code: 'EUNKNOWN', message: String(error), exitCode: 125 };
  }
  const { syscall, code, message } = error;
  if (syscall !== 'execve') return { step: syscall, code, message, exitCode: 125 };
  return { step: syscall, code, message, exitCode: code === 'ENOENT' || code === 'ENOTDIR' ? 127 : 126 };
}

export function execute(program: Program): never {
  chdir(program.cwd);
  // Copies above 2 first: putting one in its place must not destroy another that is still needed.
  const copies = program.stdio.map((fd) => dupAbove(fd, 3));
  copies.forEach((copy, target) => {
    dup2(copy, target);
  });
  closeOnExecFrom(3);
  for (let signal = 1; signal <= HIGHEST_SIGNAL; signal++) setDefaultAction(signal);
  unblockAllSignals();
  return executeByName(program);
}

function executeByName({ args, env }: Program): never {
  const name = args[0] ?? '';
  if (name.includes('/')) return execve(name, args, env);
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? USUAL_PATH;
  let failure = new KernelError('execve', ENOENT, name);
  if (name === '') throw failure;
  for (const directory of path.split(':')) {
    try {
      return execve(`${directory || '.'}/${name}`, args, env);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (error.code === 'EACCES') failure = error;
      else if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    }
  }
  throw failure;
}

export function wait(pid: number): ExitStatus {
  for (;;) {
    try {
      return exitStatus(waitpid(pid)!.status);
    } catch (error) {
      if (!(error instanceof KernelError) || error.code !== 'EINTR') throw error;
    }
  }
}
