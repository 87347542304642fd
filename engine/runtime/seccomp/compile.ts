/**
 * A filter for one machine: what a profile says of names becomes what `assembleFilter` takes, numbers by the entry that
 * they come in by.
 */

import type { ArgumentTest, FilterEntry, FilterRule, SeccompFilter } from '#contract/privileges';
import { encode } from '#kernel/classic-bpf';
import { SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_TSYNC } from '#kernel/seccomp';
import { assembleFilter } from '#privileges';
import { ENOSYS, letsThrough, returnValue, SECCOMP_RET_KILL_THREAD } from './actions.ts';
import { type Architecture, type Machine, X32_SYSCALL_BIT } from './architectures.ts';
import { testOf } from './arguments.ts';
import type { Seccomp } from './profile.ts';
import { type ArchitectureRules, type Rule, rulesFor } from './rules.ts';

/** libseccomp's answer to calls of an architecture that the profile does not list. */
const BAD_ARCHITECTURE = SECCOMP_RET_KILL_THREAD;
const NO_SYSTEM_CALL = 0xffffffff;

/**
 * The filter for `seccomp` on `machine`. The machine's own architecture is always in it; those of other machines can
 * never be seen here and are left out.
 * @throws RangeError when it takes more than 4096 instructions.
 */
export function compile(seccomp: Seccomp, machine: Machine): SeccompFilter {
  const relatives = machine.relatives.filter(({ name }) => seccomp.architectures?.includes(name));
  const sharing = relatives.find(({ audit }) => audit === machine.native.audit);
  const others = relatives.filter((architecture) => architecture !== sharing);
  const entries = [nativeEntry(seccomp, machine.native, sharing), ...others.map((each) => entryOf(seccomp, each))];
  return { program: encode(assembleFilter(entries, BAD_ARCHITECTURE)), flags: flagsOf(seccomp.flags) };
}

/** x32 calls come in by the entry of x86-64. −1 looks like one and is what a debugger leaves of a call it has undone. */
function nativeEntry(seccomp: Seccomp, native: Architecture, x32: Architecture | undefined): FilterEntry {
  const own = entryOf(seccomp, native);
  if (native.name !== 'SCMP_ARCH_X86_64') return own;
  const second = x32 ? entryOf(seccomp, x32) : { calls: [], otherwise: [{ from: 0, answer: BAD_ARCHITECTURE }] };
  return {
    arch: native.audit,
    calls: [...own.calls, ...second.calls],
    otherwise: [
      ...own.otherwise,
      ...second.otherwise.map(({ from, answer }) => ({ from: (from | X32_SYSCALL_BIT) >>> 0, answer })),
      { from: NO_SYSTEM_CALL, answer: own.otherwise[own.otherwise.length - 1]!.answer },
    ],
  };
}

function entryOf(seccomp: Seccomp, architecture: Architecture): FilterEntry {
  const rules = rulesFor(seccomp, architecture);
  return {
    arch: architecture.audit,
    calls: [...rules.calls].map(([number, each]) => ({
      number: number | architecture.numberBit,
      rules: each.flatMap((rule) => filterRule(rule, architecture)),
    })),
    otherwise: otherwise(seccomp, rules),
  };
}

/** A condition that always holds is left out, and so is the rule of one that never does. */
function filterRule({ conditions, value }: Rule, { bits }: Architecture): FilterRule[] {
  const tests = conditions.map((condition) => testOf(condition, bits));
  if (tests.includes(false)) return [];
  return [{ conditions: tests.filter((test): test is ArgumentTest => typeof test === 'object'), answer: value }];
}

/**
 * Calls younger than the profile are answered ENOSYS, as by a kernel that does not have them: programs then fall back on
 * older ones, and would not on EPERM. So does runc.
 */
function otherwise(
  { defaultAction, defaultErrnoRet }: Seccomp,
  { highest }: ArchitectureRules,
): FilterEntry['otherwise'] {
  const known = { from: 0, answer: returnValue(defaultAction, defaultErrnoRet) };
  if (highest === undefined || letsThrough(defaultAction)) return [known];
  return [known, { from: highest + 1, answer: returnValue('SCMP_ACT_ERRNO', ENOSYS) }];
}

const flagBits = {
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
};

/** Without flags of its own a profile has SPEC_ALLOW, as with runc: before Linux 5.16 a filter made everything slower. */
function flagsOf(flags: Seccomp['flags']): number {
  if (!flags) return SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  return flags.reduce((bits, name) => bits | flagBits[name], 0);
}
