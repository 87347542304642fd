/** What the suite has in its hands: programs started by the plank, found and looked at from outside. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import {
  cmdline,
  eventually,
  isRunning,
  nonce,
  pause,
  processWithNonce,
  status,
} from '../../grader/harness/evidence.ts';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from '../../grader/harness/files.ts';
import { makeFifo, openSubject, type Subject, tell, unsupported } from '../../grader/harness/suite.ts';
import type { StartRequest } from './process.driver.ts';

/** Milliseconds that a report may take to come to its end: when the program runs already, and when a child is on its way. */
export const SOON = 1_500;
const IN_THE_END = 10_000;
const PATIENCE = 10_000;

let open: Subject | undefined;

/** One subject serves the whole suite. */
export function useOneSubject(): void {
  beforeAll(async () => {
    open = await openSubject({ patience: 2 * PATIENCE });
  });
  afterAll(async () => {
    await open?.[Symbol.asyncDispose]();
  });
}

export function subject(): Subject {
  if (!open) throw new Error('useOneSubject() opens a subject for the tests.');
  return open;
}

export interface Started {
  /** As the judge sees it. */
  pid: number;
  /** As the subject says it. */
  inner: number;
  report: number;
}

/** Start a program that sleeps, unless told otherwise, and find it by the nonce in its environment. */
export async function start(request: Partial<StartRequest>): Promise<Started> {
  const mark = nonce();
  const { pid: inner, report } = await attempt({ ...request, env: [...(request.env ?? []), `SKIFF_NONCE=${mark}`] });
  const program = path.basename(request.args?.[0] ?? 'sleep').replace(/^tool.*/, 'sh');
  const pid = await find(mark, program, { inner, report }, request);
  await eventually(
    () => isAsleep(pid) || null,
    `The program (process ${pid}) should run, and wait for something.`,
    PATIENCE,
  );
  return { pid, inner, report };
}

/** @throws Error with what the child reported when it has ended without becoming its program. */
async function find(
  mark: string,
  program: string,
  { inner, report }: Omit<Started, 'pid'>,
  request: Partial<StartRequest>,
): Promise<number> {
  for (const began = Date.now(), deadline = began + PATIENCE; ; ) {
    const late = Date.now() > deadline;
    try {
      return await processWithNonce(subject(), mark, { program, patience: 0 });
    } catch (error) {
      if (late) throw error;
    }
    if (unreaped(inner) !== null) {
      const said = (await subject().call('readReport', report, IN_THE_END)) as string;
      const what = `${JSON.stringify(request.args ?? sleeper())} with the environment ${JSON.stringify(request.env ?? [])}`;
      throw new Error(
        `The program should run: ${what}. The child ended instead; its report says ${said === '' ? 'nothing' : said}.`,
      );
    }
    await sleep(pause(Date.now() - began));
  }
}

/** Past its start, in which a loader may have files open. */
export function isAsleep(pid: number): boolean {
  return isRunning(pid) && status(pid).State!.startsWith('S');
}

export async function attempt(request: Partial<StartRequest>): Promise<{ pid: number; report: number }> {
  const complete = { mine: 'spawn', args: sleeper(), env: [], cwd: '/', ...request };
  const child = (await subject().call('start', complete)) as { pid: number; report: number } | null | undefined;
  if (typeof child?.pid !== 'number' || typeof child.report !== 'number')
    throw new Error(`spawn should return {pid, report}; it returned ${JSON.stringify(child)}.`);
  return child;
}

export function sleeper(): string[] {
  return [`${subject().rootfs}/bin/sleep`, '1000'];
}

export function shell(script: string): string[] {
  return [`${subject().rootfs}/bin/sh`, '-c', script];
}

/** Whether two paths of the judge's lead to one file. */
export function sameFile(a: string, b: string): boolean {
  const [one, other] = [statSync(a), statSync(b)];
  return one.dev === other.dev && one.ino === other.ino;
}

/** A file for the subject. @param file as the judge sees it. */
export function makeFile(file: string, text: string, mode: number): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(file, text);
  chmodSync(file, mode);
}

/** The subject's children, ended and not reaped ones included, as the judge sees them. */
export function children(): number[] {
  const text = readFileSync(`/proc/${subject().pid}/task/${subject().pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** The child of the subject that knows itself as `inner`, as the judge sees it. */
function childNamed(inner: number): number | undefined {
  return children().find((child) => status(child).NSpid?.split(/\s+/).at(-1) === String(inner));
}

/**
 * The wait status of a child that has ended and that nobody has waited for; the kernel keeps it in the last field of stat.
 * Null while there is none. proc_pid_stat(5).
 */
function unreaped(inner: number): number | null {
  const pid = childNamed(inner);
  if (pid === undefined || !status(pid).State?.startsWith('Z')) return null;
  return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').trim().split(' ').at(-1));
}

function unreapedStatus(inner: number): Promise<number> {
  const late = `Child ${inner} of the subject should have ended, and wait to be reaped.`;
  return eventually(() => unreaped(inner), late, PATIENCE);
}

/** How the child ended without becoming its program, as a wait status, or that it `runs` the program. */
export function statusOrProgram(inner: number, program: string): Promise<number | 'runs'> {
  return eventually(
    () => {
      const pid = childNamed(inner);
      if (pid !== undefined && isRunning(pid) && cmdline(pid)[0] === program) return 'runs';
      return unreaped(inner);
    },
    `Child ${inner} of the subject should end, or become its program.`,
    PATIENCE,
  );
}

/** Start something that cannot become its program. @returns what the report says, which is also how the child ended. */
export async function fail(request: Partial<StartRequest>): Promise<Record<string, unknown>> {
  const { pid, report } = await attempt(request);
  const text = (await subject().call('readReport', report, IN_THE_END)) as string;
  if (text === '') throw new Error('The report should hold one StepFailure as JSON; it is empty.');
  let failure: Record<string, unknown>;
  try {
    failure = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new Error(`The report should hold one StepFailure as JSON; it holds ${JSON.stringify(text)}.`);
  }
  const code = ((await unreapedStatus(pid)) >> 8) & 0xff;
  expect(code, 'the exit code of the child, which should be the one that it reports').toBe(failure.exitCode);
  return failure;
}

/** A FIFO through which the judge tells a program its secret, after having looked at it. */
export async function openSecret(): Promise<{ path: string; tell(secret: number): Promise<void> }> {
  const { inside, outside } = await subject().workDir();
  const fifo = makeFifo(outside, 'secret');
  return { path: `${inside}/secret`, tell: (secret) => tell(fifo, `${secret}\n`) };
}

/**
 * Have the plank wait for a child, and come back as soon as it really waits (or has answered already): a child that ends
 * before that shows nothing about waiting.
 */
export async function waitFor(inner: number): Promise<{ answer: Promise<unknown> }> {
  const answer = subject().call('wait', inner);
  let answered = false;
  const settle = () => {
    answered = true;
  };
  answer.then(settle, settle);
  await eventually(() => answered || isWaiting() || null, 'The subject should wait for its child.', PATIENCE);
  return { answer };
}

/** The calls in which Node itself waits, on x86-64 and arm64. */
const EVENT_LOOP = process.arch === 'arm64' ? ['22', '441'] : ['232', '281', '441'];

/** Whether the subject's main thread is blocked in a call, and not in that of the event loop. proc_pid_syscall(5). */
export function isWaiting(): boolean {
  try {
    readFileSync('/proc/self/syscall', 'utf8');
  } catch (error) {
    unsupported(`/proc/PID/syscall cannot be read here: ${(error as Error).message}`);
  }
  const [number = ''] = readFileSync(`/proc/${subject().pid}/syscall`, 'utf8').split(' ');
  return /^\d+$/.test(number) && !EVENT_LOOP.includes(number);
}
