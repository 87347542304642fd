/**
 * Which system calls a subject makes, in their order, seen from the kernel's side by ptrace(2). A module that keeps
 * functions at its top, wraps them in promises or calls libc itself is seen like any other, and nothing in it is replaced.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { builtFile } from './home.ts';
import { unsupported } from './outcome-errors.ts';
import type { Subject } from './suite.ts';

/** Calls by what they do: `rename` is also renameat and renameat2, `write` also pwrite64 and writev, and so on. */
export type SystemCallName =
  | 'fsync'
  | 'fdatasync'
  | 'syncfs'
  | 'sync'
  | 'open'
  | 'write'
  | 'truncate'
  | 'rename'
  | 'link'
  | 'unlink'
  | 'rmdir'
  | 'mkdir'
  | 'mknod';

export interface SystemCall {
  /** The thread that made it, as the judge numbers it. */
  pid: number;
  call: SystemCallName;
  /** Absolute, as the subject sees it: of the descriptor, or of the (first) path; empty for `sync`. */
  path: string;
  /** The new name, of `rename` and `link`. */
  to?: string;
  /** What `mknod` was asked for: S_IF… with permissions before the umask, and the kernel's 32-bit device number. */
  node?: { mode: number; device: number };
  /** What the kernel answered; a negative errno when it refused. */
  result: number;
}

/** What a subject can say without end while it is watched. */
const MOST_BYTES = 16 << 20;

/**
 * Watch the subject, its threads, and all that it forks meanwhile, until `work` is done. Calls stand in the order of
 * their ends. A call that has ended before `work` is done is among them.
 * @param standIn let mknod of a device make an empty file instead, where it could make nothing.
 * @param slowKills let 20 ms pass before each signal is sent, so that what forks has the time to.
 * @throws HarnessUnsupported where no process can be traced; what `work` throws.
 */
export async function traceSyscalls<T>(
  subject: Pick<Subject, 'pid'>,
  work: () => Promise<T>,
  { standIn = false, slowKills = false }: { standIn?: boolean; slowKills?: boolean } = {},
): Promise<{ value: T; calls: SystemCall[] }> {
  const tracer = startTracer(subject.pid, [...(standIn ? ['stand-in'] : []), ...(slowKills ? ['slow-kills'] : [])]);
  const said = listen(tracer);
  const closed = once(tracer, 'close');
  try {
    await said.ready.catch(async (error: Error) => {
      // Only what the judge can show on a process of its own is the machine's doing.
      const own = await whyNotTraced();
      if (own !== null) unsupported(`No process can be watched here: ${own}`);
      throw new Error(
        `The process of your module cannot be watched (${error.message}). Is it gone, or does it trace itself?`,
      );
    });
    const value = await work();
    // It says a call before the caller goes on, so all of them are in the pipe by now.
    tracer.kill('SIGKILL');
    await closed;
    return { value, calls: said.calls() };
  } finally {
    tracer.kill('SIGKILL');
    await closed;
  }
}

/** Why a harmless process of the judge's own cannot be traced; null when it can. */
async function whyNotTraced(): Promise<string | null> {
  const harmless = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  try {
    await once(harmless, 'spawn');
    const tracer = startTracer(harmless.pid!);
    const closed = once(tracer, 'close');
    try {
      return await listen(tracer).ready.then(
        () => null,
        (error: Error) => error.message,
      );
    } finally {
      tracer.kill('SIGKILL');
      await closed;
    }
  } finally {
    harmless.kill('SIGKILL');
  }
}

function startTracer(pid: number, options: string[] = []): ChildProcess {
  return spawn(process.execPath, ['--single-threaded', builtFile('grade'), 'trace', String(pid), ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function listen(tracer: ChildProcess): { ready: Promise<void>; calls(): SystemCall[] } {
  const pieces: Buffer[] = [];
  let [size, complaint] = [0, ''];
  tracer.stderr!.on('data', (chunk) => {
    complaint = (complaint + chunk).slice(0, 2000);
  });
  const ready = new Promise<void>((resolve, reject) => {
    tracer.stdout!.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MOST_BYTES) pieces.push(chunk);
      resolve();
    });
    tracer.once('error', reject);
    tracer.once('close', () => reject(new Error(complaint.trim() || 'the tracer ended')));
  });
  ready.catch(() => {});
  const calls = () => {
    if (size > MOST_BYTES) throw new Error('The subject made more system calls than the judge can look at.');
    const lines = Buffer.concat(pieces).toString().split('\n').filter(Boolean);
    return lines.filter((line) => line !== 'ready').map((line) => JSON.parse(line) as SystemCall);
  };
  return { ready, calls };
}
