/**
 * How the engine uses the plank `exec`: a container that sleeps, and a second process that joins it. The check runs this
 * with your functions, stops the joining child at three moments, and looks at it from outside. Each test uses only those
 * of your functions that it is about, and the engine's for the rest.
 */

import { symlinkSync } from 'node:fs';
import * as mine from '#exec';
import { close, dup2, O_DIRECTORY, O_PATH, O_RDWR, open, pipe, read, readAll, write } from '#kernel/descriptors';
import { execve } from '#kernel/execve';
import { fork } from '#kernel/fork';
import * as kernel from '#kernel/mounts';
import { pidfdGetFd, pidfdOpen } from '#kernel/pidfd';
import { cloneFlags, configureNamespaces, enterNamespaces, writeIdMappings } from '#namespaces';
import { spawn } from '#process';
import type { ConsoleSize, IdMapping, Namespace } from '#spec';
import * as reference from '../../engine/runtime/exec.ts';

const CLONE_NEWTIME = 0x80n;

export interface ContainerRequest {
  args: string[];
  env: string[];
  namespaces: Namespace[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  /** A time namespace of its own, too. */
  time?: boolean;
}

/** The container: a program in namespaces of its own, made with the engine's planks. @returns its pid, as the subject sees it. */
export function startContainer({
  args,
  env,
  namespaces,
  uidMappings,
  gidMappings,
  time = false,
}: ContainerRequest): number {
  const go = pipe();
  const devNull = open('/dev/null', O_RDWR);
  const has = (type: string) => namespaces.some((namespace) => namespace.type === type);
  const child = spawn(
    { args, env, cwd: '/', stdio: [devNull, devNull, devNull] },
    {
      cloneFlags: cloneFlags(namespaces) | (time ? CLONE_NEWTIME : 0n),
      prepare: () => {
        close(go.write);
        read(go.read, 1);
        enterNamespaces(namespaces);
        configureNamespaces(namespaces, { hostname: 'container' });
        if (!has('mount')) return;
        kernel.mount({ target: '/', flags: kernel.MS_REC | kernel.MS_PRIVATE });
        kernel.mount({ source: 'devpts', target: '/dev/pts', type: 'devpts', data: 'newinstance,ptmxmode=0666' });
        if (has('pid')) kernel.mount({ source: 'proc', target: '/proc', type: 'proc' });
      },
    },
  );
  for (const fd of [devNull, go.read]) close(fd);
  if (uidMappings && gidMappings) writeIdMappings(child.pid, uidMappings, gidMappings);
  write(go.write, '.');
  close(go.write);
  failIfItDid(child.report);
  return child.pid;
}

export type Part = 'namespacesOf' | 'forkInto' | 'joinContainer' | 'openTerminal' | 'leadSession';
type Planks = Pick<typeof reference, Part>;

/** Your functions as far as they are named, and the engine's. */
function planks(parts: Part[]): Planks {
  const are = (part: Part) => parts.includes(part);
  return {
    namespacesOf: are('namespacesOf') ? mine.namespacesOf : reference.namespacesOf,
    forkInto: are('forkInto') ? mine.forkInto : reference.forkInto,
    joinContainer: are('joinContainer') ? mine.joinContainer : reference.joinContainer,
    openTerminal: are('openTerminal') ? mine.openTerminal : reference.openTerminal,
    leadSession: are('leadSession') ? mine.leadSession : reference.leadSession,
  };
}

export interface ExecRequest {
  /** The container's pid, as the subject sees it. */
  container: number;
  args: string[];
  env: string[];
  /** Which functions are yours; the others are the engine's. */
  parts: Part[];
  /** Sit at a terminal of this size. */
  terminal?: ConsoleSize;
  /** FIFOs: the child writes a line to one when it is born, is about to enter the cgroup, and has joined, and waits for a byte of the other. */
  stops?: { asks: string; answers: string };
}

interface Pending {
  pid: number;
  report: number;
  handover: number | null;
  taken: number | null;
}

let pending: Pending | undefined;

/** Fork the child that joins; it goes its way, unless it is to stop. @returns its pid, as the subject sees it. */
export function prepareExec({ container, args, env, parts, terminal, stops }: ExecRequest): number {
  const { namespacesOf, forkInto, joinContainer, leadSession, openTerminal } = planks(parts);
  const handover = terminal ? pipe() : null;
  const taken = terminal ? pipe() : null;
  const slot = open('/dev/null', terminal ? O_PATH : O_RDWR);
  const [asks, answers] = stops ? [open(stops.asks, O_RDWR), open(stops.answers, O_RDWR)] : [-1, -1];
  const stop = (moment: string) => {
    if (!stops) return;
    write(asks, `${moment}\n`);
    read(answers, 1);
  };
  const sitAtTerminal = () => {
    const devpts = open('/dev/pts', O_PATH | O_DIRECTORY);
    const { master, slave } = openTerminal(devpts, terminal);
    close(devpts);
    leadSession(slave);
    dup2(slave, slot);
    close(slave);
    write(handover!.write, `${master}\n`);
    read(taken!.read, 1);
    close(master);
  };
  const namespaces = namespacesOf(container);
  const prepare = () => {
    stop('born');
    joinContainer(namespaces, () => stop('cgroup'));
    stop('joined');
    if (terminal) sitAtTerminal();
    else leadSession(null);
  };
  const child = forkInto(namespaces, () =>
    spawn({ args, env, cwd: '/', stdio: [slot, slot, slot] }, { cloneFlags: 0n, prepare }),
  );
  for (const fd of [slot, asks, answers, handover?.write, taken?.read]) if (fd !== undefined && fd >= 0) close(fd);
  if (typeof child?.pid !== 'number') throw new Error('forkInto should return what the function `fork` returned.');
  pending = {
    pid: child.pid,
    report: child.report,
    handover: handover?.read ?? null,
    taken: taken?.write ?? null,
  };
  return child.pid;
}

/** Wait until the child has become its program. @returns its terminal's master. Throws what kept it from that. */
export function finishExec(): number | null {
  if (!pending) throw new Error('No child is on its way.');
  const { pid, report, handover, taken } = pending;
  pending = undefined;
  let master: number | null = null;
  if (handover !== null && taken !== null) {
    const number = read(handover)?.toString().trim() ?? '';
    if (number !== '') master = takeDescriptor(pid, Number(number));
    if (master !== null) write(taken, '.');
    for (const fd of [handover, taken]) close(fd);
  }
  failIfItDid(report);
  return master;
}

export function startExec(request: ExecRequest): number | null {
  prepareExec(request);
  return finishExec();
}

function takeDescriptor(pid: number, fd: number): number {
  const pidfd = pidfdOpen(pid);
  try {
    return pidfdGetFd(pidfd, fd);
  } finally {
    close(pidfd);
  }
}

function failIfItDid(report: number): void {
  const text = readAll(report);
  close(report);
  if (text === '') return;
  const { step, message } = JSON.parse(text) as { step: string; message: string };
  throw new Error(`The child failed before it became its program, in the step "${step}": ${message}`);
}

/** A fork that the kernel refuses. */
export function forkThatFails(container: number): void {
  mine.forkInto(reference.namespacesOf(container), () => {
    throw new Error('fork: Cannot allocate memory');
  });
}

/** A fork into a PID namespace that is gone. */
export function forkIntoNothing(path: string): void {
  mine.forkInto([{ type: 'pid', path }], () => undefined);
}

/** What forkInto makes of what the fork returns. */
export function returnOfFork(container: number, value: unknown): unknown {
  return mine.forkInto(reference.namespacesOf(container), () => value);
}

/** What a person types. */
export function type(master: number, text: string): void {
  write(master, text);
}

/** Both ends of a terminal of the subject's own /dev/pts. */
export function openTerminalHere(size?: ConsoleSize): { master: number; slave: number } {
  const devpts = open('/dev/pts', O_PATH | O_DIRECTORY);
  try {
    return size === undefined ? mine.openTerminal(devpts) : mine.openTerminal(devpts, size);
  } finally {
    close(devpts);
  }
}

/** A program that keeps of the subject's descriptors what an exec leaves open. @returns its pid, as the subject sees it. */
export function keepAcrossExec(args: string[], env: string[]): number {
  return fork(() => execve(args[0]!, args, env));
}

/** A directory in which somebody has put a link to `target` where the multiplexer should be; in `real` is a real one. */
export function openTerminalBehindLink(directory: string, target: string): void {
  symlinkSync(target, `${directory}/ptmx`);
  kernel.mount({ source: 'devpts', target: `${directory}/real`, type: 'devpts', data: 'newinstance,ptmxmode=0666' });
  const devpts = open(directory, O_PATH | O_DIRECTORY);
  try {
    mine.openTerminal(devpts);
  } finally {
    close(devpts);
  }
}

interface Typed {
  keys: number[];
  chunks: number[][];
}

/** Feed a scanner for each of them, piece by piece, turn by turn. What each answered is looked at in the end. */
export function scan(typed: Typed[]): { passed: number[]; detached: boolean }[][] {
  const feeds = typed.map(({ keys }) => mine.detachScanner(Uint8Array.from(keys)));
  const answers = typed.map((): ReturnType<(typeof feeds)[0]>[] => []);
  for (let turn = 0; typed.some(({ chunks }) => turn < chunks.length); turn++)
    for (const [index, { chunks }] of typed.entries())
      if (turn < chunks.length) answers[index]!.push(feeds[index]!(Uint8Array.from(chunks[turn]!)));
  return answers.map((each) => each.map(({ passed, detached }) => ({ passed: [...passed], detached })));
}
