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
export function entryEnd(stream: OutputName, time: string): Buffer {
  return Buffer.from(`","stream":"${stream}","time":"${time}"}\n`);
}

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
  ending: Buffer,
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
