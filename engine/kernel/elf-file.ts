/** The smallest file that the kernel runs: a program that needs no library, written by hand. elf(5). */

/** Where the file is mapped: above what vm.mmap_min_addr forbids. */
const ADDRESS = 0x400000n;
/** The largest page of Linux on arm64; smaller ones divide it. */
const PAGE = 0x10000n;
const HEADER = 64;
const SEGMENT = 56;
const SEGMENTS = 2;

/** e_machine, by the names of Node. */
export const MACHINES: Partial<Record<string, number>> = { x64: 62, arm64: 183 };

/** @param code runs from its first byte on, and may be read and run but not written to; data may follow in it. */
export function elfFile(machine: number, code: Buffer): Buffer {
  const start = HEADER + SEGMENTS * SEGMENT;
  const header = Buffer.alloc(HEADER);
  header.write('\x7fELF', 'latin1');
  header.writeUInt8(2, 4); // 64 bits
  header.writeUInt8(1, 5); // little-endian
  header.writeUInt8(1, 6); // version
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20); // version
  header.writeBigUInt64LE(ADDRESS + BigInt(start), 24); // where it begins
  header.writeBigUInt64LE(BigInt(HEADER), 32); // where the segments are said
  header.writeUInt16LE(HEADER, 52);
  header.writeUInt16LE(SEGMENT, 54);
  header.writeUInt16LE(SEGMENTS, 56);
  const size = BigInt(start + code.length);
  return Buffer.concat([header, segment(1, 5, ADDRESS, size), segment(0x6474e551, 6, 0n, 0n), code]);
}

/** @param type PT_LOAD, or PT_GNU_STACK, which says that the stack is not code. @param flags 4 read, 2 write, 1 execute. */
function segment(type: number, flags: number, address: bigint, size: bigint): Buffer {
  const bytes = Buffer.alloc(SEGMENT);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(flags, 4);
  bytes.writeBigUInt64LE(address, 16);
  bytes.writeBigUInt64LE(address, 24);
  bytes.writeBigUInt64LE(size, 32);
  bytes.writeBigUInt64LE(size, 40);
  bytes.writeBigUInt64LE(PAGE, 48);
  return bytes;
}
