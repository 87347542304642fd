import { systemCall } from './libc.ts';

const waitpidCall = systemCall('int waitpid(int, _Out_ int *, int)');

export const WNOHANG = 1;

/**
 * waitpid(2). @param pid a child, or −1 for any. @param options 0 or WNOHANG.
 * @returns the child that ended and its wait status; null with WNOHANG when none has.
 * @throws KernelError ECHILD when there is no such child, EINTR when a signal came first.
 */
export function waitpid(pid: number, options = 0): { pid: number; status: number } | null {
  const status = [0];
  const ended = waitpidCall(String(pid), pid, status, options);
  return ended === 0 ? null : { pid: ended, status: status[0]! };
}
