/** A container's output as a file of JSON lines, as Docker's json-file driver writes it. */

import { closeSync, openSync, writeSync } from 'node:fs';
import { timestamp } from './clock.ts';

export type OutputName = 'stdout' | 'stderr';

/** A line that is longer is written in pieces, of which only the last ends in a newline. */
const LONGEST_PIECE = 16 * 1024;
const NEWLINE = 10;
const EMPTY = Buffer.alloc(0);

export interface Log {
  /** Every whole line is in the file when this returns; the beginning of a line is kept until it has an end. */
  write(stream: OutputName, chunk: Buffer): void;
  /** Write what has no newline yet, and close the file. */
  close(): void;
}

/**
 * Append to the log at `path`. A disk that is full costs lines and not the container: writing is tried again with the
 * next line.
 * @throws the file system's error when the file cannot be opened.
 */
export function openLog(path: string): Log {
  const fd = openSync(path, 'a', 0o640);
  const pending: Record<OutputName, Buffer> = { stdout: EMPTY, stderr: EMPTY };

  function append(text: string): void {
    try {
      writeSync(fd, text);
    } catch {
      // ENOSPC, EIO: see above.
    }
  }

  return {
    write(stream, chunk) {
      const time = timestamp();
      let rest = pending[stream].length > 0 ? Buffer.concat([pending[stream], chunk]) : chunk;
      let text = '';
      for (let piece = nextPiece(rest); piece !== null; piece = nextPiece(rest)) {
        text += entry(stream, piece, time);
        rest = rest.subarray(piece.length);
      }
      // A copy: the caller's buffer is used again, and a slice would keep the whole of it alive.
      pending[stream] = rest.length > 0 ? Buffer.from(rest) : EMPTY;
      if (text !== '') append(text);
    },
    close() {
      for (const stream of ['stdout', 'stderr'] as const) {
        if (pending[stream].length > 0)
          append(entry(stream, Buffer.concat([pending[stream], Buffer.of(NEWLINE)]), timestamp()));
        pending[stream] = EMPTY;
      }
      closeSync(fd);
    },
  };
}

/** A line with its newline, 16 KiB together at most, or 16 KiB of a longer one; null when there is only the beginning of a line. */
function nextPiece(bytes: Buffer): Buffer | null {
  const newline = bytes.indexOf(NEWLINE);
  if (newline >= 0 && newline < LONGEST_PIECE) return bytes.subarray(0, newline + 1);
  return bytes.length >= LONGEST_PIECE ? bytes.subarray(0, LONGEST_PIECE) : null;
}

function entry(stream: OutputName, piece: Buffer, time: string): string {
  return `{"log":${JSON.stringify(piece.toString('utf8'))},"stream":"${stream}","time":"${time}"}\n`;
}
