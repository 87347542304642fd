/**
 * Classic BPF, the little machine that the kernel asks about each system call: an accumulator A, jumps that only go
 * forward, and a `return` whose value is the verdict. It reads one thing, struct seccomp_data.
 * linux/filter.h, linux/bpf_common.h; Documentation/networking/filter.
 */

/** struct sock_filter. */
export interface Instruction {
  /** What to do: a class, and its own details or'ed to it. */
  code: number;
  /** How many instructions to skip when a test holds, and when it does not: 0…255. */
  jt: number;
  jf: number;
  /** A 32-bit operand: an offset, a constant, or how far a JA skips. */
  k: number;
}

// Classes and details, linux/bpf_common.h.
const BPF_LD = 0x00;
const BPF_ALU = 0x04;
const BPF_JMP = 0x05;
const BPF_RET = 0x06;
const BPF_W = 0x00;
const BPF_ABS = 0x20;
const BPF_AND = 0x50;
const BPF_K = 0x00;

/** A = the 32-bit word at offset k of struct seccomp_data. */
export const LOAD = BPF_LD | BPF_W | BPF_ABS;
/** A = A & k. */
export const AND = BPF_ALU | BPF_AND | BPF_K;
/** Skip k instructions. */
export const JA = BPF_JMP | 0x00;
/** Skip jt instructions if A == k, else jf. */
export const JEQ = BPF_JMP | 0x10 | BPF_K;
/** The same for A > k. All comparisons are unsigned. */
export const JGT = BPF_JMP | 0x20 | BPF_K;
/** The same for A >= k. */
export const JGE = BPF_JMP | 0x30 | BPF_K;
/** The same for A & k not being zero. */
export const JSET = BPF_JMP | 0x40 | BPF_K;
/** The verdict is k. */
export const RET = BPF_RET | BPF_K;

/** Where the words of struct seccomp_data are, linux/seccomp.h. Both architectures here are little-endian. */
export const SECCOMP_DATA_NR = 0;
export const SECCOMP_DATA_ARCH = 4;
export const SECCOMP_DATA_BYTES = 64;
/** The low half of argument `index`, 0…5; the high half is 4 bytes further. */
export function argumentOffset(index: number): number {
  return 16 + 8 * index;
}

/** BPF_MAXINSNS, linux/bpf_common.h. */
export const MOST_INSTRUCTIONS = 4096;
export const INSTRUCTION_BYTES = 8;

/** An array of struct sock_filter, as seccomp(2) takes it. @throws RangeError beyond 4096 instructions. */
export function encode(program: Instruction[]): Buffer {
  if (program.length > MOST_INSTRUCTIONS)
    throw new RangeError(
      `The seccomp filter needs ${program.length} BPF instructions and the kernel takes at most ${MOST_INSTRUCTIONS}. ` +
        'Use fewer rules with conditions on arguments, or fewer architectures.',
    );
  const bytes = Buffer.alloc(program.length * INSTRUCTION_BYTES);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    const at = index * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(jt, at + 2);
    bytes.writeUInt8(jf, at + 3);
    bytes.writeUInt32LE(k, at + 4);
  }
  return bytes;
}

/** The inverse of `encode`. */
export function decode(bytes: Buffer): Instruction[] {
  return Array.from({ length: bytes.length / INSTRUCTION_BYTES }, (_, index) => {
    const at = index * INSTRUCTION_BYTES;
    return {
      code: bytes.readUInt16LE(at),
      jt: bytes.readUInt8(at + 2),
      jf: bytes.readUInt8(at + 3),
      k: bytes.readUInt32LE(at + 4),
    };
  });
}
