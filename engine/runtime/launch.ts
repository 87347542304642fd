/** What starting a container and starting another process in it have in common: the fork and the talk over pipes. */

import { readFileSync, writeFileSync } from 'node:fs';
import type { SeccompFilter } from '#contract/privileges';
import type { Child, ExitStatus, Program } from '#contract/process';
import { close, pipe, read, write } from '#kernel/descriptors';
import { startTimeOf } from '#kernel/process-stat';
import { spawn } from '#process';
import { dieWithParent } from './become.ts';
import type { Cgroup, Entrance } from './cgroups/driver.ts';
import { killUnlessGone } from './cgroups/files.ts';
import { readLine, readToEnd } from './pipes.ts';
import type { Reaper } from './reaper.ts';
import type { Process } from './spec.ts';
import { parseReport } from './start-error.ts';
import { step } from './step.ts';
import { openSlot, type TerminalHandover, takeMaster } from './terminal.ts';

/** What the starting process brings along. */
export interface Starter {
  reaper: Reaper;
  /** A pidfd of the starting process, by which its children know whether it is alive. */
  self: number;
}

/** Where a program's standard streams come from: open descriptors of the caller, or a terminal that is made for it. */
export type Streams = Program['stdio'] | 'terminal';

export interface Started {
  pid: number;
  /** Field 22 of /proc/PID/stat. */
  startTime: string;
  /** The terminal's master, owned by the caller from now on; null without a terminal. */
  master: number | null;
  cgroup: Cgroup | null;
  /** What it and whatever joins it is under. */
  seccomp: SeccompFilter | null;
  /** When it has ended and been reaped. */
  ended: Promise<ExitStatus>;
}

/** The pipe over which the parent says "go": one byte for each time the child waits. */
interface Go {
  read: number;
  write: number;
}

/** What a child has of its parent's. */
export interface ChildSide {
  /** What will be executed. A child may still change it: it has a copy of its own. */
  program: Program;
  cgroup: Entrance | null;
  seccomp: SeccompFilter | null;
  terminal: TerminalHandover | null;
  /** A pidfd of the parent. */
  parent: number;
  go: Go;
}

export interface Launch {
  process: Process;
  streams: Streams;
  cgroup: Cgroup | null;
  seccomp: SeccompFilter | null;
  starter: Starter;
  cloneFlags: bigint;
  /** In the child. */
  prepare: (child: ChildSide) => void;
  /** In the parent, around the fork. */
  aroundFork?: (fork: () => Child) => Child;
  /** In the parent, while the child waits. */
  beforeGo?: (pid: number, startTime: string) => void;
  /** Resolves when a child that is held up has got as far as it is to get; the launch is over then. */
  held?: Promise<void>;
}

/**
 * Fork a child that prepares itself and becomes the program. It runs the program when this resolves.
 * @throws what the child reported, or what went wrong here; the child is gone then.
 */
export async function launch(options: Launch): Promise<Started> {
  const { process, cgroup, seccomp, starter, beforeGo, held } = options;
  const { child, go, handover } = forkChild(options);
  const ended = starter.reaper.ended(child.pid);
  const report = readToEnd(child.report);
  let master: number | null = null;
  try {
    const startTime = startTimeOf(child.pid);
    beforeGo?.(child.pid, startTime);
    setOomScore(child.pid, process.oomScoreAdj);
    sayGo(go);
    if (handover !== null) master = await receiveMaster(child.pid, handover, go);
    const failure = parseReport(await (held ? Promise.race([report, held.then(() => '')]) : report));
    if (failure) throw failure;
    if (handover !== null && master === null) throw new Error('The child ended before it had a terminal.');
    return { pid: child.pid, startTime, master, cgroup, seccomp, ended };
  } catch (error) {
    if (master !== null) close(master);
    killUnlessGone(child.pid);
    await ended;
    throw error;
  } finally {
    close(go);
  }
}

interface Forked {
  child: Child;
  /** The parent's end of the pipe to say "go". */
  go: number;
  /** The parent's end of the pipe for the terminal. */
  handover: number | null;
}

function forkChild({ process, streams, cgroup, seccomp, starter, cloneFlags, prepare, aroundFork }: Launch): Forked {
  const opened: number[] = [];
  const own = (fd: number) => {
    opened.push(fd);
    return fd;
  };
  const ownPipe = () => {
    const ends = pipe();
    return { read: own(ends.read), write: own(ends.write) };
  };
  let kept: number[] = [];
  let entrance: Entrance | null = null;
  try {
    const go = ownPipe();
    const handover = streams === 'terminal' ? ownPipe() : null;
    const slot = streams === 'terminal' ? own(openSlot()) : null;
    entrance = cgroup?.openEntrance() ?? null;
    const stdio = streams === 'terminal' ? ([slot!, slot!, slot!] as Program['stdio']) : streams;
    const program: Program = { args: process.args, env: [...process.env], cwd: process.cwd, stdio };
    const terminal: TerminalHandover | null = handover && {
      slot: slot!,
      announce: handover.write,
      awaitTaken: () => waitForGo(go.read),
      size: process.consoleSize,
    };
    const side: ChildSide = { program, cgroup: entrance, seccomp, terminal, parent: starter.self, go };
    const fork = () => spawn(program, { cloneFlags, prepare: () => prepare(side) });
    const forkInCgroup = () => (entrance ? entrance.aroundFork(fork) : fork());
    const child = aroundFork ? aroundFork(forkInCgroup) : forkInCgroup();
    kept = [go.write, ...(handover ? [handover.read] : [])];
    return { child, go: go.write, handover: handover?.read ?? null };
  } finally {
    entrance?.close();
    for (const fd of opened) if (!kept.includes(fd)) close(fd);
  }
}

/** In the child, first of all. */
export function waitForParent({ parent, go }: Pick<ChildSide, 'parent' | 'go'>): void {
  // Nobody reads the stack of an error here, and to take one costs a fresh process more than a mount.
  Error.stackTraceLimit = 0;
  // With its own copy of the writing end open, the child would never see the parent's close.
  close(go.write);
  dieWithParent(parent);
  waitForGo(go.read);
}

export function waitForGo(fd: number): void {
  if (read(fd, 1)?.length !== 1) throw new Error('The start was given up.');
}

export function sayGo(fd: number): void {
  try {
    write(fd, '.');
  } catch {
    // EPIPE: the child has ended; its report says why.
  }
}

/** @returns null when the child failed before it had a terminal. */
async function receiveMaster(pid: number, handover: number, go: number): Promise<number | null> {
  const line = await readLine(handover);
  if (!/^\d+$/.test(line)) return null;
  const master = step('open terminal', () => takeMaster(pid, Number(line)));
  sayGo(go);
  return master;
}

let inherited: number | undefined;

/** What the child has already is not written: an undumpable one's files belong to the host's root, who may be somebody else. */
function setOomScore(pid: number, score: number | undefined): void {
  inherited ??= Number(readFileSync('/proc/self/oom_score_adj', 'latin1'));
  if (score === undefined || score === inherited) return;
  step(`oom_score_adj ${score}`, () => writeFileSync(`/proc/${pid}/oom_score_adj`, String(score)));
}
