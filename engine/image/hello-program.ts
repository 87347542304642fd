/** A program that prints a text and ends, as an ELF file of its own: two system calls, no library, no interpreter. elf(5). */

const EXECUTABLE = 2;
const LOADABLE = 1;
const READ_AND_EXECUTE = 5;
/** Where the file is mapped: above what vm.mmap_min_addr forbids, and a multiple of the largest page size of Linux on arm64. */
const ADDRESS = 0x400000;
const PAGE = 0x10000;
const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
/** A length is an operand of 16 bits on arm64. */
const TEXT_MAX = 0xffff;

interface Machine {
  /** `e_machine` in elf(5). */
  machine: number;
  /** write(1, text, length); exit(all was written ? 0 : 1). The text follows the code at once. */
  code: (length: number) => Buffer;
}

const MACHINES: Record<string, Machine> = {
  amd64: { machine: 62, code: amd64 },
  arm64: { machine: 183, code: arm64 },
};

/**
 * @param architecture what Go calls it: `amd64` or `arm64`.
 * @param text at most 65,535 bytes.
 * @throws Error for another architecture, or a text that is too long.
 */
export function helloProgram(architecture: string, text: string): Buffer {
  const machine = MACHINES[architecture];
  if (machine === undefined)
    throw new Error(
      `hello-world cannot be made for ${architecture}: it is known for ${Object.keys(MACHINES).join(', ')}`,
    );
  const bytes = Buffer.from(text);
  if (bytes.length > TEXT_MAX) throw new Error(`a hello of ${bytes.length} bytes is too long; it may have ${TEXT_MAX}`);
  const content = Buffer.concat([machine.code(bytes.length), bytes]);
  return Buffer.concat([elfHeaders(machine.machine, content.length), content]);
}

/** The file's header and the one program header: everything is one segment, which may not be written to. */
function elfHeaders(machine: number, size: number): Buffer {
  const headers = Buffer.alloc(HEADER_SIZE + PROGRAM_HEADER_SIZE);
  // 64 bits, little endian, version 1.
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(headers);
  headers.writeUInt16LE(EXECUTABLE, 16);
  headers.writeUInt16LE(machine, 18);
  headers.writeUInt32LE(1, 20);
  headers.writeBigUInt64LE(BigInt(ADDRESS + headers.length), 24);
  headers.writeBigUInt64LE(BigInt(HEADER_SIZE), 32);
  headers.writeUInt16LE(HEADER_SIZE, 52);
  headers.writeUInt16LE(PROGRAM_HEADER_SIZE, 54);
  headers.writeUInt16LE(1, 56);

  const segment = headers.subarray(HEADER_SIZE);
  segment.writeUInt32LE(LOADABLE, 0);
  segment.writeUInt32LE(READ_AND_EXECUTE, 4);
  for (const at of [16, 24]) segment.writeBigUInt64LE(BigInt(ADDRESS), at);
  for (const at of [32, 40]) segment.writeBigUInt64LE(BigInt(headers.length + size), at);
  segment.writeBigUInt64LE(BigInt(PAGE), 48);
  return headers;
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
