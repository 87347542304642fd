/** Writing layers: a list of entries as a tar whose bytes depend on nothing but the list. */

import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

interface Metadata {
  /** Relative to the root, without a leading `/` or `./`; '' is the root itself. */
  path: string;
  /** Permission bits, 0…0o7777. */
  mode: number;
  uid?: number;
  gid?: number;
  mtime: Date;
}

export type ArchiveEntry = Metadata &
  (
    | { type: 'directory' }
    | { type: 'file'; content: string | Uint8Array }
    /** `size` bytes are read from the host's file `source`. */
    | { type: 'file'; source: string; size: number }
    | { type: 'symlink'; target: string }
    /** To an earlier entry, by its `path`. */
    | { type: 'link'; target: string }
    | { type: 'character-device' | 'block-device'; major: number; minor: number }
    | { type: 'fifo' }
  );

/** The largest number that fits in the seven octal digits, less the terminator, that ustar has for an id. */
const USTAR_ID_MAX = 0o777777;
/** tar-stream writes a time as a signed 32-bit number. */
const USTAR_MTIME_MAX = 0x7fffffff;

/**
 * The entries, in their order, as a tar in pax format (only entries that need it have extended headers).
 * The stream fails when a `source` cannot be read or does not have `size` bytes any more.
 */
export function packArchive(entries: Iterable<ArchiveEntry>): Readable {
  const archive = pack();
  const write = async () => {
    for (const entry of entries) {
      if (entry.type !== 'file') {
        await new Promise<void>((done, fail) =>
          archive.entry(header(entry), (error) => (error ? fail(error) : done())),
        );
        continue;
      }
      const { source, size } = 'source' in entry ? streamOf(entry) : inMemory(entry.content);
      await pipeline(source, archive.entry({ ...header(entry), size }));
    }
    archive.finalize();
  };
  write().catch((error: Error) => archive.destroy(error));
  // tar-stream's own stream is not one of Node's, though it looks like it: errors and back-pressure need this.
  return Readable.from(archive);
}

function streamOf({ source, size }: { source: string; size: number }) {
  // One byte more than promised, so that a file that has grown is noticed as well as one that has shrunk.
  return { source: createReadStream(source, { end: size }), size };
}

function inMemory(content: string | Uint8Array) {
  const bytes = Buffer.from(content);
  return { source: Readable.from(bytes.length > 0 ? [bytes] : []), size: bytes.length };
}

function header(entry: ArchiveEntry) {
  const { path, type, mode, uid = 0, gid = 0, mtime } = entry;
  const seconds = mtime.getTime() / 1000;
  const pax: Record<string, string> = {};
  if (uid > USTAR_ID_MAX) pax.uid = `${uid}`;
  if (gid > USTAR_ID_MAX) pax.gid = `${gid}`;
  const inUstar = Math.min(Math.max(Math.floor(seconds), 0), USTAR_MTIME_MAX);
  if (inUstar !== seconds) pax.mtime = `${seconds}`;
  return {
    name: type === 'directory' ? `${path || '.'}/` : path,
    type,
    // tar-stream takes a mode of 0 for none given; it masks what is above the permissions.
    mode: mode | 0o10000,
    uid,
    gid,
    mtime: new Date(inUstar * 1000),
    ...('target' in entry && { linkname: entry.target }),
    ...('major' in entry && { devmajor: entry.major, devminor: entry.minor }),
    ...(Object.keys(pax).length > 0 && { pax }),
  };
}
