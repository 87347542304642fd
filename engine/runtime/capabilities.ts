/** Which capabilities there are to give. capabilities(7). */

import { readFileSync } from 'node:fs';
import { readCapabilities } from '#privileges';

/** What Docker gives a container that asks for nothing else. */
export const defaultCapabilities: readonly string[] =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/** The most a process started from here can have: what this process itself is permitted. */
export function hostCapabilities(): string[] {
  return readCapabilities(readFileSync('/proc/self/status', 'latin1')).permitted;
}
