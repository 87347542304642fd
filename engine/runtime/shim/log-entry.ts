/**
 * One entry of a log, as Docker's json-file driver writes it: a line of JSON with the text, its stream and its time.
 * Bytes that are not UTF-8 stand as U+FFFD in `log`, and all bytes of such an entry, base64, in `bytes`.
 */

import { isUtf8 } from 'node:buffer';

export type OutputName = 'stdout' | 'stderr';

/** A line that is longer is written in pieces, of which only the last ends in a newline. */
export const LONGEST_PIECE = 16 * 1024;

const BEGIN = Buffer.from('{"log":"');
/** How a byte is written: 0 as it is, 1 as \\u00XX, 2 as it is if all of the text is UTF-8, else a backslash and this. */
const ESCAPES = new Uint8Array(256);
const UNICODE = 1;
const HIGH = 2;
const BACKSLASH = 0x5c;
const HEXADECIMAL = Buffer.from('0123456789abcdef');
ESCAPES.fill(UNICODE, 0, 0x20).fill(HIGH, 0x80);
for (const [raw, letter] of ['""', '\\\\', '\nn', '\rr', '\tt', '\bb', '\ff']
  .map((pair) => Buffer.from(pair))
  .map(([a, b]) => [a!, b!] as const))
  ESCAPES[raw] = letter;

/** What stands behind the text of each entry of one stream at one time. */
export interface EntryEnd {
  end: Buffer;
  /** From the newline of one line to the beginning of the next one's text. */
  between: Buffer;
}

export function entryEnd(stream: OutputName, time: string): EntryEnd {
  const end = `","stream":"${stream}","time":"${time}"}\n`;
  return { end: Buffer.from(end), between: Buffer.from(`\\n${end}${BEGIN}`) };
}

/** Bytes of output that `putLines` takes at once. */
export const LINES_MOST = 1024;
/** The most bytes that so much takes in a log: a newline each. */
export const LINES_ROOM = LINES_MOST * 128;

/**
 * Put the entries of whole lines, at most LINES_MOST bytes of them, into `block` at `at`. A log that grows fast has many short
 * lines, and one call for all that stands between two of them costs less than the work on each entry.
 * @returns where they end; undefined if something in them has to be escaped or is not UTF-8, and each needs a look.
 */
export function putLines(
  block: Buffer,
  at: number,
  bytes: Buffer,
  [start, end]: readonly [start: number, end: number],
  { between }: EntryEnd,
): number | undefined {
  if (ESCAPED.test(bytes.toString('latin1', start, end)) || !isUtf8(bytes.subarray(start, end))) return undefined;
  block.set(BEGIN, at);
  let to = at + BEGIN.length;
  for (let from = start; from < end; from++) {
    // A call for a whole line pays from some twenty bytes on.
    for (const near = Math.min(from + SHORT, end); from < near && bytes[from] !== NEWLINE; )
      block[to++] = bytes[from++]!;
    if (bytes[from] !== NEWLINE) {
      const newline = bytes.indexOf(NEWLINE, from);
      to += bytes.copy(block, to, from, newline);
      from = newline;
    }
    block.set(between, to);
    to += between.length;
  }
  return to - BEGIN.length;
}

/** What JSON escapes, but for the newline. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the point.
const ESCAPED = /[\x00-\x09\x0b-\x1f"\\]/;
const NEWLINE = 10;
const SHORT = 20;

/** The most bytes an entry of `length` bytes of output takes. */
export function entryRoom(length: number): number {
  return 8 * length + 256;
}

/** Put the entry of `bytes` from `start` to `end` into `block` at `at`, where it has room. @returns where it ends */
export function putEntry(
  block: Buffer,
  at: number,
  bytes: Buffer,
  [start, end]: readonly [start: number, end: number],
  { end: ending }: EntryEnd,
): number {
  block.set(BEGIN, at);
  let to = at + BEGIN.length;
  let high = false;
  for (let from = start; from < end; from++) {
    const byte = bytes[from]!;
    const code = ESCAPES[byte]!;
    if (code === 0) {
      block[to++] = byte;
    } else if (code === HIGH) {
      high = true;
      block[to++] = byte;
    } else if (code === UNICODE) {
      to += block.write('\\u00', to, 'latin1');
      block[to++] = HEXADECIMAL[byte >> 4]!;
      block[to++] = HEXADECIMAL[byte & 15]!;
    } else {
      block[to++] = BACKSLASH;
      block[to++] = code;
    }
  }
  if (high && !isUtf8(bytes.subarray(start, end))) return putBinary(block, at, bytes.subarray(start, end), ending);
  block.set(ending, to);
  return to + ending.length;
}

function putBinary(block: Buffer, at: number, bytes: Buffer, ending: Buffer): number {
  const text = JSON.stringify(bytes.toString('utf8'));
  const to = at + block.write(`{"log":${text},"bytes":"${bytes.toString('base64')}`, at);
  block.set(ending, to);
  return to + ending.length;
}
