/** The judge's own look at the kernel. Nothing here asks the subject. proc(5). */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isOver, parseProcessStat } from '../../engine/kernel/process-stat.ts';
import { stopwatch } from './own-time.ts';
import { draw } from './random.ts';
import { rootfsTemplate } from './rootfs.ts';
import type { Subject } from './suite.ts';

/** Random, and another one every time: put it into a program's environment as `SKIFF_NONCE=…` to know the process by. */
export function nonce(): string {
  return draw.bytes(12).toString('hex');
}

export interface WantedProcess {
  /** The program of /bin it must run, `sh` if absent. With busybox all programs are one file. */
  program?: string;
  /** Milliseconds, 3,000 if absent. */
  patience?: number;
}

/**
 * The one process below the sandbox that has the nonce in its environment and runs the expected program.
 * @returns its pid on this machine. @throws Error, a sentence for the learner.
 */
export async function processWithNonce(
  subject: Pick<Subject, 'pid'>,
  nonce: string,
  { program = 'sh', patience = 3_000 }: WantedProcess = {},
): Promise<number> {
  let found: number[] = [];
  for (const elapsed = stopwatch(); ; ) {
    found = descendants(subject.pid).filter((pid) => hasNonce(pid, nonce));
    const running = found.filter((pid) => runs(pid, program));
    if (running.length === 1) return running[0]!;
    if (running.length > 1)
      throw new Error(
        `The program runs ${running.length} times (processes ${running.join(', ')}); it was to run once.`,
      );
    if (elapsed() > patience) break;
    // There is no event for an exec in someone else's process tree.
    await sleep(pause(elapsed()));
  }
  const other = found.map((pid) => `process ${pid} has it but runs ${linkOf(`/proc/${pid}/exe`)}`);
  throw new Error(
    `No process with SKIFF_NONCE=${nonce} in its environment runs ${program} within ${patience / 1000} s` +
      `${other.length > 0 ? `: ${other.join('; ')}` : ': was the program started, with the environment it was given?'}`,
  );
}

/** All processes below `pid`, however deep. */
export function descendants(pid: number): number[] {
  const found: number[] = [];
  for (const task of list(`/proc/${pid}/task`))
    for (const child of textOf(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number))
      found.push(child, ...descendants(child));
  return found;
}

/** The child of the subject that has pid `inner` in the subject's PID namespace. */
export function childOf(subject: Pick<Subject, 'pid'>, inner: number): number {
  const depth = status(subject.pid).NSpid!.split(/\s+/).length;
  const children = fs.readFileSync(`/proc/${subject.pid}/task/${subject.pid}/children`, 'utf8').trim().split(' ');
  const found = children.map(Number).find((pid) => status(pid).NSpid?.split(/\s+/)[depth - 1] === String(inner));
  if (found === undefined) throw new Error(`The subject answered pid ${inner}, but no child of it has that pid.`);
  return found;
}

function hasNonce(pid: number, nonce: string): boolean {
  return textOf(`/proc/${pid}/environ`).split('\0').includes(`SKIFF_NONCE=${nonce}`);
}

/** Whether the process runs this machine's own program of that name, or an unchanged copy of the prepared tree's. */
function runs(pid: number, program: string): boolean {
  try {
    const exe = `/proc/${pid}/exe`;
    const stat = fs.statSync(exe, { bigint: true });
    const originals = [path.join(rootfsTemplate(), 'bin', program), `/bin/${program}`, `/usr/bin/${program}`];
    return originals.some((original) => {
      const other = fs.statSync(original, { bigint: true, throwIfNoEntry: false });
      if (other === undefined) return false;
      if (other.dev === stat.dev && other.ino === stat.ino) return true;
      return other.size === stat.size && isCopy(original, exe, stat);
    });
  } catch {
    return false;
  }
}

/** A program is megabytes long, and is looked at many times. What has been compared cannot change and keep its ctime. */
const compared = new Map<string, boolean>();

function isCopy(original: string, exe: string, { dev, ino, size, ctimeNs }: fs.BigIntStats): boolean {
  const key = [original, dev, ino, size, ctimeNs].join(' ');
  const known = compared.get(key);
  if (known !== undefined) return known;
  const same = fs.readFileSync(original).equals(fs.readFileSync(exe));
  compared.set(key, same);
  return same;
}

/** The inode number that names a namespace. @param type a name of /proc/PID/ns, e.g. `mnt`. @throws Error when there is no such process. namespaces(7). */
export function namespaceInode(pid: number, type: string): number {
  const link = fs.readlinkSync(`/proc/${pid}/ns/${type}`);
  return Number(/\[(\d+)\]/.exec(link)![1]);
}

export interface MountInfo {
  id: number;
  parent: number;
  device: string;
  /** The path inside its file system that is mounted. */
  root: string;
  mountPoint: string;
  options: string[];
  /** `shared:N`, `master:N`, `propagate_from:N`, `unbindable`; empty for a private mount. */
  optionalFields: string[];
  type: string;
  source: string;
  superOptions: string[];
}

/** The mounts a process sees, in the kernel's order, from its own root. proc_pid_mountinfo(5). */
export function mountinfo(pid: number): MountInfo[] {
  const lines = fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    return {
      id: Number(fields[0]),
      parent: Number(fields[1]),
      device: fields[2]!,
      root: unescapeOctal(fields[3]!),
      mountPoint: unescapeOctal(fields[4]!),
      options: fields[5]!.split(','),
      optionalFields: fields.slice(6, dash),
      type: fields[dash + 1]!,
      source: unescapeOctal(fields[dash + 2]!),
      superOptions: fields[dash + 3]!.split(','),
    };
  });
}

function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** /proc/PID/status, e.g. `status(pid).NoNewPrivs === '1'`. */
export function status(pid: number): Record<string, string> {
  const lines = fs.readFileSync(`/proc/${pid}/status`, 'utf8').split('\n').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}

/** Open descriptors and what each is, e.g. `{0: '/dev/null', 1: 'pipe:[123]'}`. */
export function openDescriptors(pid: number): Record<number, string> {
  return Object.fromEntries(list(`/proc/${pid}/fd`).map((fd) => [Number(fd), linkOf(`/proc/${pid}/fd/${fd}`)]));
}

/** Bit n − 1 stands for signal n. signal(7). */
export function signalSets(pid: number): { blocked: bigint; ignored: bigint; caught: bigint } {
  const fields = status(pid);
  const mask = (name: string) => BigInt(`0x${fields[name]}`);
  return { blocked: mask('SigBlk'), ignored: mask('SigIgn'), caught: mask('SigCgt') };
}

export function environ(pid: number): string[] {
  return fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
}

export function cmdline(pid: number): string[] {
  return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
}

export interface IdMapLine {
  containerID: number;
  /** As seen from the judge's own user namespace. */
  hostID: number;
  size: number;
}

/** /proc/PID/uid_map or gid_map. user_namespaces(7). */
export function idMap(pid: number, kind: 'uid' | 'gid'): IdMapLine[] {
  const lines = fs.readFileSync(`/proc/${pid}/${kind}_map`, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => {
    const [containerID, hostID, size] = line.trim().split(/\s+/).map(Number);
    return { containerID: containerID!, hostID: hostID!, size: size! };
  });
}

/**
 * Wait until `look` answers something other than null.
 * @param during a call of the module, which is over too soon when it fails before.
 * @throws Error with `late` when it did not in time; what `during` throws.
 */
export async function eventually<T>(
  look: () => T | null,
  late: string,
  patience = 3_000,
  during?: Promise<unknown>,
): Promise<T> {
  let failed: { error: unknown } | undefined;
  during?.catch((error: unknown) => {
    failed = { error };
  });
  for (const elapsed = stopwatch(); ; ) {
    const seen = look();
    if (seen !== null) return seen;
    if (failed !== undefined) throw failed.error;
    if (elapsed() > patience) throw new Error(late);
    await sleep(pause(elapsed()));
  }
}

/** Milliseconds until the next look: the longer something takes, the less does it matter. */
export function pause(waited: number): number {
  return Math.min(50, 3 + waited / 10);
}

/** Whether there is a process `pid` that has not ended; a zombie has. */
export function isRunning(pid: number): boolean {
  const text = textOf(`/proc/${pid}/stat`);
  return text !== '' && !isOver(parseProcessStat(text));
}

/** What a machine cannot do is not learned from a process that has ended: that is its own doing. @throws Error */
export function requireRunning(pid: number, cause: Error): void {
  if (!isRunning(pid)) throw new Error(`Process ${pid} has ended, and should still run: ${cause.message}`, { cause });
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch (error) {
    return `(${(error as NodeJS.ErrnoException).code})`;
  }
}
