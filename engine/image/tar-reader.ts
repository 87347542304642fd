/**
 * Reading tar archives as a stream: ustar, pax, GNU long names, sparse files, base-256 numbers. tar(5), pax(1).
 *
 *     for (let entry = await tar.next(); entry; entry = await tar.next()) { entry.header; await tar.read() … }
 *
 * An archive is hostile: everything it can make us keep in memory has a limit.
 */

import { ByteReader, UnexpectedEnd } from '#contract/byte-reader';
import { type ParsedPax, parsePax } from './pax.ts';
import { isFormatOne, readFormatOne, readOldGnu, type SparseMap, sparseFromPax } from './sparse.ts';
import { contentSize, describeEntry, type EntryHeader, type LongNames } from './tar-entry.ts';
import { BLOCK_SIZE, HostileArchive, parseHeader, type RawHeader } from './tar-header.ts';

export interface TarLimits {
  /** Bytes of the extended headers of one entry, all together. Go's archive/tar, which docker reads with, takes 1 MiB. */
  extendedHeader?: number;
  /** Entries of one archive. */
  entries?: number;
}

/** A part of a file's content, and where in the file it belongs. */
export interface Piece {
  data: Buffer;
  offset: number;
}

const EXTENDED_MAX = 1024 * 1024;
const ENTRIES_MAX = 10_000_000;
/** The most that one `read` gives. */
const PIECE_MAX = 4 * 1024 * 1024;
const NONE: ParsedPax = { records: new Map(), sparse: [] };

export class TarReader {
  readonly #bytes: ByteReader;
  readonly #limits: Required<TarLimits>;
  #entries = 0;
  /** What is left of the current entry: stored bytes, the fill after them, and where in the file they belong. */
  #left = 0;
  #fill = 0;
  #pieces: SparseMap['pieces'] = [];

  constructor(source: AsyncIterable<Uint8Array>, limits: TarLimits = {}) {
    this.#bytes = new ByteReader(source);
    this.#limits = { extendedHeader: limits.extendedHeader ?? EXTENDED_MAX, entries: limits.entries ?? ENTRIES_MAX };
  }

  /**
   * The next entry; what was not read of the one before is passed over. Null at the end, after which whatever the
   * source still has is read and passed over too.
   * @throws HostileArchive, UnexpectedEnd, or the source's own error.
   */
  async next(): Promise<EntryHeader | null> {
    await this.#skip();
    let pax = NONE;
    const long: LongNames = {};
    for (let extended = 0; ; ) {
      const block = await this.#block();
      const raw = block && parseHeader(block);
      if (!block || !raw) {
        if (extended > 0) throw new UnexpectedEnd('the archive is cut off: an extended header without its entry');
        return this.#end();
      }
      if (!'xgLK'.includes(raw.flag)) return this.#begin(block, raw, pax, long);
      extended += raw.size + BLOCK_SIZE;
      if (raw.size < 0 || extended > this.#limits.extendedHeader)
        throw new HostileArchive(
          `layer refused: an entry has extended headers of more than ${this.#limits.extendedHeader} bytes`,
        );
      const content = await this.#padded(raw.size);
      if (raw.flag === 'x') pax = parsePax(content);
      // Global records are about all entries that follow (POSIX); Docker reads over them, and a layer is what Docker makes of it.
      else if (raw.flag !== 'g') long[raw.flag === 'L' ? 'name' : 'linkname'] = untilNul(content);
    }
  }

  /**
   * The next part of the current entry's content; null when there is none left. The bytes are valid until the next call
   * of this reader. A file's last piece may end before its size: the rest is a hole.
   */
  read(): Piece | null | Promise<Piece | null> {
    if (this.#left === 0) return null;
    const piece = this.#pieces[0]!;
    const got = this.#bytes.some(Math.min(piece.length, PIECE_MAX));
    return got instanceof Promise ? got.then((data) => this.#take(data)) : this.#take(got);
  }

  /** Tell the source that nobody reads on. */
  close(): Promise<void> {
    return this.#bytes.close();
  }

  #take(data: Buffer): Piece {
    if (data.length === 0) throw new UnexpectedEnd('the archive is cut off: unexpected end of data');
    const piece = this.#pieces[0]!;
    const taken = { data, offset: piece.offset };
    this.#left -= data.length;
    if (data.length === piece.length) this.#pieces.shift();
    else this.#pieces[0] = { offset: piece.offset + data.length, length: piece.length - data.length };
    return taken;
  }

  async #begin(block: Buffer, raw: RawHeader, local: ParsedPax, long: LongNames): Promise<EntryHeader> {
    if (++this.#entries > this.#limits.entries)
      throw new HostileArchive(`layer refused: it has more than ${this.#limits.entries} entries`);
    const { records } = local;
    const header = describeEntry(raw, records, long);
    let stored = contentSize(raw, records);
    this.#fill = padding(stored);
    const map = await this.#sparseMap(block, raw, { records, sparse: local.sparse }, stored);
    if (map) {
      stored -= map.taken;
      if (map.pieces.reduce((sum, { length }) => sum + length, 0) !== stored)
        throw new HostileArchive(
          `layer refused: entry ${JSON.stringify(header.name)} has not the bytes that its map of holes names`,
        );
      header.size = map.size;
    }
    this.#pieces = map?.pieces ?? (stored > 0 ? [{ offset: 0, length: stored }] : []);
    this.#left = stored;
    return header;
  }

  async #sparseMap(
    block: Buffer,
    raw: RawHeader,
    pax: ParsedPax,
    stored: number,
  ): Promise<(SparseMap & { taken: number }) | undefined> {
    if (raw.flag === 'S') return { ...(await readOldGnu(this.#bytes, Buffer.from(block), raw)), taken: 0 };
    if (pax.records.size === 0 || !'0\0'.includes(raw.flag)) return undefined;
    const name = raw.name.toString('utf8');
    if (isFormatOne(pax.records)) {
      const { map, taken } = await readFormatOne(this.#bytes, pax.records, stored, name);
      return { ...map, taken };
    }
    const map = sparseFromPax(pax, name);
    return map && { ...map, taken: 0 };
  }

  /** 512 bytes; null at the end of the source. */
  #block(): Buffer | null | Promise<Buffer | null> {
    const got = this.#bytes.exactly(BLOCK_SIZE);
    return got instanceof Promise ? got.then((block) => (block.length === 0 ? null : block)) : got;
  }

  async #padded(size: number): Promise<Buffer> {
    const whole = await this.#bytes.exactly(size + padding(size));
    if (whole.length < size) throw new UnexpectedEnd('the archive is cut off: unexpected end of data');
    // A copy: it outlives the chunk it came in.
    return Buffer.from(whole.subarray(0, size));
  }

  async #skip(): Promise<void> {
    for (let rest = this.#left + this.#fill; rest > 0; ) {
      const got = this.#bytes.some(rest);
      const { length } = got instanceof Promise ? await got : got;
      if (length === 0) {
        // The content is whole: umoci's `insert` leaves out what should fill the last block up.
        if (rest <= this.#fill) break;
        throw new UnexpectedEnd('the archive is cut off: unexpected end of data');
      }
      rest -= length;
    }
    this.#left = this.#fill = 0;
    this.#pieces = [];
  }

  /** An archive ends with two blocks of zeros; some writers leave one or both out, others fill up to a tape's record. */
  async #end(): Promise<null> {
    while ((await this.#bytes.some(PIECE_MAX)).length > 0);
    return null;
  }
}

function padding(size: number): number {
  return (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE;
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
