/** The kernel's half, in a few lines: run a filter on one system call. For tests, and to watch a filter at work. */

import * as bpf from '#kernel/classic-bpf';

/** struct seccomp_data, linux/seccomp.h. */
export interface SystemCall {
  /** The number, as an unsigned 32-bit value. */
  nr: number;
  /** AUDIT_ARCH_… of the entry that the call came in by. */
  arch: number;
  /** Up to six arguments, 0…2⁶⁴−1; those not given are 0. */
  args?: bigint[];
}

export interface Verdict {
  /** What the filter returned: SECCOMP_RET_… and its data. */
  value: number;
  /** How many instructions it took. */
  steps: number;
}

/** @throws Error for a program that the kernel would not have taken. */
export function run(program: bpf.Instruction[], call: SystemCall): Verdict {
  const data = seccompData(call);
  let accumulator = 0;
  let steps = 0;
  for (let at = 0; ; at++) {
    const instruction = program[at];
    if (instruction === undefined) throw new Error(`The program runs past its end, at instruction ${at}.`);
    const { code, jt, jf, k } = instruction;
    steps += 1;
    switch (code) {
      case bpf.LOAD:
        if (k % 4 !== 0) throw new Error(`Offset ${k} is not one of a 32-bit word, at instruction ${at}.`);
        accumulator = data.readUInt32LE(k);
        break;
      case bpf.AND:
        accumulator = (accumulator & k) >>> 0;
        break;
      case bpf.JA:
        at += k;
        break;
      case bpf.JEQ:
        at += accumulator === k ? jt : jf;
        break;
      case bpf.JGT:
        at += accumulator > k ? jt : jf;
        break;
      case bpf.JGE:
        at += accumulator >= k ? jt : jf;
        break;
      case bpf.JSET:
        at += (accumulator & k) !== 0 ? jt : jf;
        break;
      case bpf.RET:
        return { value: k, steps };
      default:
        throw new Error(`There is no instruction 0x${code.toString(16)} here, at instruction ${at}.`);
    }
  }
}

function seccompData({ nr, arch, args = [] }: SystemCall): Buffer {
  const data = Buffer.alloc(bpf.SECCOMP_DATA_BYTES);
  data.writeUInt32LE(nr, bpf.SECCOMP_DATA_NR);
  data.writeUInt32LE(arch, bpf.SECCOMP_DATA_ARCH);
  for (const [index, argument] of args.entries()) data.writeBigUInt64LE(argument, bpf.argumentOffset(index));
  return data;
}
