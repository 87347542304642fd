/** A container's output as files of JSON lines, as Docker's json-file driver writes them. */

import { closeSync, fstatSync, ftruncateSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { timestamp } from './clock.ts';
import {
  type EntryEnd,
  entryEnd,
  entryRoom,
  LINES_MOST,
  LINES_ROOM,
  LONGEST_PIECE,
  type OutputName,
  putEntry,
  putLines,
} from './log-entry.ts';
import { rotatedName } from './log-names.ts';
import type { LogBound } from './protocol.ts';

const NEWLINE = 10;
const NOWHERE = -1;
const SMALLEST_REST = 256;

/** Entries are gathered here and written together; every log uses it for the time of one call. */
const block = Buffer.allocUnsafeSlow(entryRoom(LONGEST_PIECE) + 64 * 1024);

export interface Log {
  /** Every whole line is in the file when this returns; the beginning of a line is kept until it has an end. */
  write(stream: OutputName, chunk: Buffer): void;
  /** Write what has no newline, and close the file. */
  close(): void;
}

/**
 * Append to the log at `path`. A disk that is full costs lines and not the container: writing is tried again with the
 * next line.
 * @param bound without it the log grows for as long as there is something to write.
 * @throws the file system's error when the file cannot be opened.
 */
export function openLog(path: string, bound: LogBound = { size: Number.POSITIVE_INFINITY, files: 1 }): Log {
  const file = rotatedFile(path, bound);
  const rests: Record<OutputName, Rest> = { stdout: new Rest(), stderr: new Rest() };

  return {
    write(stream, chunk) {
      const rest = rests[stream];
      const first = chunk.indexOf(NEWLINE) + 1;
      if (first === 0 && rest.length + chunk.length < LONGEST_PIECE) return rest.add(chunk);
      const ending = entryEnd(stream, timestamp());
      let start = 0;
      if (rest.length > 0) {
        start = Math.min(first || chunk.length, LONGEST_PIECE - rest.length);
        rest.add(chunk.subarray(0, start));
        if (chunk[start - 1] === NEWLINE || rest.length === LONGEST_PIECE) {
          file.put(rest.bytes, [0, rest.length], ending);
          rest.clear();
        }
      }
      while (start < chunk.length) {
        const lines = chunk.lastIndexOf(NEWLINE, Math.min(start + LINES_MOST, chunk.length) - 1) + 1;
        if (lines > start) {
          file.putLines(chunk, [start, lines], ending);
          start = lines;
          continue;
        }
        const end = endOfPiece(chunk, start);
        if (chunk[end - 1] !== NEWLINE && end - start < LONGEST_PIECE) break;
        file.put(chunk, [start, end], ending);
        start = end;
      }
      rest.add(chunk.subarray(start));
      file.flush();
    },
    close() {
      for (const stream of ['stdout', 'stderr'] as const)
        if (rests[stream].length > 0)
          file.put(rests[stream].bytes, [0, rests[stream].length], entryEnd(stream, timestamp()));
      file.flush();
      file.close();
    },
  };
}

function endOfPiece(chunk: Buffer, start: number): number {
  const most = Math.min(chunk.length, start + LONGEST_PIECE);
  const newline = chunk.indexOf(NEWLINE, start);
  return newline < 0 || newline >= most ? most : newline + 1;
}

/** The beginning of a line, at most 16 KiB. */
class Rest {
  bytes: Buffer = Buffer.alloc(0);
  length = 0;

  add(piece: Buffer): void {
    if (piece.length === 0) return;
    const needed = this.length + piece.length;
    if (needed > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(SMALLEST_REST, 2 ** Math.ceil(Math.log2(needed))));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    // A copy: the caller's buffer is used again.
    piece.copy(this.bytes, this.length);
    this.length = needed;
  }

  /** What one long line needed is given back. */
  clear(): void {
    if (this.bytes.length > SMALLEST_REST) this.bytes = Buffer.alloc(0);
    this.length = 0;
  }
}

/** A file that makes place for a new one before it would exceed its bound: `path` becomes `path.1`, that `path.2`. */
function rotatedFile(path: string, bound: LogBound) {
  let fd = openSync(path, 'a', 0o640);
  let size = fstatSync(fd).size;
  let used = 0;

  function flush(): void {
    if (used === 0) return;
    const length = used;
    used = 0;
    let written = 0;
    try {
      if (fd === NOWHERE) open();
      while (written < length) written += writeSync(fd, block, written, length - written);
      size += length;
    } catch {
      // ENOSPC, EIO: see above. What is torn would spoil the line after it.
      if (written > 0) cutOff();
    }
  }

  function cutOff(): void {
    try {
      ftruncateSync(fd, size);
    } catch {
      // A device, or a file system that has ended: nothing more can be lost.
    }
  }

  function open(): void {
    fd = openSync(path, 'a', 0o640);
    size = fstatSync(fd).size;
  }

  function close(): void {
    if (fd !== NOWHERE) closeSync(fd);
    fd = NOWHERE;
  }

  /** Readers that have the oldest file open read it to its end; its name goes. */
  function rotate(): void {
    close();
    try {
      if (bound.files <= 1) rmSync(path, { force: true });
      for (let number = bound.files - 1; number > 0; number--)
        moveIfThere(rotatedName(path, number - 1), rotatedName(path, number));
      open();
    } catch {
      // Tried again with the next entry.
    }
  }

  function put(bytes: Buffer, piece: readonly [number, number], ending: EntryEnd): void {
    if (used + entryRoom(piece[1] - piece[0]) > block.length) flush();
    const begin = used;
    used = putEntry(block, begin, bytes, piece, ending);
    if (size + used <= bound.size || size + begin === 0) return;
    const end = used;
    used = begin;
    flush();
    rotate();
    block.copyWithin(0, begin, end);
    used = end - begin;
  }

  /** Whole lines together, or each by itself where the file ends among them or they are not UTF-8. */
  function putTogether(bytes: Buffer, [start, end]: readonly [number, number], ending: EntryEnd): void {
    if (used + LINES_ROOM > block.length) flush();
    const after = putLines(block, used, bytes, [start, end], ending);
    if (after !== undefined && size + after <= bound.size) {
      used = after;
      return;
    }
    for (let from = start; from < end; ) {
      const to = bytes.indexOf(NEWLINE, from) + 1;
      put(bytes, [from, to], ending);
      from = to;
    }
  }

  return { flush, close, put, putLines: putTogether };
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
