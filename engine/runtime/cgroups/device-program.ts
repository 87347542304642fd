/**
 * Device rules as an eBPF program, which the kernel asks at each open and each mknod of a device in a cgroup v2.
 * Kernel documentation, admin-guide/cgroup-v2, "Device controller", and bpf/standardization/instruction-set.
 */

import type { Instruction } from '#kernel/bpf';
import type { DeviceRule } from '../spec.ts';

// Registers. The kernel puts its question's address in the second, and finds the answer in the first.
const [ANSWER, QUESTION, TYPE, ASKED, MAJOR, MINOR] = [0, 1, 2, 3, 4, 5];

/** The question: struct bpf_cgroup_dev_ctx of linux/bpf.h. Type and access share a word, access in the upper half. */
const question = { accessAndType: 0, major: 4, minor: 8 };
const types = { b: 1, c: 2 };
const accesses: Record<string, number> = { m: 1, r: 2, w: 4 };

const DENY = 0;
const ALLOW = 1;

/** A line of the program: an instruction, perhaps one that jumps ahead to a label, or a label. */
type Line = (Instruction & { to?: string }) | { label: string };

const load = (destination: number, offset: number): Line => ({ opcode: 0x61, destination, source: QUESTION, offset });
const copy = (destination: number, source: number): Line => ({ opcode: 0xbc, destination, source });
const and = (destination: number, immediate: number): Line => ({ opcode: 0x54, destination, immediate });
const shiftRight = (destination: number, immediate: number): Line => ({ opcode: 0x74, destination, immediate });
const set = (destination: number, immediate: number): Line => ({ opcode: 0xb7, destination, immediate });
const exit: Line = { opcode: 0x95 };
const ifEqual = (destination: number, immediate: number, to: string): Line => {
  return { opcode: 0x15, destination, immediate, to };
};
const ifDifferent = (destination: number, immediate: number, to: string): Line => {
  return { opcode: 0x55, destination, immediate, to };
};
const ifAnyBit = (destination: number, immediate: number, to: string): Line => {
  return { opcode: 0x45, destination, immediate, to };
};

/**
 * For each access that is asked for the last rule that names it decides; all of them have to be allowed.
 * So the program goes from the last rule to the first, and strikes off what is allowed until nothing is left.
 * The kernel looks at each way through the program, of up to a million instructions: enough for some 900 rules.
 */
export function deviceProgram(rules: DeviceRule[]): Instruction[] {
  return assemble([
    load(TYPE, question.accessAndType),
    copy(ASKED, TYPE),
    and(TYPE, 0xffff),
    shiftRight(ASKED, 16),
    load(MAJOR, question.major),
    load(MINOR, question.minor),
    ...rules.toReversed().flatMap(linesOf),
    ifEqual(ASKED, 0, 'allow'),
    { label: 'deny' },
    set(ANSWER, DENY),
    exit,
    { label: 'allow' },
    set(ANSWER, ALLOW),
    exit,
  ]);
}

function linesOf({ allow, type = 'a', major, minor, access = 'rwm' }: DeviceRule, index: number): Line[] {
  const next = `after rule ${index}`;
  const named = [...access].reduce((bits, letter) => bits | (accesses[letter] ?? 0), 0);
  return [
    ...(type === 'a' ? [] : [ifDifferent(TYPE, types[type], next)]),
    ...(major === undefined ? [] : [ifDifferent(MAJOR, major, next)]),
    ...(minor === undefined ? [] : [ifDifferent(MINOR, minor, next)]),
    ...(allow ? [and(ASKED, ~named), ifEqual(ASKED, 0, 'allow')] : [ifAnyBit(ASKED, named, 'deny')]),
    { label: next },
  ];
}

/** Labels become distances: a jump counts from the instruction after it. */
function assemble(lines: Line[]): Instruction[] {
  const places = new Map<string, number>();
  const instructions: (Instruction & { to?: string })[] = [];
  for (const line of lines) {
    if ('label' in line) places.set(line.label, instructions.length);
    else instructions.push(line);
  }
  return instructions.map(({ to, ...instruction }, at) =>
    to === undefined ? instruction : { ...instruction, offset: places.get(to)! - at - 1 },
  );
}
