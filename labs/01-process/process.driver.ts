/**
 * How the check starts programs with your plank. It runs in the same process as your module, so its answers prove
 * nothing: the suite looks at /proc from outside, and tells the program its secrets only after it has looked.
 */

import { readlinkSync } from 'node:fs';
import { close, dup2, dup3, dupAbove, O_RDWR, O_WRONLY, open, pollIn, read, write } from '#kernel/descriptors';
import { chdir } from '#kernel/execve';
import { libcFunction } from '#kernel/libc';
import { MS_BIND, MS_PRIVATE, MS_REC, mount } from '#kernel/mounts';
import { kill } from '#kernel/signals';
import * as mine from '#process';
import * as reference from '../../engine/runtime/process.ts';

export interface StartRequest {
  /**
   * Which functions are yours. `spawn`: your spawn, and so the execute that it calls; `execute`: yours in a child that the
   * engine's spawn makes; `none`: the engine's.
   */
  mine: 'spawn' | 'execute' | 'none';
  args: string[];
  env: string[];
  cwd: string;
  /** Open these files at these descriptors before the spawn: 0, 1, 2, or 50 and above. They are close-on-exec. */
  files?: { at: number; path: string }[];
  /** Which descriptors become 0, 1 and 2; without it all three are /dev/null. */
  stdio?: [number, number, number];
  /** Open this file at a descriptor that exec does not close by itself. */
  leak?: { at: number; path: string };
  /** Signals that the parent ignores during the spawn. */
  ignore?: number[];
  cloneFlags?: bigint;
  prepare?: {
    writePidTo?: string;
    fail?: string;
    chdir?: string;
    /** Send the child this signal, which is blocked at that time. */
    raise?: number;
    /** Let directory `from` be seen at `to`; takes a mount namespace. */
    bind?: { from: string; to: string };
  };
}

const signalCall = libcFunction('intptr_t signal(int, intptr_t)');
const siginterrupt = libcFunction('int siginterrupt(int, int)');

const SIG_DFL = 0;
const SIG_IGN = 1;
const SIGUSR2 = 12;
/** From here on this process keeps its own 0, 1 and 2 while a test has others in their place. Tests use none so high. */
const SAFE = 500;

/** Spawn what `request` says. @returns the child's pid and the descriptor of its report. */
export function start(request: StartRequest): { pid: number; report: number } {
  const { args, env, cwd, files = [], leak, ignore = [], cloneFlags } = request;
  const own = [0, 1, 2].map((fd) => dupAbove(fd, SAFE));
  const devNull = openAbove('/dev/null', SAFE);
  try {
    for (const { at, path } of files) openAt(at, path);
    if (leak) {
      openAt(leak.at, leak.path);
      dup2(leak.at, leak.at + 1);
    }
    for (const signal of ignore) signalCall(signal, SIG_IGN);
    const program = {
      args,
      env,
      cwd,
      stdio: request.stdio ?? ([devNull, devNull, devNull] as [number, number, number]),
    };
    if (request.mine === 'execute')
      return reference.spawn(program, {
        cloneFlags: cloneFlags ?? 0n,
        prepare: () => {
          prepare(request);
          mine.execute(program);
          throw new Error('execute returned; it should become the program, or throw.');
        },
      });
    const { spawn } = request.mine === 'none' ? reference : mine;
    if (cloneFlags === undefined && !request.prepare) return spawn(program);
    return spawn(program, { cloneFlags: cloneFlags ?? 0n, prepare: request.prepare && (() => prepare(request)) });
  } finally {
    for (const signal of ignore) signalCall(signal, SIG_DFL);
    for (const { at } of files) close(at);
    if (leak) for (const fd of [leak.at, leak.at + 1]) close(fd);
    for (const [fd, copy] of own.entries()) {
      dup3(copy, fd);
      close(copy);
    }
    close(devNull);
  }
}

function openAbove(path: string, lowest: number): number {
  const fd = open(path, O_RDWR);
  const copy = dupAbove(fd, lowest);
  close(fd);
  return copy;
}

function openAt(at: number, path: string): void {
  const fd = open(path, O_RDWR);
  if (fd === at) return;
  dup3(fd, at);
  close(fd);
}

function prepare({ prepare: wanted = {} }: StartRequest): void {
  // Not process.pid: Node asked for that before the fork.
  const pid = readlinkSync('/proc/self');
  if (wanted.writePidTo) write(open(wanted.writePidTo, O_WRONLY), pid);
  if (wanted.chdir) chdir(wanted.chdir);
  if (wanted.bind) {
    mount({ target: '/', flags: MS_REC | MS_PRIVATE });
    mount({ source: wanted.bind.from, target: wanted.bind.to, flags: MS_BIND });
  }
  if (wanted.raise) kill(Number(pid), wanted.raise);
  if (wanted.fail) throw new Error(wanted.fail);
}

/** What stands in a report. @throws Error when it has not come to its end `milliseconds` from now. */
export function readReport(report: number, milliseconds: number): string {
  const deadline = Date.now() + milliseconds;
  for (let text = ''; ; ) {
    if (!pollIn(report, Math.max(0, deadline - Date.now()))) {
      throw new Error(
        `The report is not at its end after ${milliseconds} ms; so far it holds ${JSON.stringify(text)}.`,
      );
    }
    const chunk = read(report)!;
    if (chunk.length === 0) return text;
    text += chunk.toString();
  }
}

/** From now on SIGUSR2 interrupts a blocking system call of this process (EINTR) instead of restarting it. */
export function catchSignalsWithoutRestart(): void {
  process.on('SIGUSR2', () => {});
  siginterrupt(SIGUSR2, 1);
}
