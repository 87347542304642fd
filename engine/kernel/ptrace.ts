/** Watching another process's system calls. ptrace(2). All calls of one tracer come from one thread. */

import { systemCall } from './libc.ts';

const PTRACE_SYSCALL = 24;
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const PTRACE_LISTEN = 0x4208;
const PTRACE_GET_SYSCALL_INFO = 0x420e;

export const PTRACE_O_TRACESYSGOOD = 1n;
export const PTRACE_O_TRACEFORK = 2n;
export const PTRACE_O_TRACEVFORK = 4n;
export const PTRACE_O_TRACECLONE = 8n;
export const PTRACE_O_TRACEEXEC = 16n;
export const PTRACE_EVENT_STOP = 128;

const OP_ENTRY = 1;
const OP_EXIT = 2;
const INFO_SIZE = 88;

const withNumber = systemCall('long ptrace(long, int, uint64_t, uint64_t)');
const withBuffer = systemCall('long ptrace(long, int, uint64_t, uint8_t *)');

/** Become the tracer of a thread, without stopping it. @param options PTRACE_O_… or'ed together. */
export function seize(tid: number, options: bigint): void {
  withNumber(String(tid), PTRACE_SEIZE, tid, 0n, options);
}

/** Make a seized thread stop, with PTRACE_EVENT_STOP. */
export function interrupt(tid: number): void {
  withNumber(String(tid), PTRACE_INTERRUPT, tid, 0n, 0n);
}

/** Let a stopped thread go on to the next beginning or end of a system call. @param signal delivered to it; 0 for none. */
export function resumeToSystemCall(tid: number, signal: number): void {
  withNumber(String(tid), PTRACE_SYSCALL, tid, 0n, BigInt(signal));
}

/** Leave a thread in its group-stop (SIGSTOP), and hear when that ends. */
export function listenToStopped(tid: number): void {
  withNumber(String(tid), PTRACE_LISTEN, tid, 0n, 0n);
}

export type SystemCallStop =
  | { at: 'entry'; number: number; args: bigint[] }
  /** @property result negative errno when the call failed. */
  | { at: 'exit'; result: number };

/** What a thread in a syscall-stop is about to ask, or was answered; null for other stops. Linux 5.3. */
export function systemCallStop(tid: number): SystemCallStop | null {
  const info = Buffer.alloc(INFO_SIZE); // struct ptrace_syscall_info
  withBuffer(String(tid), PTRACE_GET_SYSCALL_INFO, tid, BigInt(INFO_SIZE), info);
  if (info[0] === OP_EXIT) return { at: 'exit', result: Number(info.readBigInt64LE(24)) };
  if (info[0] !== OP_ENTRY) return null;
  const args = Array.from({ length: 6 }, (_, index) => info.readBigUInt64LE(32 + 8 * index));
  return { at: 'entry', number: Number(info.readBigUInt64LE(24)), args };
}
