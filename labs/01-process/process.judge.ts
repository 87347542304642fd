/** What the suite has in its hands: programs started by the plank, found and looked at from outside. */

import path from 'node:path';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';
import { eventually, isRunning, nonce, processWithNonce, status } from '../../grader/harness/evidence.ts';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from '../../grader/harness/files.ts';
import { makeFifo, openSubject, type Subject, tell, unsupported } from '../../grader/harness/suite.ts';
import type { StartRequest } from './process.driver.ts';

/** Milliseconds that a report may take to come to its end. */
export const DEADLINE = 1_500;

let open: Subject | undefined;

/** One subject serves the whole suite; when a test has ended it, the next test gets a new one. */
export function useOneSubject(): void {
  beforeEach(async () => {
    open ??= await openSubject();
  });
  afterEach(async ({ task }) => {
    if (task.result?.errors?.some(({ name }) => name === 'SubjectDied' || name === 'SubjectTimeout')) await end();
  });
  afterAll(end);
}

async function end(): Promise<void> {
  const ending = open;
  open = undefined;
  await ending?.[Symbol.asyncDispose]();
}

export function subject(): Subject {
  if (!open) throw new Error('useOneSubject() opens a subject for each test.');
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
export async function start(request: Partial<StartRequest> = {}): Promise<Started> {
  const mark = nonce();
  const { pid: inner, report } = await attempt({ ...request, env: [...(request.env ?? []), `SKIFF_NONCE=${mark}`] });
  const program = path.basename(request.args?.[0] ?? 'sleep').replace('tool', 'sh');
  const pid = await processWithNonce(subject(), mark, { program });
  await eventually(() => isAsleep(pid) || null, `The program (process ${pid}) should run, and wait for something.`);
  return { pid, inner, report };
}

/** Past its start, in which a loader may have files open. */
export function isAsleep(pid: number): boolean {
  return isRunning(pid) && status(pid).State!.startsWith('S');
}

export async function attempt(request: Partial<StartRequest>): Promise<{ pid: number; report: number }> {
  const complete = { args: sleeper(), env: [], cwd: '/', ...request };
  return (await subject().call('start', complete)) as { pid: number; report: number };
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

/** The exit code of a child that has ended and that nobody has waited for: the kernel keeps it in the last field of stat. */
export function unreapedExitCode(inner: number): Promise<number> {
  return eventually(() => {
    const pid = children().find((child) => status(child).NSpid?.split(/\s+/).at(-1) === String(inner));
    if (pid === undefined || !status(pid).State?.startsWith('Z')) return null;
    return (Number(readFileSync(`/proc/${pid}/stat`, 'utf8').trim().split(' ').at(-1)) >> 8) & 0xff;
  }, `Child ${inner} of the subject should have ended, and wait to be reaped.`);
}

/** Start something that cannot become its program. @returns what the report says and the exit code of the child. */
export async function fail(request: Partial<StartRequest>): Promise<Record<string, unknown>> {
  const { pid, report } = await attempt(request);
  const text = (await subject().call('readReport', report, DEADLINE)) as string;
  expect(text, 'the report should hold one StepFailure').not.toBe('');
  const failure = JSON.parse(text) as Record<string, unknown>;
  expect(await unreapedExitCode(pid), 'the child should end with the exit code it reports').toBe(failure.exitCode);
  return failure;
}

/** A FIFO through which the judge tells a program its secret, after having looked at it. */
export async function openSecret(): Promise<{ path: string; tell(secret: number): Promise<void> }> {
  const { inside, outside } = await subject().workDir();
  const fifo = makeFifo(outside, 'secret');
  return { path: `${inside}/secret`, tell: (secret) => tell(fifo, `${secret}\n`) };
}

/**
 * Have the plank wait for a child, and come back as soon as it really waits (or has answered already): whoever tells
 * the child to end before that finds out nothing about waiting.
 */
export async function waitFor(inner: number): Promise<{ answer: Promise<unknown> }> {
  const answer = subject().call('wait', inner);
  let answered = false;
  const settle = () => {
    answered = true;
  };
  answer.then(settle, settle);
  await eventually(() => answered || isBlockedInWait() || null, 'The subject should block in wait4(2).');
  return { answer };
}

/** Whether the subject's main thread is inside wait4. proc(5), /proc/PID/syscall. */
export function isBlockedInWait(): boolean {
  const wait4 = process.arch === 'arm64' ? '260' : '61';
  try {
    return readFileSync(`/proc/${subject().pid}/syscall`, 'utf8').split(' ')[0] === wait4;
  } catch (error) {
    return unsupported(`/proc/PID/syscall cannot be read here: ${(error as Error).message}`);
  }
}
