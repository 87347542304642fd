/** How a layer is compressed: told by its first bytes, since media types are often wrong. */

import { pipeline, type Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';

export type Compression = 'none' | 'gzip' | 'zstd';

export class UnsupportedCompression extends Error {
  readonly code = 'COMPRESSION_UNSUPPORTED';
  override readonly name = 'UnsupportedCompression';
}

/** @param head at least the first 4 bytes, or all there are. */
export function compressionOf(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'zstd';
  return 'none';
}

/**
 * The uncompressed bytes of `source`. Destroying one destroys the other, and an error of `source` is passed on.
 * @throws UnsupportedCompression for zstd where Node has none (before 22.15 and 23.8).
 */
export function decompress(source: Readable, compression: Compression): Readable {
  if (compression === 'none') return source;
  const through = compression === 'gzip' ? zlib.createGunzip({ chunkSize: 256 * 1024 }) : zstd();
  // The error, if any, is the result's own: pipeline destroys it with that.
  return pipeline(source, through, () => {});
}

function zstd(): Transform {
  // Not in the types of Node 20, nor in Node 20.
  const create = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress;
  if (create) return create();
  throw new UnsupportedCompression(
    `the layer is compressed with zstd, which Node ${process.versions.node} cannot read; use Node 22.15 or newer, or convert the image to gzip`,
  );
}
