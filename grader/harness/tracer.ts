/**
 * The process that watches another one's system calls for the judge (trace-syscalls.ts). It blocks in wait4(2) for its
 * whole life, says each finished call as a line of JSON before the caller may go on, and is ended by a signal: the kernel
 * then lets go of whatever it traced.
 *
 * Usage: node --single-threaded grade.cjs trace PID [stand-in] [slow-kills]
 */

import fs from 'node:fs';
import path from 'node:path';
import { PR_SET_PDEATHSIG, prctl } from '../../engine/kernel/credentials.ts';
import * as ptrace from '../../engine/kernel/ptrace.ts';
import { waitpid } from '../../engine/kernel/wait.ts';
import { thisMachine } from '../../engine/runtime/seccomp/architectures.ts';
import type { SystemCall, SystemCallName } from './trace-syscalls.ts';

const SIGKILL = 9;
const SIGTRAP = 5;
const STOPS = [19, 20, 21, 22]; // SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU
const SYSCALL_STOP = SIGTRAP | 0x80;
const __WALL = 0x40000000;
const AT_FDCWD = -100;
const LONGEST_PATH = 4096;
const OPTIONS =
  ptrace.PTRACE_O_TRACESYSGOOD |
  ptrace.PTRACE_O_TRACEFORK |
  ptrace.PTRACE_O_TRACEVFORK |
  ptrace.PTRACE_O_TRACECLONE |
  ptrace.PTRACE_O_TRACEEXEC;

/** Where a call's paths are among its arguments: `fd` a descriptor, `path` a path, `at` a directory and then a path. */
type Argument = ['fd' | 'path' | 'at', number];

const watched: Record<string, { call: SystemCallName; first: Argument; second?: Argument }> = {
  fsync: { call: 'fsync', first: ['fd', 0] },
  fdatasync: { call: 'fdatasync', first: ['fd', 0] },
  syncfs: { call: 'syncfs', first: ['fd', 0] },
  sync: { call: 'sync', first: ['path', -1] },
  open: { call: 'open', first: ['path', 0] },
  creat: { call: 'open', first: ['path', 0] },
  openat: { call: 'open', first: ['at', 0] },
  openat2: { call: 'open', first: ['at', 0] },
  write: { call: 'write', first: ['fd', 0] },
  writev: { call: 'write', first: ['fd', 0] },
  pwrite64: { call: 'write', first: ['fd', 0] },
  pwritev: { call: 'write', first: ['fd', 0] },
  pwritev2: { call: 'write', first: ['fd', 0] },
  ftruncate: { call: 'truncate', first: ['fd', 0] },
  truncate: { call: 'truncate', first: ['path', 0] },
  rename: { call: 'rename', first: ['path', 0], second: ['path', 1] },
  renameat: { call: 'rename', first: ['at', 0], second: ['at', 2] },
  renameat2: { call: 'rename', first: ['at', 0], second: ['at', 2] },
  link: { call: 'link', first: ['path', 0], second: ['path', 1] },
  linkat: { call: 'link', first: ['at', 0], second: ['at', 2] },
  unlink: { call: 'unlink', first: ['path', 0] },
  unlinkat: { call: 'unlink', first: ['at', 0] },
  rmdir: { call: 'rmdir', first: ['path', 0] },
  mkdir: { call: 'mkdir', first: ['path', 0] },
  mkdirat: { call: 'mkdir', first: ['at', 0] },
  mknod: { call: 'mknod', first: ['path', 0] },
  mknodat: { call: 'mknod', first: ['at', 0] },
};

const KILLS = ['kill', 'tkill', 'tgkill', 'pidfd_send_signal'];
/** Milliseconds: many forks long. */
const BETWEEN_KILLS = 20;

export async function trace(): Promise<void> {
  const pid = Number(process.argv[3]);
  const standIn = process.argv.includes('stand-in', 4);
  const slowKills = process.argv.includes('slow-kills', 4);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const names = new Map(Array.from(thisMachine().native.syscalls(), ([name, number]) => [number, name]));
  const unfinished = new Map<number, SystemCall>();
  const waiting = new Set<number>();
  for (const task of fs.readdirSync(`/proc/${pid}/task`).map(Number)) {
    ptrace.seize(task, OPTIONS);
    ptrace.interrupt(task);
    waiting.add(task);
  }
  for (;;) {
    let stopped: { pid: number; status: number };
    try {
      stopped = waitpid(-1, __WALL)!;
    } catch (error) {
      if ((error as { code?: string }).code === 'ECHILD') return;
      if ((error as { code?: string }).code === 'EINTR') continue;
      throw error;
    }
    const { pid: tid, status } = stopped;
    if ((status & 0xff) !== 0x7f) {
      unfinished.delete(tid);
      continue;
    }
    try {
      goOn(tid, status);
    } catch {
      unfinished.delete(tid); // ESRCH: it was killed where it stood.
    }
    if (waiting.delete(tid) && waiting.size === 0) say('ready');
  }

  function goOn(tid: number, status: number): void {
    const signal = (status >> 8) & 0xff;
    const event = status >> 16;
    if (signal === SYSCALL_STOP) {
      look(tid);
      ptrace.resumeToSystemCall(tid, 0);
    } else if (event === ptrace.PTRACE_EVENT_STOP && STOPS.includes(signal)) ptrace.listenToStopped(tid);
    else ptrace.resumeToSystemCall(tid, event === 0 ? signal : 0);
  }

  function look(tid: number): void {
    const stop = ptrace.systemCallStop(tid);
    if (stop?.at === 'entry') {
      if (slowKills && KILLS.includes(names.get(stop.number) ?? '')) holdUp(BETWEEN_KILLS);
      const wanted = watched[names.get(stop.number) ?? ''];
      if (wanted === undefined) return;
      const call: SystemCall = { pid: tid, call: wanted.call, path: pathOf(tid, wanted.first, stop.args), result: 0 };
      if (wanted.second !== undefined) call.to = pathOf(tid, wanted.second, stop.args);
      if (wanted.call === 'mknod') call.node = nodeOf(tid, wanted.first, stop.args, standIn);
      unfinished.set(tid, call);
    } else if (stop?.at === 'exit') {
      const call = unfinished.get(tid);
      unfinished.delete(tid);
      if (call !== undefined) say(JSON.stringify({ ...call, result: stop.result }));
    }
  }
}

/** The traced process stands still meanwhile, and all others go on. */
function holdUp(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function say(line: string): void {
  fs.writeSync(1, `${line}\n`);
}

const S_IFMT = 0o170000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const S_IFREG = 0o100000;

/**
 * What mknod is asked for. With `standIn` the call goes on as one for an empty file with the same permissions, which every
 * kernel grants: a device is for the machine's root alone. The caller may then change the file's owner and mode as if it were one.
 */
function nodeOf(tid: number, [kind]: Argument, args: bigint[], standIn: boolean): { mode: number; device: number } {
  const first = kind === 'at' ? 2 : 1;
  const mode = Number(BigInt.asUintN(32, args[first]!));
  const device = Number(BigInt.asUintN(32, args[first + 1]!));
  if (standIn && [S_IFCHR, S_IFBLK].includes(mode & S_IFMT))
    ptrace.setArguments(tid, { [first]: BigInt(S_IFREG | (mode & ~S_IFMT)), [first + 1]: 0n });
  return { mode, device };
}

/** A path to an open descriptor of the caller's own leads on to what that is open at. */
function throughDescriptor(tid: number, text: string): string {
  const [whole, fd] = /^\/proc\/(?:self|thread-self)\/fd\/(\d+)/.exec(text) ?? [];
  return whole === undefined ? text : `${linkOf(`/proc/${tid}/fd/${fd}`)}${text.slice(whole.length)}`;
}

function pathOf(tid: number, [kind, index]: Argument, args: bigint[]): string {
  if (index < 0) return '';
  const value = args[index]!;
  if (kind === 'fd') return linkOf(`/proc/${tid}/fd/${Number(BigInt.asIntN(32, value))}`);
  const text = throughDescriptor(tid, textAt(tid, kind === 'path' ? value : args[index + 1]!));
  if (text.startsWith('/')) return path.posix.normalize(text);
  const directory = kind === 'path' ? AT_FDCWD : Number(BigInt.asIntN(32, value));
  const base = linkOf(directory === AT_FDCWD ? `/proc/${tid}/cwd` : `/proc/${tid}/fd/${directory}`);
  return path.posix.join(base, text);
}

/** A string in the memory of another process. proc_pid_mem(5). */
function textAt(tid: number, address: bigint): string {
  let memory: number | undefined;
  try {
    memory = fs.openSync(`/proc/${tid}/mem`, 'r');
    const pieces: Buffer[] = [];
    for (let at = address; at < address + BigInt(LONGEST_PATH); ) {
      // A read that runs into a page that is not there gives nothing of the one that is.
      const length = Number(4096n - (at % 4096n));
      const buffer = Buffer.alloc(length);
      const count = fs.readSync(memory, buffer, 0, length, at as unknown as number);
      const end = buffer.indexOf(0);
      if (end >= 0 && end < count) return Buffer.concat([...pieces, buffer.subarray(0, end)]).toString();
      if (count === 0) break;
      pieces.push(buffer.subarray(0, count));
      at += BigInt(count);
    }
  } catch {
    // An invalid address: the kernel answers EFAULT, too.
  } finally {
    if (memory !== undefined) fs.closeSync(memory);
  }
  return '';
}

function linkOf(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    return '';
  }
}
