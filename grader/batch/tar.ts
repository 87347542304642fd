/** Tar archives, plain or with gzip. POSIX.1-2017 pax, RFC 1952. */

import fs from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { type Extract, extract } from 'tar-stream';
import { type Kind, MOST_OF_A_FILE, PACK_LESS, type PickedFiles } from './picked-files.ts';
import { UnreadableArchive } from './unreadable-archive.ts';

type Entry = Extract extends AsyncIterable<infer Each> ? Each : never;

/** Bytes after decompression. */
const MOST_BYTES = 512 << 20;

/** @throws UnreadableArchive */
export async function readTar(archive: string, picked: PickedFiles): Promise<void> {
  const entries = extract();
  const packed = /\.t?gz$/i.test(archive);
  const source = fs.createReadStream(archive);
  const done = packed
    ? pipeline(source, zlib.createGunzip(), limited(), entries)
    : pipeline(source, limited(), entries);
  done.catch(() => {});
  try {
    for await (const entry of entries) await pick(entry, picked);
    await done;
  } catch (error) {
    entries.destroy();
    await done.catch(() => {});
    if (error instanceof UnreadableArchive) throw error;
    const { code, message, syscall } = error as NodeJS.ErrnoException;
    // Of this machine's disk.
    if (syscall !== undefined && code !== undefined && !code.startsWith('Z_')) throw error;
    throw new UnreadableArchive(`it is damaged (${message})`);
  }
}

async function pick(entry: Entry, picked: PickedFiles): Promise<void> {
  const { name, type } = entry.header;
  if (picked.sees(name, kindOf(type))) picked.take(name, await head(entry));
  entry.resume();
}

function kindOf(type: string | null | undefined): Kind {
  if (type === 'file' || type === 'contiguous-file') return 'file';
  return type === 'symlink' ? 'link' : 'other';
}

/** The first bytes of a file; the rest goes by unread. */
async function head(entry: Entry): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let left = MOST_OF_A_FILE;
  for await (const piece of entry as unknown as AsyncIterable<Buffer>) {
    if (left > 0) pieces.push(piece.subarray(0, left));
    left -= Math.min(left, piece.length);
  }
  return Buffer.concat(pieces);
}

function limited(): Transform {
  let bytes = 0;
  return new Transform({
    transform(piece: Buffer, _, done) {
      bytes += piece.length;
      if (bytes > MOST_BYTES) done(new UnreadableArchive(`it holds more than ${MOST_BYTES} bytes. ${PACK_LESS}`));
      else done(null, piece);
    },
  });
}
