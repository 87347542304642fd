/** Processes by descriptor: a pid may be used again by another process, a pidfd may not. */

import { rawSystemCall } from './libc.ts';
import { signalName } from './signals.ts';

/** pidfd_open(2). It is readable (poll) once the process has ended. @throws KernelError ESRCH */
export function pidfdOpen(pid: number): number {
  return rawSystemCall('pidfd_open', String(pid), pid, 0);
}

/** pidfd_getfd(2): a copy, close-on-exec, of descriptor `fd` of another process. Needs the right to ptrace it. */
export function pidfdGetFd(pidfd: number, fd: number): number {
  return rawSystemCall('pidfd_getfd', `descriptor ${fd} of pidfd ${pidfd}`, pidfd, fd, 0);
}

/** pidfd_send_signal(2). @throws KernelError ESRCH when the process has ended. */
export function pidfdSendSignal(pidfd: number, signal: number): void {
  rawSystemCall('pidfd_send_signal', `pidfd ${pidfd} with ${signalName(signal)}`, pidfd, signal, 0, 0);
}
