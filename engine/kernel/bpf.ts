/** eBPF programs for the kernel to run. bpf(2). */

import { KernelError } from './errors.ts';
import { addressOf, cString, rawSystemCall } from './libc.ts';
import { getRlimit, setRlimit } from './rlimits.ts';

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const ATTR_BYTES = 128; // union bpf_attr; what lies past a command's own fields is to be zero
const INSTRUCTION_BYTES = 8;
const LOG_BYTES = 1 << 20;

// linux/bpf.h
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;
export const BPF_F_ALLOW_MULTI = 2;

/** One instruction of the kernel's Documentation/bpf/standardization/instruction-set. */
export interface Instruction {
  opcode: number;
  destination?: number;
  source?: number;
  /** In instructions, from the next one; at most 32767. */
  offset?: number;
  /** A signed 32-bit value. */
  immediate?: number;
}

/**
 * Load a program. @param type BPF_PROG_TYPE_… @param name what bpftool lists it as: at most 15 of A–Z a–z 0–9 _ .
 * @returns its descriptor, close-on-exec.
 * @throws RangeError when an offset or an immediate does not fit.
 * @throws KernelError EPERM without CAP_BPF, or where seccomp or lockdown says no; EINVAL or EACCES when the verifier
 *   refuses the program, with what it noted in the message.
 */
export function loadProgram(type: number, name: string, instructions: Instruction[]): number {
  const code = encode(instructions);
  const license = cString('MIT');
  const attr = Buffer.alloc(ATTR_BYTES);
  attr.writeUInt32LE(type, 0);
  attr.writeUInt32LE(instructions.length, 4);
  attr.writeBigUInt64LE(addressOf(code), 8);
  attr.writeBigUInt64LE(addressOf(license), 16);
  attr.write(name, 48, 15, 'latin1');
  const load = () => rawSystemCall('bpf', `BPF_PROG_LOAD ${name}`, BPF_PROG_LOAD, attr, attr.length);
  try {
    return againUnlessDone(load);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.code === 'EPERM') return withMoreLockedMemory(load, error);
    error.message += verifierLog(attr, load);
    throw error;
  }
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

/** As an array of struct bpf_insn. */
function encode(instructions: Instruction[]): Buffer {
  const code = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  for (const [index, { opcode, destination = 0, source = 0, offset = 0, immediate = 0 }] of instructions.entries()) {
    const at = index * INSTRUCTION_BYTES;
    code.writeUInt8(opcode, at);
    code.writeUInt8(destination | (source << 4), at + 1);
    code.writeInt16LE(offset, at + 2);
    code.writeInt32LE(immediate, at + 4);
  }
  return code;
}

/** The verifier gives up with EAGAIN when a signal comes, which for a parent of many is not rare. */
function againUnlessDone(load: () => number): number {
  for (let attempt = 1; ; attempt++) {
    try {
      return load();
    } catch (error) {
      if (!(error instanceof KernelError) || error.code !== 'EAGAIN' || attempt === 5) throw error;
    }
  }
}

/**
 * Before Linux 5.11 programs count as locked memory, of which all processes of a user have 64 KiB together: sixteen
 * programs. Beyond that the kernel answers EPERM. The limit is put back at once, because children inherit it.
 */
function withMoreLockedMemory(load: () => number, refusal: KernelError): number {
  const before = getRlimit(0, 'RLIMIT_MEMLOCK');
  try {
    setRlimit(0, 'RLIMIT_MEMLOCK', { soft: Number.POSITIVE_INFINITY, hard: Number.POSITIVE_INFINITY });
  } catch {
    throw refusal; // Without CAP_SYS_RESOURCE.
  }
  try {
    return againUnlessDone(load);
  } finally {
    setRlimit(0, 'RLIMIT_MEMLOCK', before);
  }
}

/** Writing the log takes time, so only a program that was refused is loaded a second time with one. */
function verifierLog(attr: Buffer, load: () => number): string {
  const log = Buffer.alloc(LOG_BYTES);
  attr.writeUInt32LE(1, 24);
  attr.writeUInt32LE(LOG_BYTES, 28);
  attr.writeBigUInt64LE(addressOf(log), 32);
  try {
    load();
  } catch {
    // As before; now with a log.
  }
  const lines = log.toString('latin1', 0, log.indexOf(0)).trim().split('\n');
  // Before them it tells each step.
  return lines[0] === '' ? '' : ` The verifier ends with: ${lines.slice(-4).join(' | ')}.`;
}
