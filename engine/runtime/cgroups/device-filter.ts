/**
 * Device rules for cgroup v2, which has no file for them: a small program that the kernel asks at each open and mknod.
 * Kernel documentation, admin-guide/cgroup-v2, "Device controller"; linux/bpf.h, struct bpf_cgroup_dev_ctx.
 */

import { readFileSync } from 'node:fs';
import * as bpf from '#kernel/bpf';
import { close, O_DIRECTORY, O_RDONLY, open } from '#kernel/descriptors';
import type { DeviceRule } from '../spec.ts';

/** Registers: the answer, the kernel's question, and its parts. */
const [ANSWER, CONTEXT, TYPE, ACCESS, MAJOR, MINOR] = [0, 1, 2, 3, 4, 5];
const types = { a: 0, b: 1, c: 2 };
const accesses: Record<string, number> = { m: 1, r: 2, w: 4 };
const ALL_ACCESS = 7;

const load = (destination: number, offset: number) => ({ opcode: 0x61, destination, source: CONTEXT, offset });
const copy = (destination: number, source: number) => ({ opcode: 0xbc, destination, source });
const and = (destination: number, immediate: number) => ({ opcode: 0x54, destination, immediate });
const shiftRight = (destination: number, immediate: number) => ({ opcode: 0x74, destination, immediate });
const answer = (immediate: number) => [{ opcode: 0xb7, destination: ANSWER, immediate }, { opcode: 0x95 }];
const JUMP_IF_NOT = 0x55;
const JUMP_IF_REGISTERS_DIFFER = 0x5d;
const JUMP_IF = 0x15;

/**
 * The rules as a program: from the last to the first, the first that fits answers 1 or 0. What none fits is denied.
 * A rule that allows has to allow all that is asked for, one that denies only a part of it.
 */
export function deviceProgram(rules: DeviceRule[]): bpf.Instruction[] {
  const program: bpf.Instruction[] = [load(TYPE, 0), copy(ACCESS, TYPE), and(TYPE, 0xffff), shiftRight(ACCESS, 16)];
  program.push(load(MAJOR, 4), load(MINOR, 8));
  for (const rule of [...rules].reverse()) {
    program.push(...ruleCode(rule));
    // What comes after a rule for everything can never be reached, and the kernel takes no such program.
    if (fitsAll(rule)) return program;
  }
  return [...program, ...answer(0)];
}

function fitsAll({ type = 'a', access = 'rwm' }: DeviceRule): boolean {
  return type === 'a' && access.length === 3;
}

function ruleCode({ allow, type = 'a', major, minor, access = 'rwm' }: DeviceRule): bpf.Instruction[] {
  const code: bpf.Instruction[] = [];
  const unlessEqual = (register: number, immediate: number) =>
    code.push({ opcode: JUMP_IF_NOT, destination: register, immediate });
  if (type !== 'a') unlessEqual(TYPE, types[type]);
  const mask = [...access].reduce((bits, letter) => bits | (accesses[letter] ?? 0), 0);
  if (mask !== ALL_ACCESS) {
    code.push(copy(CONTEXT, ACCESS), and(CONTEXT, mask));
    if (allow) code.push({ opcode: JUMP_IF_REGISTERS_DIFFER, destination: CONTEXT, source: ACCESS });
    else code.push({ opcode: JUMP_IF, destination: CONTEXT, immediate: 0 });
  }
  if (type !== 'a' && major !== undefined) unlessEqual(MAJOR, major);
  if (type !== 'a' && minor !== undefined) unlessEqual(MINOR, minor);
  const whole = [...code, ...answer(allow ? 1 : 0)];
  // Every jump goes behind this rule's answer.
  return whole.map((instruction, index) =>
    [JUMP_IF_NOT, JUMP_IF_REGISTERS_DIFFER, JUMP_IF].includes(instruction.opcode)
      ? { ...instruction, offset: whole.length - index - 1 }
      : instruction,
  );
}

/** Let the kernel apply `rules` to everything in the cgroup `directory`. @throws KernelError */
export function filterDevices(directory: string, rules: DeviceRule[]): void {
  if (rules.length === 1 && rules[0]!.allow && (rules[0]!.type ?? 'a') === 'a') return;
  // Nobody in a user namespace can make a device node, or mount one in; and nobody in it may load a program.
  if (inUserNamespace()) return;
  const program = bpf.loadProgram(bpf.BPF_PROG_TYPE_CGROUP_DEVICE, deviceProgram(rules));
  try {
    const cgroup = open(directory, O_RDONLY | O_DIRECTORY);
    try {
      bpf.attachProgram(cgroup, program, bpf.BPF_CGROUP_DEVICE, bpf.BPF_F_ALLOW_MULTI);
    } finally {
      close(cgroup);
    }
  } finally {
    close(program);
  }
}

function inUserNamespace(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
}
