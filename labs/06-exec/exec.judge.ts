/** What the suite has in its hands: containers and what joined them, found and looked at from outside. */

import { parseProcessStat } from '../../engine/kernel/process-stat.ts';
import { getWindowSize } from '../../engine/kernel/terminal.ts';
import {
  childOf,
  eventually,
  idMap,
  isRunning,
  nonce,
  processWithNonce,
  requireRunning,
} from '../../grader/harness/evidence.ts';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from '../../grader/harness/files.ts';
import { makeFifo, type Subject, tell, unsupported } from '../../grader/harness/suite.ts';
import type { Part } from './exec.driver.ts';

export const everyNew = ['pid', 'mount', 'uts', 'ipc', 'network', 'cgroup'].map((type) => ({ type }));
export const procNames: Record<string, string> = {
  pid: 'pid',
  mount: 'mnt',
  uts: 'uts',
  ipc: 'ipc',
  network: 'net',
  user: 'user',
  cgroup: 'cgroup',
};

export interface Found {
  /** As the judge sees it. */
  pid: number;
  /** As the subject says it. */
  inside: number;
}

/** Start a container that sleeps. */
export async function container(subject: Subject, request: Record<string, unknown> = {}): Promise<Found> {
  const mark = nonce();
  const inside = (await subject.call('startContainer', {
    args: sleeper(subject),
    env: [`SKIFF_NONCE=${mark}`],
    namespaces: everyNew,
    ...request,
  })) as number;
  return { pid: await processWithNonce(subject, mark, { program: 'sleep', patience: 10_000 }), inside };
}

export interface JoinRequest {
  /** Which functions are the learner's; the others are the engine's. */
  parts: Part[];
  args?: string[];
  terminal?: { height: number; width: number };
  program?: string;
}

/** Join a container with a program that sleeps, unless told otherwise. */
export async function join(
  subject: Subject,
  { inside }: Found,
  { program = 'sleep', ...request }: JoinRequest,
): Promise<{ pid: number; master: number }> {
  const mark = nonce();
  const master = (await subject.call('startExec', {
    container: inside,
    args: sleeper(subject),
    env: [`SKIFF_NONCE=${mark}`],
    ...request,
  })) as number;
  return { pid: await processWithNonce(subject, mark, { program, patience: 10_000 }), master };
}

/** Start a program that keeps the descriptors of the subject that exec does not close. @returns its pid */
export async function afterExec(subject: Subject): Promise<number> {
  const mark = nonce();
  await subject.call('keepAcrossExec', sleeper(subject), [`SKIFF_NONCE=${mark}`]);
  return await processWithNonce(subject, mark, { program: 'sleep', patience: 10_000 });
}

export function sleeper(subject: Subject): string[] {
  return [`${subject.rootfs}/bin/sleep`, '1000'];
}

export function shell(subject: Subject, script: string): string[] {
  return [`${subject.rootfs}/bin/sh`, '-c', script];
}

/** The moments at which the child stops, in their order. */
export const moments = ['born', 'cgroup', 'joined'] as const;
export type Moment = (typeof moments)[number];

const words: Record<Moment, string> = {
  born: 'it is born, and has called none of your functions yet',
  cgroup: 'joinContainer calls enterCgroup',
  joined: 'joinContainer has returned',
};

export interface Stopped {
  /** The child on its way, as the judge sees it. */
  pid: number;
  /** Let it go on until the next moment, and wait for that. The child stands at `born` first. */
  reaches(moment: Moment): Promise<void>;
  /** Let it go on, and wait until it has become its program. */
  finish(): Promise<void>;
  close(): void;
}

/** Have a child join that stops at each moment until it is told to go on. */
export async function joinInSteps(subject: Subject, { inside }: Found, parts: Part[]): Promise<Stopped> {
  const work = await subject.workDir();
  const [asks, answers] = ['asks', 'answers'].map((name) => makeFifo(work.outside, name)) as [string, string];
  const ear = openSync(asks, constants.O_RDWR | constants.O_NONBLOCK);
  let heard = '';
  let pid = 0;
  const finish = async () => void (await subject.call('finishExec'));
  const next = async (moment: Moment) => {
    const seen = await eventually(
      () => {
        heard += readSome(ear);
        return heard.includes('\n') || !isRunning(pid) || null;
      },
      `The joining child should come to the moment at which ${words[moment]}. It did not within 10 seconds.`,
      10_000,
    );
    if (seen && !heard.includes('\n')) {
      // What the child reported is thrown here.
      await finish();
      throw new Error(`The joining child ended before the moment at which ${words[moment]}.`);
    }
    const [line, ...rest] = heard.split('\n');
    heard = rest.join('\n');
    if (line !== moment)
      throw new Error(
        `The next moment should be the one at which ${words[moment]}; it is the one at which ${words[line as Moment]}.`,
      );
  };
  try {
    const inner = (await subject.call('prepareExec', {
      container: inside,
      args: sleeper(subject),
      env: [],
      parts,
      stops: { asks: `${work.inside}/asks`, answers: `${work.inside}/answers` },
    })) as number;
    pid = childOf(subject, inner);
    await next('born');
  } catch (error) {
    closeSync(ear);
    throw error;
  }
  return {
    pid,
    reaches: async (moment) => {
      await tell(answers, '.');
      await next(moment);
    },
    finish: async () => {
      await tell(answers, '.');
      await finish();
    },
    close: () => closeSync(ear),
  };
}

function readSome(fd: number): string {
  const buffer = Buffer.alloc(64);
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

/**
 * Who owns the private files of /proc/PID: whom the process belongs to, or root of the user namespace it was executed
 * in when it is not dumpable. proc(5), PR_SET_DUMPABLE of prctl(2).
 */
export function ownerOfPrivateFiles(pid: number): number {
  return statSync(`/proc/${pid}/fd`).uid;
}

/** A sandbox of one id has nobody to be but root. */
export function needManyIds(subject: Subject): void {
  const ids = idMap(subject.pid, 'uid').reduce((sum, { size }) => sum + size, 0);
  if (ids < 4096)
    unsupported(
      'A sandbox has only one user id here, and this test needs more: ./workshop doctor says how to get them.',
    );
}

/**
 * A cgroup of the judge's own below the one that `pid` is in.
 * @throws HarnessUnsupported where none can be made; Error when the process has ended.
 */
export function makeCgroup(pid: number): { add(pid: number): void; hierarchy: string; remove(): void } {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  const line = lines.find((text) => /:pids(,|:)/.test(text)) ?? lines.find((text) => text.startsWith('0::'));
  const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line ?? '') ?? [];
  const root = `/sys/fs/cgroup/${controllers}${path}`.replace(/\/+$/, '');
  const directory = `${root}/joined-${nonce()}`;
  const remove = () => existsSync(directory) && rmdirSync(directory);
  const add = (process: number) => writeFileSync(`${directory}/cgroup.procs`, String(process));
  try {
    mkdirSync(directory);
    add(pid);
  } catch (error) {
    remove();
    requireRunning(pid, error as Error);
    unsupported(`No cgroup can be made below ${root} here: ${(error as Error).message}`);
  }
  return { add, hierarchy: hierarchy!, remove };
}

/** Where a process is in one hierarchy. cgroups(7). */
export function cgroupOf(pid: number, hierarchy: string): string | undefined {
  return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`${hierarchy}:`));
}

/** What the kernel says of a process's session. proc_pid_stat(5). */
export function sessionOf(pid: number): { session: number; group: number; terminal: number; foreground: number } {
  const { session, group, terminal, foreground } = parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  return { session, group, terminal, foreground };
}

/** tty_nr of /proc/PID/stat packs a device number otherwise than stat(2) does: the minor's high bits lie above. */
export function packed(rdev: number): number {
  const [major, minor] = [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)];
  return (major << 8) | (minor & 0xff) | ((minor & 0xfff00) << 12);
}

/** The size of the terminal a process has as standard input, by the judge's own ioctl. @throws Error if that is not a terminal. */
export function terminalSize(pid: number): { height: number; width: number } {
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
  const fd = openSync(`/proc/${pid}/fd/0`, O_RDWR | O_NOCTTY | O_NONBLOCK);
  try {
    if (!isTerminal(fstatSync(fd).rdev)) throw new Error('The standard input of the program is not a pseudo-terminal.');
    return getWindowSize(fd);
  } finally {
    closeSync(fd);
  }
}

/** Majors 136…143 are the slaves of pseudo-terminals. linux/devices.txt */
function isTerminal(rdev: number): boolean {
  const major = (rdev >> 8) & 0xfff;
  return major >= 136 && major <= 143;
}

/** What a scanner should answer to each piece, by the words of its contract. */
export function scanned(keys: string, chunks: string[]): { passed: string; detached: boolean }[] {
  let [typed, sent] = ['', 0];
  return chunks.map((chunk) => {
    typed += chunk;
    const found = typed.indexOf(keys);
    const end = found < 0 ? typed.length - beginningAtEnd(keys, typed) : found;
    const passed = typed.slice(sent, end);
    sent = Math.max(sent, end);
    return { passed, detached: found >= 0 };
  });
}

/** The length of the longest beginning of `keys`, shorter than it, that `typed` ends in. */
function beginningAtEnd(keys: string, typed: string): number {
  for (let length = keys.length - 1; length > 0; length--) if (typed.endsWith(keys.slice(0, length))) return length;
  return 0;
}
