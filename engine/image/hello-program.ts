/** A program that prints a text and ends, as an ELF file of its own: two system calls, no library, no interpreter. elf(5). */

import { elfFile, MACHINES } from '#kernel/elf-file';

/** A length is an operand of 16 bits on arm64. */
const TEXT_MAX = 0xffff;

/** write(1, text, length); exit(all was written ? 0 : 1). The text follows the code at once. By the names of Node. */
const CODE: Record<string, (length: number) => Buffer> = { x64: amd64, arm64 };

/**
 * @param architecture as Node names it: `x64` or `arm64`.
 * @param text at most 65,535 bytes.
 * @throws Error for another architecture, or a text that is too long.
 */
export function helloProgram(architecture: string, text: string): Buffer {
  const [code, machine] = [CODE[architecture], MACHINES[architecture]];
  if (code === undefined || machine === undefined)
    throw new Error(`hello-world cannot be made for ${architecture}: it is known for ${Object.keys(CODE).join(', ')}`);
  const bytes = Buffer.from(text);
  if (bytes.length > TEXT_MAX) throw new Error(`a hello of ${bytes.length} bytes is too long; it may have ${TEXT_MAX}`);
  return elfFile(machine, Buffer.concat([code(bytes.length), bytes]));
}

/** The number of a system call is in eax, arguments in edi, rsi, edx. syscall(2). */
function amd64(length: number): Buffer {
  const code = Buffer.from([
    ...[0xb8, 1, 0, 0, 0], // mov eax, 1 (write)
    ...[0xbf, 1, 0, 0, 0], // mov edi, 1 (standard output)
    ...[0x48, 0x8d, 0x35, 0, 0, 0, 0], // lea rsi, [rip + text]
    ...[0xba, 0, 0, 0, 0], // mov edx, length
    ...[0x0f, 0x05], // syscall
    ...[0x31, 0xff], // xor edi, edi
    ...[0x48, 0x39, 0xd0], // cmp rax, rdx
    ...[0x40, 0x0f, 0x95, 0xc7], // setne dil
    ...[0xb8, 60, 0, 0, 0], // mov eax, 60 (exit)
    ...[0x0f, 0x05], // syscall
  ]);
  const AFTER_LEA = 17;
  code.writeUInt32LE(code.length - AFTER_LEA, AFTER_LEA - 4);
  code.writeUInt32LE(length, AFTER_LEA + 1);
  return code;
}

/** The number of a system call is in x8, arguments in x0, x1, x2. syscall(2). */
function arm64(length: number): Buffer {
  const instructions = [
    0xd2800020, // mov x0, #1 (standard output)
    0x10000001, // adr x1, text
    0xd2800002, // mov x2, #length
    0xd2800808, // mov x8, #64 (write)
    0xd4000001, // svc #0
    0xeb02001f, // cmp x0, x2
    0x9a9f07e0, // cset x0, ne
    0xd2800ba8, // mov x8, #93 (exit)
    0xd4000001, // svc #0
  ];
  // A distance in words: an instruction has four bytes, and the text begins after the last.
  instructions[1]! += (instructions.length - 1) << 5;
  instructions[2]! += length << 5;
  const code = Buffer.alloc(4 * instructions.length);
  for (const [index, instruction] of instructions.entries()) code.writeUInt32LE(instruction, 4 * index);
  return code;
}
