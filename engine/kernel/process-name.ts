import { PR_SET_NAME } from './credentials.ts';
import { systemCall } from './libc.ts';

const prctlString = systemCall('int prctl(int, const char *, unsigned long, unsigned long, unsigned long)');

/** What ps(1) and /proc/PID/comm call the calling thread. At most 15 bytes, the kernel cuts the rest. PR_SET_NAME of prctl(2). */
export function setProcessName(name: string): void {
  prctlString(name, PR_SET_NAME, name, 0, 0, 0);
}
