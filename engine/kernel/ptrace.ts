/** Watching another process's system calls. ptrace(2). All calls of one tracer come from one thread. */

import { addressOf, systemCall } from './libc.ts';

const PTRACE_SYSCALL = 24;
const PTRACE_GETREGSET = 0x4204;
const PTRACE_SETREGSET = 0x4205;
const NT_PRSTATUS = 1n;
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

/** Where a system call's arguments are in struct user_regs_struct (x86-64: di, si, dx, 10, 8, 9; arm64: x0 to x5), in words. */
const ARGUMENT_REGISTERS = process.arch === 'arm64' ? [0, 1, 2, 3, 4, 5] : [14, 13, 12, 7, 9, 8];
const MOST_REGISTER_BYTES = 512;

/** Change arguments of the system call that a thread is about to make; it stands at its entry. @param changed by their places, 0…5. */
export function setArguments(tid: number, changed: Record<number, bigint>): void {
  const registers = Buffer.alloc(MOST_REGISTER_BYTES);
  const vector = Buffer.alloc(16); // struct iovec
  vector.writeBigUInt64LE(addressOf(registers), 0);
  vector.writeBigUInt64LE(BigInt(registers.length), 8);
  withBuffer(String(tid), PTRACE_GETREGSET, tid, NT_PRSTATUS, vector);
  for (const [place, value] of Object.entries(changed))
    registers.writeBigUInt64LE(value, 8 * ARGUMENT_REGISTERS[Number(place)]!);
  withBuffer(String(tid), PTRACE_SETREGSET, tid, NT_PRSTATUS, vector);
}
