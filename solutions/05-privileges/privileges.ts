import type { ArgumentTest, Confinement, FilterEntry, FilterRule } from '#contract/privileges';
import { capabilityNames } from '#kernel/capability-names';
import * as bpf from '#kernel/classic-bpf';
import * as kernel from '#kernel/credentials';
import { KernelError } from '#kernel/errors';
import { setSeccompFilter } from '#kernel/seccomp';
import type { Capabilities, CapabilitySet } from '#spec';

function bitOf(name: string): number {
  const bit = (capabilityNames as readonly string[]).indexOf(name);
  if (bit < 0) throw new Error(`There is no capability ${name}.`);
  return bit;
}

export function capabilityMask(names: readonly string[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(bitOf(name))), 0n);
}

function namesIn(mask: bigint): string[] {
  return capabilityNames.filter((_, bit) => (mask >> BigInt(bit)) & 1n);
}

const fields: [CapabilitySet, string][] = [
  ['inheritable', 'CapInh'],
  ['permitted', 'CapPrm'],
  ['effective', 'CapEff'],
  ['bounding', 'CapBnd'],
  ['ambient', 'CapAmb'],
];

export function readCapabilities(status: string): Record<CapabilitySet, string[]> {
  const lines = new Map(status.split('\n').map((line) => line.split(':\t') as [string, string]));
  const sets = fields.map(([set, field]) => [set, namesIn(BigInt(`0x${lines.get(field)}`))]);
  return Object.fromEntries(sets) as Record<CapabilitySet, string[]>;
}

export function dropBoundingSet(keep: readonly string[]): void {
  const kept = capabilityMask(keep);
  for (let bit = 0; bit < 64; bit++) {
    if ((kept >> BigInt(bit)) & 1n) continue;
    try {
      kernel.prctl(kernel.PR_CAPBSET_DROP, bit);
    } catch (error) {
      // The first number that this kernel has no capability for.
      if (error instanceof KernelError && error.code === 'EINVAL') return;
      throw error;
    }
  }
}

export function setCapabilitySets(capabilities: Capabilities, untilExec: readonly string[] = []): void {
  const held = kernel.getCapabilities().permitted;
  const cut = (names: readonly string[] = []) => capabilityMask(names) & held;
  const permitted = cut(capabilities.permitted);
  const inheritable = cut(capabilities.inheritable);
  const extra = cut(untilExec);
  const effective = (cut(capabilities.effective) & permitted) | extra;
  kernel.setCapabilities({ permitted: permitted | extra, inheritable, effective });
  kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_CLEAR_ALL);
  for (const name of namesIn(cut(capabilities.ambient) & permitted & inheritable))
    kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_RAISE, bitOf(name));
}

export function confine({ capabilities, noNewPrivileges, filter, changeUser, beforeFilter }: Confinement): void {
  dropBoundingSet(capabilities.bounding ?? []);
  kernel.prctl(kernel.PR_SET_KEEPCAPS, 1);
  changeUser();
  kernel.prctl(kernel.PR_SET_KEEPCAPS, 0);
  setCapabilitySets(capabilities, filter !== null && !noNewPrivileges ? ['CAP_SYS_ADMIN'] : []);
  if (noNewPrivileges) kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1);
  beforeFilter();
  if (filter !== null) setSeccompFilter(filter.program, filter.flags);
}

const statement = (code: number, k: number): bpf.Instruction => ({ code, jt: 0, jf: 0, k });
const test = (code: number, k: number, jt: number, jf: number): bpf.Instruction => ({ code, jt, jf, k });

export function assembleFilter(entries: FilterEntry[], foreign: number): bpf.Instruction[] {
  const sections = entries.flatMap(({ arch, calls, otherwise }) => {
    const lines = [
      statement(bpf.LOAD, bpf.SECCOMP_DATA_NR),
      ...calls.flatMap(({ number, rules }) => callLines(number, rules, answerTo(number, otherwise))),
      ...[...otherwise]
        .reverse()
        .flatMap(({ from, answer }) => [test(bpf.JGE, from, 0, 1), statement(bpf.RET, answer)]),
    ];
    // A section is longer than a test can skip, so a JA does.
    return [
      statement(bpf.LOAD, bpf.SECCOMP_DATA_ARCH),
      test(bpf.JEQ, arch, 1, 0),
      statement(bpf.JA, lines.length),
      ...lines,
    ];
  });
  return [...sections, statement(bpf.RET, foreign)];
}

function answerTo(number: number, otherwise: FilterEntry['otherwise']): number {
  return otherwise.findLast(({ from }) => from <= number)!.answer;
}

/** A call with this number leaves in here: nothing behind it needs the number in A again. */
function callLines(number: number, rules: FilterRule[], otherwise: number): bpf.Instruction[] {
  const lines = rules.flatMap(ruleLines);
  if (rules.every(({ conditions }) => conditions.length > 0)) lines.push(statement(bpf.RET, otherwise));
  if (lines.length <= 255) return [test(bpf.JEQ, number, 0, lines.length), ...lines];
  return [test(bpf.JEQ, number, 1, 0), statement(bpf.JA, lines.length), ...lines];
}

/** From its end: each condition knows how much there is to skip when it fails. */
function ruleLines({ conditions, answer }: FilterRule): bpf.Instruction[] {
  let lines = [statement(bpf.RET, answer)];
  for (const condition of conditions.toReversed()) lines = [...testLines(condition, lines.length), ...lines];
  return lines;
}

const low = (value: bigint) => Number(value & 0xffffffffn);
const high = (value: bigint) => Number(value >> 32n);

/** Fall through when the test comes out as it is to, else skip the `rest` instructions behind it. */
function testLines({ index, mask, test: kind, value, holds }: ArgumentTest, rest: number): bpf.Instruction[] {
  const at = bpf.argumentOffset(index);
  const [yes, no] = holds ? [0, rest] : [rest, 0];
  const lowHalf = [
    statement(bpf.LOAD, at),
    statement(bpf.AND, low(mask)),
    test(kind === 'equal' ? bpf.JEQ : bpf.JGT, low(value), yes, no),
  ];
  const more = kind === 'greater' ? [test(bpf.JGT, high(value), yes + 4, 0)] : [];
  return [
    statement(bpf.LOAD, at + 4),
    statement(bpf.AND, high(mask)),
    ...more,
    test(bpf.JEQ, high(value), 0, no + 3),
    ...lowHalf,
  ];
}
