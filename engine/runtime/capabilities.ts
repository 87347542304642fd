/** The root user's powers, one by one. capabilities(7). */

import { readFileSync } from 'node:fs';
import * as kernel from '#kernel/credentials';
import type { Capabilities } from './spec.ts';

/** linux/capability.h, in the order of its numbers. */
export const capabilityNames = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

/** What Docker gives a container that asks for nothing else. */
export const defaultCapabilities: readonly string[] =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

const bits = new Map<string, number>(capabilityNames.map((name, bit) => [name, bit]));

/**
 * The mask of a list of capabilities, bit n for capability n.
 * @throws Error that names a capability there is not.
 */
export function capabilityMask(names: string[]): bigint {
  return names.reduce((mask, name) => {
    const bit = bits.get(name);
    if (bit === undefined) throw new Error(`There is no capability ${name}; capabilities are written like CAP_CHOWN.`);
    return mask | (1n << BigInt(bit));
  }, 0n);
}

/** The names of the capabilities in a mask; bits without a name are passed over. */
export function capabilitiesIn(mask: bigint): string[] {
  return capabilityNames.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n);
}

/** The most a process started from here can have: what this process itself is permitted. */
export function hostCapabilities(): string[] {
  return capabilitiesIn(kernel.getCapabilities().permitted);
}

/** The highest number the running kernel has a capability for, asked once: a child that is forked knows it already. */
const lastCapability = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));

/**
 * Give up what is not in `bounding`, while CAP_SETPCAP is still held. From then on no exec of a root's program and no
 * file capability brings it back.
 */
export function dropBoundingSet(capabilities: Capabilities): void {
  const keep = capabilityMask(capabilities.bounding ?? []);
  for (let bit = 0; bit <= lastCapability; bit++) {
    if ((keep & (1n << BigInt(bit))) === 0n) kernel.prctl(kernel.PR_CAPBSET_DROP, bit);
  }
}

/**
 * The four sets of the thread itself, after the change of user. Asking for more than is permitted is an EPERM, so
 * each is cut to what this host's engine has; ambient ones have to be permitted and inheritable first.
 * @param untilExec held beyond those, so far as the thread has them. Neither inheritable nor ambient, they are what the
 *   exec takes away, unless they are in the bounding set.
 */
export function setCapabilitySets(capabilities: Capabilities, untilExec: string[] = []): void {
  const held = kernel.getCapabilities().permitted;
  const wanted = (names: string[] | undefined) => capabilityMask(names ?? []) & held;
  const permitted = wanted(capabilities.permitted);
  const inheritable = wanted(capabilities.inheritable);
  const extra = wanted(untilExec);
  kernel.setCapabilities({
    permitted: permitted | extra,
    inheritable,
    effective: (wanted(capabilities.effective) & permitted) | extra,
  });
  kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_CLEAR_ALL);
  const ambient = wanted(capabilities.ambient) & permitted & inheritable;
  for (const name of capabilitiesIn(ambient)) {
    kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_RAISE, bits.get(name)!);
  }
}
