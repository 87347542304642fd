/** fork, exec, wait: how a program is started and how one learns what became of it. */

import type { Child, ExitStatus, Program, SpawnOptions, StepFailure } from '#contract/process';
import { close, dupAbove, pipe, write } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { execve, exitNow } from '#kernel/execve';
import { fork } from '#kernel/fork';
import { signalName } from '#kernel/signals';
import { waitpid } from '#kernel/wait';
import { readyToExecute } from './ready.ts';

export function execute(program: Program): never {
  readyToExecute(program);
  return executeFromPath(program);
}

/** execvp(3)'s rule: a file that may not be executed is passed over, and remembered if nothing else is found. */
function executeFromPath({ args, env }: Program): never {
  const name = args[0];
  if (!name) throw new KernelError('execve', 2, '(no program was named)');
  if (name.includes('/')) return execve(name, args, env);
  let failure = new KernelError('execve', 2, name);
  for (const directory of searchPath(env)) {
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

function searchPath(env: string[]): string[] {
  const path = env.find((variable) => variable.startsWith('PATH='))?.slice('PATH='.length);
  return (path ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin').split(':');
}

export function spawn(program: Program, { cloneFlags, prepare }: SpawnOptions = { cloneFlags: 0n }): Child {
  const report = pipe();
  try {
    const pid = fork(() => becomeProgram(program, prepare, report.write), { flags: cloneFlags });
    close(report.write);
    return { pid, report: report.read };
  } catch (error) {
    close(report.read);
    close(report.write);
    throw error;
  }
}

function becomeProgram(program: Program, prepare: (() => void) | undefined, report: number): never {
  // Where the parent had closed its own stdio the pipe may sit on 0, 1 or 2, which the program's stdio is about to take.
  const failurePipe = dupAbove(report, 3);
  try {
    prepare?.();
    return execute(program);
  } catch (error) {
    const failure = describeFailure(error);
    write(failurePipe, JSON.stringify(failure));
    return exitNow(failure.exitCode);
  }
}

function describeFailure(error: unknown): StepFailure {
  const message = error instanceof Error ? error.message : String(error);
  const step = (error as { step?: unknown } | null)?.step;
  if (!(error instanceof KernelError)) {
    const code = (error as NodeJS.ErrnoException | null)?.code;
    return { step: typeof step === 'string' ? step : 'prepare', code: code ?? 'EUNKNOWN', message, exitCode: 125 };
  }
  return {
    step: typeof step === 'string' ? step : error.syscall,
    code: error.code,
    message,
    exitCode: error.syscall !== 'execve' ? 125 : notFound.has(error.code) ? 127 : 126,
  };
}

const notFound = new Set(['ENOENT', 'ENOTDIR']);

export function exitStatus(waitStatus: number): ExitStatus {
  const signal = waitStatus & 0x7f;
  if (signal === 0) return { exitCode: (waitStatus >> 8) & 0xff, signal: null };
  return { exitCode: 128 + signal, signal: signalName(signal) };
}

export function wait(pid: number): ExitStatus {
  for (;;) {
    try {
      return exitStatus(waitpid(pid)!.status);
    } catch (error) {
      if (!(error instanceof KernelError && error.code === 'EINTR')) throw error;
    }
  }
}
