/** Files with holes: which pieces of them an archive holds. GNU tar manual, "Sparse Formats". */

import type { ByteReader } from '#contract/byte-reader';
import type { ParsedPax, PaxRecords } from './pax.ts';
import { BLOCK_SIZE, HostileArchive, parseNumber, type RawHeader } from './tar-header.ts';

/** The pieces that have content, in their order; the rest is zeros. */
export interface SparseMap {
  pieces: { offset: number; length: number }[];
  /** Of the whole file, holes included. */
  size: number;
}

/** A map takes memory, and a real file has a few thousand pieces at most. */
const PIECES_MAX = 100_000;

/** @returns undefined for a file without holes. */
export function sparseFromPax(pax: ParsedPax, name: string): SparseMap | undefined {
  const { records } = pax;
  const size = records.get('GNU.sparse.size') ?? records.get('GNU.sparse.realsize');
  if (size === undefined || isFormatOne(records)) return undefined;
  const listed = records.get('GNU.sparse.map')?.toString('latin1');
  return checked(
    listed === undefined ? pax.sparse : listed.split(',').map(Number),
    Number(size.toString('latin1')),
    name,
  );
}

/** In format 1.0 the map is in front of the content. */
export function isFormatOne(records: PaxRecords): boolean {
  return records.get('GNU.sparse.major')?.toString() === '1' && records.get('GNU.sparse.minor')?.toString() === '0';
}

/**
 * Format 1.0: decimal numbers, one a line, filled up with NULs to a whole block.
 * @returns the map, and how many bytes of the content it took.
 */
export async function readFormatOne(
  bytes: ByteReader,
  records: PaxRecords,
  content: number,
  name: string,
): Promise<{ map: SparseMap; taken: number }> {
  let text = '';
  let taken = 0;
  const numbers: number[] = [];
  // The first number says how many pairs follow.
  while (numbers.length === 0 || numbers.length < 1 + 2 * numbers[0]!) {
    if (taken + BLOCK_SIZE > content || (numbers[0] ?? 0) > PIECES_MAX) throw broken(name);
    text += (await bytes.exactly(BLOCK_SIZE)).toString('latin1');
    taken += BLOCK_SIZE;
    const lines = text.split('\n');
    text = lines.pop()!;
    if (text.length > BLOCK_SIZE) throw broken(name);
    for (const line of lines)
      if (/^\d{1,16}$/.test(line)) numbers.push(Number(line));
      else throw broken(name);
  }
  const size = records.get('GNU.sparse.realsize');
  return { map: checked(numbers.slice(1, 1 + 2 * numbers[0]!), Number(size?.toString('latin1')), name), taken };
}

/** The old GNU format: four pieces in the header itself, 21 in each block that follows. */
export async function readOldGnu(bytes: ByteReader, block: Buffer, raw: RawHeader): Promise<SparseMap> {
  const name = raw.name.toString('utf8');
  const numbers: number[] = [];
  const take = (from: Buffer, offset: number, count: number) => {
    for (let i = 0; i < count; i++) {
      const at = offset + i * 24;
      if (from[at + 12] === 0 && from[at] === 0) return;
      numbers.push(
        parseNumber(from.subarray(at, at + 12), 'offset'),
        parseNumber(from.subarray(at + 12, at + 24), 'length'),
      );
    }
  };
  take(block, 386, 4);
  let extended = block[482] !== 0;
  while (extended) {
    const more = await bytes.exactly(BLOCK_SIZE);
    if (more.length < BLOCK_SIZE || numbers.length > 2 * PIECES_MAX) throw broken(name);
    take(more, 0, 21);
    extended = more[504] !== 0;
  }
  return checked(numbers, parseNumber(block.subarray(483, 495), 'size'), name);
}

/** @throws HostileArchive unless the pieces follow each other inside of the file. */
function checked(numbers: number[], size: number, name: string): SparseMap {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * PIECES_MAX || !isCount(size)) throw broken(name);
  const pieces: SparseMap['pieces'] = [];
  let end = 0;
  for (let i = 0; i < numbers.length; i += 2) {
    const [offset, length] = [numbers[i]!, numbers[i + 1]!];
    if (!isCount(offset) || !isCount(length) || offset < end || offset + length > size) throw broken(name);
    end = offset + length;
    if (length > 0) pieces.push({ offset, length });
  }
  return { pieces, size };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function broken(name: string): HostileArchive {
  return new HostileArchive(`layer refused: entry ${JSON.stringify(name)} has a map of its holes that makes no sense`);
}
