/** Docker's profiles have rules for some hosts and containers only. What is left once these are known is plain OCI. */

import type { ArchitectureName, Machine } from './architectures.ts';
import type { HostCondition, Profile, Seccomp } from './profile.ts';

/** What the rules of a profile may depend on. */
export interface Circumstances {
  machine: Machine;
  /** The container's bounding set, names like `CAP_SYS_ADMIN`. */
  capabilities: readonly string[];
  /** As uname -r says it, e.g. `6.1.0-13-amd64`. */
  kernel: string;
}

/** Keep the rules that apply here, as dockerd does before it calls its runtime. */
export function resolveProfile(profile: Profile, here: Circumstances): Seccomp {
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: architecturesOf(profile, here.machine),
    flags: profile.flags,
    syscalls: profile.syscalls
      .filter(({ includes, excludes }) => isIncluded(includes, here) && !isExcluded(excludes, here))
      .map(({ names, action, errnoRet, args }) => ({ names, action, errnoRet, args })),
  };
}

function architecturesOf({ architectures, archMap }: Profile, { native }: Machine): ArchitectureName[] {
  const entry = archMap?.find(({ architecture }) => architecture === native.name);
  return entry ? [native.name, ...(entry.subArchitectures ?? [])] : (architectures ?? []);
}

/** All of it has to be so: every capability, one of the architectures, the kernel no older. */
function isIncluded(condition: HostCondition, { machine, capabilities, kernel }: Circumstances): boolean {
  const { caps, arches, minKernel } = condition ?? {};
  return (
    (!arches?.length || arches.includes(machine.go)) &&
    (caps ?? []).every((name) => capabilities.includes(name)) &&
    (!minKernel || isAtLeast(kernel, minKernel))
  );
}

/** Any of it is enough. */
function isExcluded(condition: HostCondition, { machine, capabilities, kernel }: Circumstances): boolean {
  const { caps, arches, minKernel } = condition ?? {};
  return (
    (arches ?? []).includes(machine.go) ||
    (caps ?? []).some((name) => capabilities.includes(name)) ||
    (Boolean(minKernel) && isAtLeast(kernel, minKernel!))
  );
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
