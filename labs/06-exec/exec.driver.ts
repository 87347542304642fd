/**
 * How the engine uses the plank `exec`: a container that sleeps, and a second process that joins it. The check runs this
 * with your module, stops the joining child at two moments, and looks at it from outside.
 */

import { symlinkSync } from 'node:fs';
import { detachScanner, forkInto, joinContainer, leadSession, namespacesOf, openTerminal } from '#exec';
import { close, O_DIRECTORY, O_PATH, O_RDWR, open, pipe, read, readAll, write } from '#kernel/descriptors';
import * as kernel from '#kernel/mounts';
import { cloneFlags, configureNamespaces, enterNamespaces, writeIdMappings } from '#namespaces';
import { spawn } from '#process';
import type { ConsoleSize, IdMapping, Namespace } from '#spec';
import { openSlot, takeMaster, takeTerminal } from '../../engine/runtime/terminal.ts';

export interface ContainerRequest {
  args: string[];
  env: string[];
  namespaces: Namespace[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
}

/** The container: a program in namespaces of its own, made with the engine's planks. @returns its pid, as the subject sees it. */
export function startContainer({ args, env, namespaces, uidMappings, gidMappings }: ContainerRequest): number {
  const go = pipe();
  const devNull = open('/dev/null', O_RDWR);
  const has = (type: string) => namespaces.some((namespace) => namespace.type === type);
  const child = spawn(
    { args, env, cwd: '/', stdio: [devNull, devNull, devNull] },
    {
      cloneFlags: cloneFlags(namespaces),
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

export interface ExecRequest {
  /** The container's pid, as the subject sees it. */
  container: number;
  args: string[];
  env: string[];
  /** Sit at a terminal of this size. */
  terminal?: ConsoleSize;
  /** FIFOs: the child writes a line to one when it is about to enter the cgroup and when it has joined, and waits for a byte of the other. */
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
export function prepareExec({ container, args, env, terminal, stops }: ExecRequest): number {
  const handover = terminal ? pipe() : null;
  const taken = terminal ? pipe() : null;
  const slot = terminal ? openSlot() : open('/dev/null', O_RDWR);
  const [asks, answers] = stops ? [open(stops.asks, O_RDWR), open(stops.answers, O_RDWR)] : [-1, -1];
  const stop = (moment: string) => {
    if (!stops) return;
    write(asks, `${moment}\n`);
    read(answers, 1);
  };
  const namespaces = namespacesOf(container);
  const prepare = () => {
    joinContainer(namespaces, () => stop('cgroup'));
    stop('joined');
    if (terminal === undefined) leadSession(null);
    else
      takeTerminal('/', {
        slot,
        announce: handover!.write,
        awaitTaken: () => void read(taken!.read, 1),
        size: terminal,
      });
  };
  const child = forkInto(namespaces, () =>
    spawn({ args, env, cwd: '/', stdio: [slot, slot, slot] }, { cloneFlags: 0n, prepare }),
  );
  for (const fd of [slot, asks, answers, handover?.write, taken?.read]) if (fd !== undefined && fd >= 0) close(fd);
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
    if (number !== '') master = takeMaster(pid, Number(number));
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

function failIfItDid(report: number): void {
  const failure = readAll(report);
  close(report);
  if (failure) throw new Error(`the child failed: ${(JSON.parse(failure) as { message: string }).message}`);
}

/** What a fork does that the kernel refuses. */
export function forkThatFails(container: number): void {
  forkInto(namespacesOf(container), () => {
    throw new Error('fork: Cannot allocate memory');
  });
}

/** What a person types. */
export function type(master: number, text: string): void {
  write(master, text);
}

/** A directory in which somebody has put a link where the multiplexer should be. */
export function openTerminalBehindLink(directory: string): void {
  symlinkSync('/dev/pts/ptmx', `${directory}/ptmx`);
  openTerminal(open(directory, O_PATH | O_DIRECTORY));
}

/** Feed a scanner piece by piece. */
export function scan(keys: number[], chunks: number[][]): { passed: number[]; detached: boolean }[] {
  const feed = detachScanner(Uint8Array.from(keys));
  return chunks.map((chunk) => {
    const { passed, detached } = feed(Uint8Array.from(chunk));
    return { passed: [...passed], detached };
  });
}
