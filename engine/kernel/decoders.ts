/**
 * xz and bzip2, by the libraries that their own programs use: lzma/container.h and lzma/base.h of liblzma, bzlib.h of
 * libbz2. Every system with dpkg, rpm or kmod has them. They decode piece by piece with bounded memory, read streams that
 * follow each other, and tell what is cut off.
 */

import koffi from 'koffi';

export class DecoderError extends Error {
  override readonly name = 'DecoderError';
}

export interface Decoder {
  /**
   * Decode a piece of input. What comes out is valid until the next piece of output is asked for.
   * @param last whether nothing comes after it
   * @throws DecoderError for damaged, cut off or too demanding input
   */
  push(input: Uint8Array, last: boolean): Generator<Buffer>;
  /** Give its memory back. To be called once, whatever happened. */
  end(): void;
}

/** Bytes of output at once: the time of one call grows with it. */
const OUTPUT = 128 * 1024;
/** Bytes of input for one call. */
const INPUT = 32 * 1024;
/** Bytes. `xz -9` takes 65 MiB to decode; more is asked for by those who mean harm. */
const XZ_MEMORY_MAX = 128n * 1024n * 1024n;

type Call = (...args: (number | bigint)[]) => number;
type Library = (prototype: string) => Call;

const libraries = new Map<string, Library>();

function library(what: string, names: string[], packages: string): Library {
  let found = libraries.get(what);
  if (found) return found;
  for (const name of names) {
    try {
      const loaded = koffi.load(name);
      found = (prototype) => loaded.func(prototype) as Call;
      libraries.set(what, found);
      return found;
    } catch {
      // Under another name, perhaps.
    }
  }
  throw new DecoderError(
    `${what} cannot be decompressed here: the library ${names[0]} is not installed. Install ${packages}, or compress with gzip or zstd.`,
  );
}

/** A structure of C, and buffers it points to; V8 moves none of them. */
function addressOf(buffer: Buffer): bigint {
  return BigInt(koffi.address(buffer));
}

const LZMA = { run: 0, finish: 3, ok: 0, streamEnd: 1, concatenated: 0x08 };
const LZMA_ERRORS: Partial<Record<number, string>> = {
  5: 'there is not enough memory',
  6: `it takes more than ${XZ_MEMORY_MAX / 1024n / 1024n} MiB of memory to decode`,
  7: 'it is not in the xz format',
  8: 'it has options that are not known',
  9: 'it is damaged',
  10: 'it is cut off',
};

/** @throws DecoderError without liblzma */
export function xzDecoder(): Decoder {
  const liblzma = library('xz', ['liblzma.so.5'], 'liblzma5 or xz-libs');
  const begin = liblzma('int lzma_stream_decoder(uint64_t, uint64_t, uint32_t)');
  const code = liblzma('int lzma_code(uint64_t, int)');
  const finish = liblzma('void lzma_end(uint64_t)');
  // lzma_stream: next_in 0, avail_in 8, next_out 24, avail_out 32.
  const stream = Buffer.alloc(136);
  const at = addressOf(stream);
  const failed = begin(at, XZ_MEMORY_MAX, LZMA.concatenated);
  if (failed !== LZMA.ok) throw new DecoderError(`xz cannot be decompressed: ${LZMA_ERRORS[failed] ?? failed}`);
  const set = (field: 0 | 24, buffer: Buffer, length: number) => {
    stream.writeBigUInt64LE(addressOf(buffer), field);
    stream.writeBigUInt64LE(BigInt(length), field + 8);
  };
  const output = Buffer.allocUnsafeSlow(OUTPUT);
  return {
    *push(bytes, last) {
      const input = Buffer.from(Uint8Array.prototype.slice.call(bytes));
      let ended = false;
      for (let done = 0; done < input.length || (last && !ended); ) {
        const piece = input.subarray(done, done + INPUT);
        done += piece.length;
        if (piece.length > 0) set(0, piece, piece.length);
        const action = last && done === input.length ? LZMA.finish : LZMA.run;
        for (let more = true; more && !ended; ) {
          set(24, output, OUTPUT);
          const result = code(at, action);
          ended = result === LZMA.streamEnd;
          if (result !== LZMA.ok && !ended) throw new DecoderError(`xz: ${LZMA_ERRORS[result] ?? `error ${result}`}`);
          const filled = OUTPUT - Number(stream.readBigUInt64LE(32));
          if (filled > 0) yield output.subarray(0, filled);
          more = filled === OUTPUT || stream.readBigUInt64LE(8) > 0n || action === LZMA.finish;
        }
      }
    },
    end: () => void finish(at),
  };
}

const BZ = { ok: 0, streamEnd: 4 };

/** @throws DecoderError without libbz2 */
export function bzip2Decoder(): Decoder {
  const libbz2 = library('bzip2', ['libbz2.so.1.0', 'libbz2.so.1'], 'libbz2-1.0 or bzip2-libs');
  const begin = libbz2('int BZ2_bzDecompressInit(uint64_t, int, int)');
  const code = libbz2('int BZ2_bzDecompress(uint64_t)');
  const finish = libbz2('int BZ2_bzDecompressEnd(uint64_t)');
  // bz_stream: next_in 0, avail_in 8, next_out 24, avail_out 32.
  const stream = Buffer.alloc(80);
  const at = addressOf(stream);
  const output = Buffer.allocUnsafeSlow(OUTPUT);
  /** Between two streams, where the input may end. */
  let isOpen = false;
  return {
    *push(bytes, last) {
      const input = Buffer.from(Uint8Array.prototype.slice.call(bytes));
      for (let done = 0; done < input.length; ) {
        if (!isOpen) {
          stream.fill(0);
          if (begin(at, 0, 0) !== BZ.ok) throw new DecoderError('bzip2: there is not enough memory');
          isOpen = true;
        }
        const piece = input.subarray(done, done + INPUT);
        stream.writeBigUInt64LE(addressOf(piece), 0);
        stream.writeUInt32LE(piece.length, 8);
        for (let more = true; more; ) {
          stream.writeBigUInt64LE(addressOf(output), 24);
          stream.writeUInt32LE(OUTPUT, 32);
          const result = code(at);
          if (result !== BZ.ok && result !== BZ.streamEnd) throw new DecoderError('bzip2: it is damaged');
          const filled = OUTPUT - stream.readUInt32LE(32);
          if (filled > 0) yield output.subarray(0, filled);
          if (result === BZ.streamEnd) {
            finish(at);
            isOpen = false;
          }
          more = isOpen && (filled === OUTPUT || stream.readUInt32LE(8) > 0);
        }
        done += piece.length - stream.readUInt32LE(8);
      }
      if (last && isOpen) throw new DecoderError('bzip2: it is cut off');
    },
    end: () => {
      if (isOpen) finish(at);
      isOpen = false;
    },
  };
}
