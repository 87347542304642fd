/**
 * Writing archives: a list of entries as a tar whose bytes depend on nothing but the list. tar(5); pax(1).
 *
 * The form: ustar headers, and before the entries that do not fit in one a pax header with just the records that are
 * needed, sorted by their key. No user names, no times but whole seconds.
 */

import { closeSync, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { formatPax } from './pax.ts';
import { BLOCK_SIZE, OCTAL_MAX, writeHeader } from './tar-header.ts';
import { Turn } from './turn.ts';

interface Metadata {
  /** Relative to the root, without a leading `/` or `./`; '' is the root itself. */
  path: string;
  /** Permission bits, 0…0o7777. */
  mode: number;
  uid?: number;
  gid?: number;
  /** Fractions of a second are cut off. */
  mtime: Date;
  xattrs?: Map<string, Buffer>;
}

export type ArchiveEntry = Metadata &
  (
    | { type: 'directory' }
    | { type: 'file'; content: string | Uint8Array }
    /** `size` bytes are read from the host's file `source`; `onChange` says what to do when it has not so many any more. */
    | { type: 'file'; source: string; size: number; onChange?: 'fail' | 'fill' }
    | { type: 'symlink'; target: string }
    /** To an earlier entry, by its `path`. */
    | { type: 'link'; target: string }
    | { type: 'character-device' | 'block-device'; major: number; minor: number }
    | { type: 'fifo' }
  );

const FLAGS: Record<ArchiveEntry['type'], string> = {
  file: '0',
  link: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

/** How much is gathered before it is handed on (bytes). */
const CHUNK_SIZE = 1024 * 1024;
/** Entries after which it is handed on all the same. */
const ENTRIES_AT_ONCE = 64;

/**
 * The entries, in their order, as a tar.
 * The stream fails when a `source` cannot be read, or does not have `size` bytes any more.
 */
export function packArchive(entries: Iterable<ArchiveEntry>): Readable {
  return Readable.from(inTurns(packEntries(entries)), { objectMode: false, highWaterMark: CHUNK_SIZE });
}

/** A stream whose source is always ready never lets the event loop go on by itself. */
async function* inTurns(chunks: Iterable<Buffer>): AsyncGenerator<Buffer> {
  const turn = new Turn();
  for (const chunk of chunks) {
    yield chunk;
    await turn.pass();
  }
}

/** The same as chunks of about 1 MiB. Each is a buffer of its own. */
export function* packEntries(entries: Iterable<ArchiveEntry>): Generator<Buffer> {
  const chunks = new Chunks();
  for (const entry of entries) {
    chunks.begin();
    writeEntryHeader(chunks, entry);
    if (entry.type === 'file') yield* writeContent(chunks, entry);
    else if (chunks.isFull) yield chunks.take();
  }
  chunks.space(2 * BLOCK_SIZE).fill(0);
  yield chunks.take();
}

/** One buffer that is filled from front to back. */
class Chunks {
  #buffer = Buffer.allocUnsafeSlow(CHUNK_SIZE);
  #used = 0;
  #entries = 0;

  /** Many small files are read one by one, which takes longer than their bytes. */
  get isFull(): boolean {
    return this.#used >= CHUNK_SIZE / 2 || this.#entries >= ENTRIES_AT_ONCE;
  }

  begin(): void {
    this.#entries++;
  }

  get room(): number {
    return this.#buffer.length - this.#used;
  }

  /** The next `size` bytes, to be written to. */
  space(size: number): Buffer {
    if (this.room < size) {
      const larger = Buffer.allocUnsafeSlow(this.#used + size);
      this.#buffer.copy(larger, 0, 0, this.#used);
      this.#buffer = larger;
    }
    const space = this.#buffer.subarray(this.#used, this.#used + size);
    this.#used += size;
    return space;
  }

  take(): Buffer {
    const chunk = this.#buffer.subarray(0, this.#used);
    this.#buffer = Buffer.allocUnsafeSlow(CHUNK_SIZE);
    this.#used = 0;
    this.#entries = 0;
    return chunk;
  }
}

type FileEntry = Extract<ArchiveEntry, { type: 'file' }>;

function* writeContent(chunks: Chunks, entry: FileEntry): Generator<Buffer> {
  if ('content' in entry) {
    const bytes = Buffer.from(entry.content);
    bytes.copy(chunks.space(bytes.length));
  } else yield* copyFile(chunks, entry);
  const { length } = contentOf(entry);
  chunks.space((BLOCK_SIZE - (length % BLOCK_SIZE)) % BLOCK_SIZE).fill(0);
  if (chunks.isFull) yield chunks.take();
}

function contentOf(entry: FileEntry): { length: number } {
  return 'content' in entry ? { length: Buffer.byteLength(entry.content) } : { length: entry.size };
}

function* copyFile(
  chunks: Chunks,
  { source, size, onChange = 'fail' }: Extract<FileEntry, { source: string }>,
): Generator<Buffer> {
  const changed = () =>
    new Error(`${source} changed while it was read: it had ${size} bytes before; pause what writes to it`);
  const file = openSync(source, 'r');
  try {
    for (let at = 0; at < size; ) {
      if (chunks.isFull) yield chunks.take();
      const space = chunks.space(Math.min(chunks.room, size - at));
      for (let filled = 0; filled < space.length; ) {
        const got = readSync(file, space, filled, space.length - filled, at + filled);
        if (got > 0) filled += got;
        else if (onChange === 'fail') throw changed();
        else filled += space.fill(0, filled).length;
      }
      at += space.length;
    }
    if (onChange === 'fail' && readSync(file, Buffer.alloc(1), 0, 1, size) > 0) throw changed();
  } finally {
    closeSync(file);
  }
}

function writeEntryHeader(chunks: Chunks, entry: ArchiveEntry): void {
  const { path, type, mode, uid = 0, gid = 0, mtime } = entry;
  const name = Buffer.from(type === 'directory' ? `${path || '.'}/` : path);
  const linkname = Buffer.from('target' in entry ? entry.target : '');
  const size = entry.type === 'file' ? contentOf(entry).length : 0;
  const seconds = Math.floor(mtime.getTime() / 1000);
  const records = new Map<string, string | Buffer>();
  const numeric = (key: string, value: number, most: number) => {
    if (value >= 0 && value <= most) return value;
    records.set(key, String(value));
    return 0;
  };
  if (name.length > 100) records.set('path', name);
  if (linkname.length > 100) records.set('linkpath', linkname);
  for (const [key, value] of entry.xattrs ?? []) records.set(`SCHILY.xattr.${key}`, value);
  const values = {
    name,
    flag: FLAGS[type],
    mode,
    uid: numeric('uid', uid, OCTAL_MAX.id),
    gid: numeric('gid', gid, OCTAL_MAX.id),
    size: numeric('size', size, OCTAL_MAX.size),
    mtime: numeric('mtime', seconds, OCTAL_MAX.size),
    linkname,
    ...('major' in entry && { device: { major: entry.major, minor: entry.minor } }),
  };
  if (records.size > 0) writePax(chunks, records);
  writeHeader(chunks.space(BLOCK_SIZE).fill(0), values);
}

function writePax(chunks: Chunks, records: Map<string, string | Buffer>): void {
  const content = formatPax(new Map([...records].sort(([a], [b]) => (a < b ? -1 : 1))));
  const name = Buffer.from('PaxHeader');
  const values = { name, flag: 'x', mode: 0o644, uid: 0, gid: 0, size: content.length, mtime: 0 };
  writeHeader(chunks.space(BLOCK_SIZE).fill(0), values);
  const padded = Math.ceil(content.length / BLOCK_SIZE) * BLOCK_SIZE;
  content.copy(chunks.space(padded).fill(0));
}
