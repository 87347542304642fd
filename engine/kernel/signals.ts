import { constants } from 'node:os';
import { libcFunction, systemCall } from './libc.ts';

const killCall = systemCall('int kill(int, int)');
const signalCall = libcFunction('intptr_t signal(int, intptr_t)');
const sigmask = libcFunction('int pthread_sigmask(int, const void *, void *)');

const SIG_SETMASK = 2;
const SIG_DFL = 0;
const SIGSET_BYTES = 128; // sizeof(sigset_t) in glibc
export const HIGHEST_SIGNAL = 64;

/** kill(2). @param pid 1 or more for a process, −1 for all, other negatives for a process group. @param signal 0…64; 0 only asks. */
export function kill(pid: number, signal: number): void {
  killCall(`${pid} with ${signalName(signal)}`, pid, signal);
}

/** Give signal 1…64 its default action. signal(2). SIGKILL, SIGSTOP and glibc's own two cannot be set and stay as they are. */
export function setDefaultAction(signal: number): void {
  signalCall(signal, SIG_DFL);
}

/** An opaque sigset_t. */
export type SignalMask = Buffer;

/** Block every signal that can be. @returns the mask from before, for `setSignalMask`. pthread_sigmask(3). */
export function blockAllSignals(): SignalMask {
  const before = Buffer.alloc(SIGSET_BYTES);
  sigmask(SIG_SETMASK, Buffer.alloc(SIGSET_BYTES, 0xff), before);
  return before;
}

export function setSignalMask(mask: SignalMask): void {
  sigmask(SIG_SETMASK, mask, null);
}

/** Let every signal through. */
export function unblockAllSignals(): void {
  sigmask(SIG_SETMASK, Buffer.alloc(SIGSET_BYTES), null);
}

const names = new Map<number, string>();
for (const [name, number] of Object.entries(constants.signals)) if (!names.has(number)) names.set(number, name);

/** `SIGKILL` for 9, `SIGRTMIN+1` for 35, … signal(7). */
export function signalName(signal: number): string {
  return (
    names.get(signal) ?? (signal >= 34 && signal <= HIGHEST_SIGNAL ? `SIGRTMIN+${signal - 34}` : `signal ${signal}`)
  );
}
