/** A program for 32-bit x86 of a hundred bytes: it makes one system call and exits with the errno, or 0. elf(5). */

import { writeFileSync } from 'node:fs';

const BASE = 0x8048000;
const HEADERS = 0x34 + 0x20; // Elf32_Ehdr and one Elf32_Phdr
const word = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff];

export function write32BitProgram(path: string, [nr, first = 0, second = 0, third = 0]: number[]): void {
  const code = [
    ...[0xb8, ...word(nr!)], // mov eax, nr
    ...[0xbb, ...word(first), 0xb9, ...word(second), 0xba, ...word(third)], // mov ebx, ecx, edx
    ...[0xcd, 0x80], // int 0x80
    ...[0x31, 0xdb], // xor ebx, ebx
    ...[0x85, 0xc0, 0x79, 0x04], // test eax, eax; jns over the next two
    ...[0xf7, 0xd8, 0x89, 0xc3], // neg eax; mov ebx, eax
    ...[0xb8, ...word(1), 0xcd, 0x80], // exit(ebx)
  ];
  const elf = Buffer.alloc(HEADERS + code.length);
  elf.write('\x7fELF\x01\x01\x01', 'latin1'); // 32 bits, little-endian, version 1
  elf.writeUInt16LE(2, 0x10); // ET_EXEC
  elf.writeUInt16LE(3, 0x12); // EM_386
  elf.writeUInt32LE(1, 0x14);
  elf.writeUInt32LE(BASE + HEADERS, 0x18); // entry
  elf.writeUInt32LE(0x34, 0x1c); // program headers
  elf.writeUInt16LE(0x34, 0x28);
  elf.writeUInt16LE(0x20, 0x2a);
  elf.writeUInt16LE(1, 0x2c);
  const program = [1, 0, BASE, BASE, elf.length, elf.length, 5, 0x1000]; // PT_LOAD, readable and executable
  for (const [index, value] of program.entries()) elf.writeUInt32LE(value, 0x34 + 4 * index);
  elf.set(code, HEADERS);
  writeFileSync(path, elf, { mode: 0o755 });
}
