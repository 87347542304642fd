/** The kernel's half of an eBPF program, as far as device programs go. Kernel documentation, bpf/standardization. */

import type { Instruction } from '#kernel/bpf';

const QUESTION = 1;
const EXIT = 0x95;
const isJump = (opcode: number) => (opcode & 0x07) === 0x05 && opcode !== EXIT;

/**
 * Run a program on its question.
 * @param question the 32-bit words that the second register points to.
 * @returns the first register at the exit.
 * @throws Error for what the verifier would not take: a register read before it is written, a place outside, a loop.
 */
export function runProgram(program: Instruction[], question: number[]): number {
  checkEveryPlaceIsReached(program);
  const registers: (bigint | undefined)[] = [];
  const read = (register: number) => {
    const value = registers[register];
    if (value === undefined) throw new Error(`Register ${register} is read before it is written.`);
    return value;
  };
  for (let at = 0; ; at++) {
    const { opcode, destination = 0, source = 0, offset = 0, immediate = 0 } = program[at]!;
    const signed = BigInt.asUintN(64, BigInt(immediate));
    const low = BigInt.asUintN(32, BigInt(immediate));
    const jumpIf = (taken: boolean) => {
      if (taken) at += offset;
    };
    if (opcode === EXIT) return Number(read(0));
    else if (opcode === 0x61) {
      const word = question[offset / 4];
      if (source !== QUESTION || registers[QUESTION] !== undefined || word === undefined)
        throw new Error(`Nothing can be loaded from register ${source} at ${offset}.`);
      registers[destination] = BigInt(word);
    } else if (opcode === 0xbc) registers[destination] = BigInt.asUintN(32, read(source));
    else if (opcode === 0x54) registers[destination] = BigInt.asUintN(32, read(destination)) & low;
    else if (opcode === 0x74) registers[destination] = BigInt.asUintN(32, read(destination)) >> low;
    else if (opcode === 0xb7) registers[destination] = signed;
    else if (opcode === 0x15) jumpIf(read(destination) === signed);
    else if (opcode === 0x55) jumpIf(read(destination) !== signed);
    else if (opcode === 0x45) jumpIf((read(destination) & signed) !== 0n);
    else throw new Error(`There is no instruction 0x${opcode.toString(16)} here.`);
  }
}

/** The verifier's check_cfg. */
function checkEveryPlaceIsReached(program: Instruction[]): void {
  const reached = new Set([0]);
  for (const [at, { opcode, offset = 0 }] of program.entries()) {
    if (!reached.has(at)) throw new Error(`Instruction ${at} is never reached.`);
    const next = opcode === EXIT ? [] : isJump(opcode) ? [at + 1, at + 1 + offset] : [at + 1];
    for (const place of next) {
      if (place <= at || place >= program.length) throw new Error(`Instruction ${at} leads to ${place}.`);
      reached.add(place);
    }
  }
}
