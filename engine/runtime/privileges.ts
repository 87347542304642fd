/** What a program may do: the root user's powers one by one, and the system calls it may make. capabilities(7). */

import { readFileSync } from 'node:fs';
import type { Confinement } from '#contract/privileges';
import { capabilityNames } from '#kernel/capability-names';
import * as kernel from '#kernel/credentials';
import { installSeccomp } from './seccomp/install.ts';
import type { Capabilities, CapabilitySet } from './spec.ts';
import { step } from './step.ts';

export { assembleFilter } from './seccomp/program.ts';

const bits = new Map<string, number>(capabilityNames.map((name, bit) => [name, bit]));

export function capabilityMask(names: readonly string[]): bigint {
  return names.reduce((mask, name) => {
    const bit = bits.get(name);
    if (bit === undefined) throw new Error(`There is no capability ${name}; capabilities are written like CAP_CHOWN.`);
    return mask | (1n << BigInt(bit));
  }, 0n);
}

function capabilitiesIn(mask: bigint): string[] {
  return capabilityNames.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n);
}

export function readCapabilities(status: string): Record<CapabilitySet, string[]> {
  const set = (field: string) => {
    const digits = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1];
    if (digits === undefined) throw new Error(`There is no line ${field} in this status: ${status.slice(0, 60)}…`);
    return capabilitiesIn(BigInt(`0x${digits}`));
  };
  return {
    inheritable: set('CapInh'),
    permitted: set('CapPrm'),
    effective: set('CapEff'),
    bounding: set('CapBnd'),
    ambient: set('CapAmb'),
  };
}

/** The highest number the running kernel has a capability for, asked once: a child that is forked knows it already. */
const lastCapability = process.platform === 'linux' ? Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')) : 0;

export function dropBoundingSet(keep: readonly string[]): void {
  const kept = capabilityMask(keep);
  for (let bit = 0; bit <= lastCapability; bit++) {
    if ((kept & (1n << BigInt(bit))) === 0n) kernel.prctl(kernel.PR_CAPBSET_DROP, bit);
  }
}

export function setCapabilitySets(capabilities: Capabilities, untilExec: readonly string[] = []): void {
  const held = kernel.getCapabilities().permitted;
  const wanted = (names: readonly string[] | undefined) => capabilityMask(names ?? []) & held;
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

/**
 * The kernel forces the order: the bounding set needs CAP_SETPCAP, so it is cut while root's powers are there; the other
 * sets are cut when nothing privileged is left to do. The filter is last, since whatever is called after it has to be
 * allowed by it.
 */
export function confine({ capabilities, noNewPrivileges, filter, changeUser, beforeFilter }: Confinement): void {
  step('capabilities', () => dropBoundingSet(capabilities.bounding ?? []));
  kernel.prctl(kernel.PR_SET_KEEPCAPS, 1);
  changeUser();
  kernel.prctl(kernel.PR_SET_KEEPCAPS, 0);
  const untilExec = filter && !noNewPrivileges ? ['CAP_SYS_ADMIN'] : [];
  step('capabilities', () => setCapabilitySets(capabilities, untilExec));
  if (noNewPrivileges) kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1);
  beforeFilter();
  if (filter) step('seccomp', () => installSeccomp(filter));
}
