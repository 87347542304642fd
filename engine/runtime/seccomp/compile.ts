/**
 * A filter for one machine. Its story: by which entry did the call come in; what is its number, found by halving the
 * range of numbers; what are its arguments, if a rule asks. Each road ends in a `return`.
 *
 * The kernel (since 5.11) runs the first two parts once for every number when a filter is set, and does not run the
 * filter again for calls that are allowed without a look at their arguments. So what matters is that the program is
 * short; halving keeps it fast on older kernels too.
 */

import { SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_TSYNC } from '#kernel/seccomp';
import { ENOSYS, letsThrough, returnValue, SECCOMP_RET_KILL_THREAD } from './actions.ts';
import { type Architecture, type Machine, X32_SYSCALL_BIT } from './architectures.ts';
import { check } from './arguments.ts';
import { answer, assemble, branch, here, jump, type Label, type Line, label, load } from './assembler.ts';
import { encode, SECCOMP_DATA_ARCH, SECCOMP_DATA_NR } from './bpf.ts';
import type { Seccomp } from './profile.ts';
import { type Range, rangesOf, search } from './ranges.ts';
import { type Rule, rulesFor } from './rules.ts';

/** What the kernel is given. */
export interface SeccompFilter {
  /** An array of struct sock_filter. */
  program: Buffer;
  /** SECCOMP_FILTER_FLAG_… or'ed together. */
  flags: number;
}

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
  const lines = [load(SECCOMP_DATA_ARCH)];
  const sections: Line[] = [];
  for (const architecture of [machine.native, ...others]) {
    const section = label(architecture.name);
    lines.push(branch('equal', architecture.audit, { yes: section }));
    sections.push(here(section), load(SECCOMP_DATA_NR));
    if (architecture.name === 'SCMP_ARCH_X86_64') sections.push(...x32Lines(seccomp, sharing));
    sections.push(...callLines(seccomp, architecture));
  }
  return {
    program: encode(assemble([...lines, answer(BAD_ARCHITECTURE), ...sections])),
    flags: flagsOf(seccomp.flags),
  };
}

/** x32 calls come in by the entry of x86-64. −1 looks like one and is what a debugger leaves of a call it has undone. */
function x32Lines(seccomp: Seccomp, x32: Architecture | undefined): Line[] {
  const not = label('not x32');
  return [
    branch('greaterOrEqual', X32_SYSCALL_BIT, { no: not }),
    branch('equal', NO_SYSTEM_CALL, { yes: not }),
    ...(x32 ? callLines(seccomp, x32) : [answer(BAD_ARCHITECTURE)]),
    here(not),
  ];
}

/** From the number, which has been loaded, to the verdict. */
function callLines(seccomp: Seccomp, architecture: Architecture): Line[] {
  const { calls, highest } = rulesFor(seccomp, architecture);
  const verdicts = new Map<number, Label>();
  const verdict = (value: number): Label => {
    const known = verdicts.get(value) ?? label(`return 0x${value.toString(16)}`);
    verdicts.set(value, known);
    return known;
  };
  const otherwise = verdict(returnValue(seccomp.defaultAction, seccomp.defaultErrnoRet));
  const blocks: Line[] = [];
  const target = (rules: Rule[]): Label => {
    if (rules[0]!.conditions.length === 0) return verdict(rules[0]!.value);
    const block = label('arguments');
    blocks.push(here(block), ...ruleLines(rules, architecture, verdict), jump(otherwise));
    return block;
  };
  const targets = new Map([...calls].map(([number, rules]) => [number | architecture.numberBit, target(rules)]));
  const ranges = rangesOf(targets, otherwise);
  const unknown = highest !== undefined && !letsThrough(seccomp.defaultAction);
  if (unknown)
    appendRange(ranges, {
      from: (highest | architecture.numberBit) + 1,
      target: verdict(returnValue('SCMP_ACT_ERRNO', ENOSYS)),
    });
  const returns = [...verdicts].flatMap(([value, place]) => [here(place), answer(value)]);
  return [...search(ranges), ...blocks, ...returns];
}

/**
 * Calls younger than the profile are answered ENOSYS, as by a kernel that does not have them: programs then fall back on
 * older ones, and would not on EPERM. So does runc.
 */
function appendRange(ranges: Range[], unknown: Range): void {
  const last = ranges[ranges.length - 1]!;
  if (last.target === unknown.target) return;
  if (last.from === unknown.from) ranges.pop();
  ranges.push(unknown);
}

function ruleLines(rules: Rule[], { bits }: Architecture, verdict: (value: number) => Label): Line[] {
  return rules.flatMap(({ conditions, value }) => {
    const next = label('next rule');
    return [...conditions.flatMap((condition) => check(condition, bits, next)), jump(verdict(value)), here(next)];
  });
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
