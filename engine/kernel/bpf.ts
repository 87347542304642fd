/** eBPF programs for the kernel to run. bpf(2). */

import { addressOf, cString, rawSystemCall } from './libc.ts';

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const ATTR_BYTES = 128; // union bpf_attr; what lies past a command's own fields is to be zero
const INSTRUCTION_BYTES = 8;

// linux/bpf.h
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;
export const BPF_F_ALLOW_MULTI = 2;

/** One instruction of Documentation/bpf/standardization/instruction-set. */
export interface Instruction {
  opcode: number;
  destination?: number;
  source?: number;
  /** In instructions, from the next one. */
  offset?: number;
  immediate?: number;
}

/** Load a program. @returns its descriptor, close-on-exec. @throws KernelError EPERM without CAP_BPF, EINVAL or EACCES when the verifier refuses it. */
export function loadProgram(type: number, instructions: Instruction[]): number {
  const code = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  for (const [index, { opcode, destination = 0, source = 0, offset = 0, immediate = 0 }] of instructions.entries()) {
    const at = index * INSTRUCTION_BYTES;
    code.writeUInt8(opcode, at);
    code.writeUInt8(destination | (source << 4), at + 1);
    code.writeInt16LE(offset, at + 2);
    code.writeInt32LE(immediate, at + 4);
  }
  const license = cString('MIT');
  const attr = Buffer.alloc(ATTR_BYTES);
  attr.writeUInt32LE(type, 0);
  attr.writeUInt32LE(instructions.length, 4);
  attr.writeBigUInt64LE(addressOf(code), 8);
  attr.writeBigUInt64LE(addressOf(license), 16);
  return rawSystemCall('bpf', 'BPF_PROG_LOAD', BPF_PROG_LOAD, attr, attr.length);
}

/** Attach a loaded program to what `target` is open at, e.g. a cgroup's directory; it stays when both are closed. */
export function attachProgram(target: number, program: number, attachType: number, flags = 0): void {
  const attr = Buffer.alloc(ATTR_BYTES);
  attr.writeUInt32LE(target, 0);
  attr.writeUInt32LE(program, 4);
  attr.writeUInt32LE(attachType, 8);
  attr.writeUInt32LE(flags, 12);
  rawSystemCall('bpf', 'BPF_PROG_ATTACH', BPF_PROG_ATTACH, attr, attr.length);
}
