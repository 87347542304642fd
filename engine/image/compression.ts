/** How a layer is compressed: told by its first bytes, since media types are often wrong. */

import { Duplex, pipeline, type Readable, Transform, type TransformCallback } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
import { bzip2Decoder, type Decoder, xzDecoder } from '#kernel/decoders';
import { HostileArchive } from './tar-header.ts';
import { Turn } from './turn.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

/** How many of the first bytes tell the compression. */
export const HEAD = 6;

const MAGIC: [Compression, number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  // `BZh`, and then the size of its blocks.
  ['bzip2', [0x42, 0x5a, 0x68]],
];

/** A bomb is a few bytes that become very many. Both limits have to be exceeded: a few zeros are harmless. */
export interface ExpansionLimits {
  /** Bytes that any archive may expand to. */
  free?: number;
  /** How many times as large as what was read so far the rest may be. gzip reaches 1,032 with zeros, text less than 20. */
  ratio?: number;
}

const FREE = 4 * 1024 ** 3;
const RATIO = 200;

/** @param head at least the first HEAD bytes, or all there are. */
export function compressionOf(head: Uint8Array): Compression {
  const found = MAGIC.find(([, magic]) => magic.every((byte, at) => head[at] === byte));
  return found?.[0] ?? 'none';
}

/**
 * The uncompressed bytes of `source`. Destroying one destroys the other, and an error of `source` is passed on.
 * The stream fails with HostileArchive when it expands beyond the limits.
 */
export function decompress(source: Readable, compression: Compression, limits: ExpansionLimits = {}): Readable {
  if (compression === 'none') return source;
  const count = new Count();
  const through = DECOMPRESSORS[compression]();
  const limit = new Limit(count, limits);
  // The error, if any, is the result's own: pipeline destroys it with that.
  return pipeline(source, count, through, limit, () => {});
}

const DECOMPRESSORS: Record<Exclude<Compression, 'none'>, () => NodeJS.ReadWriteStream> = {
  gzip: () => zlib.createGunzip({ chunkSize: CHUNK_SIZE }),
  zstd,
  xz: () => Duplex.from((source: AsyncIterable<Buffer>) => decoded(source, xzDecoder())),
  bzip2: () => Duplex.from((source: AsyncIterable<Buffer>) => decoded(source, bzip2Decoder())),
};

async function* decoded(source: AsyncIterable<Buffer>, decoder: Decoder): AsyncGenerator<Buffer> {
  const turn = new Turn();
  try {
    for await (const chunk of source)
      for (const piece of decoder.push(chunk, false)) {
        await turn.pass();
        // A copy, for the decoder goes on using its buffer.
        yield Buffer.from(piece);
      }
    for (const piece of decoder.push(new Uint8Array(0), true)) yield Buffer.from(piece);
  } finally {
    decoder.end();
  }
}

const CHUNK_SIZE = 256 * 1024;
/** More chunks in flight than one: the thread that inflates need not wait for the one that writes. */
const IN_FLIGHT = { highWaterMark: 8 * CHUNK_SIZE };

/** Counts the compressed bytes. */
class Count extends Transform {
  bytes = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length;
    done(null, chunk);
  }
}

class Limit extends Transform {
  readonly #compressed: Count;
  readonly #free: number;
  readonly #ratio: number;
  #bytes = 0;

  constructor(compressed: Count, { free = FREE, ratio = RATIO }: ExpansionLimits) {
    super(IN_FLIGHT);
    this.#compressed = compressed;
    this.#free = free;
    this.#ratio = ratio;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length;
    const isBomb = this.#bytes > this.#free && this.#bytes > this.#ratio * this.#compressed.bytes;
    if (!isBomb) done(null, chunk);
    else {
      done(
        new HostileArchive(
          `layer refused: ${this.#compressed.bytes} compressed bytes expand to more than ${this.#bytes - chunk.length}; ` +
            `beyond ${this.#free} bytes at most ${this.#ratio} times as much is unpacked`,
        ),
      );
    }
  }
}

/** Node has its own since 22.15 and 23.8; its types of version 20 do not. */
function zstd(): NodeJS.ReadWriteStream {
  const create = (zlib as { createZstdDecompress?: (options: zlib.ZlibOptions) => Transform }).createZstdDecompress;
  return create ? create({ chunkSize: CHUNK_SIZE }) : Duplex.from(zstdInJavaScript);
}

/** A block of four bytes may become 128 KiB: what is fed at once bounds what comes out at once, to 16 MiB. */
const ZSTD_FEED = 512;

/** Slower by far than Node's own. */
async function* zstdInJavaScript(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let made: Buffer[] = [];
  // A copy, for fzstd goes on using its window.
  const decompress = new Decompress((chunk) => made.push(Buffer.from(chunk)));
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; at += ZSTD_FEED) {
      decompress.push(chunk.subarray(at, at + ZSTD_FEED));
      const ready = made;
      made = [];
      yield* ready;
    }
  }
  decompress.push(new Uint8Array(0), true);
  yield* made;
}
