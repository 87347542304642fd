/**
 * Node's sockets over descriptors that the shim opened itself: they wait in the event loop and not in a thread.
 */

import { Socket } from 'node:net';
import { close, dup3, pipe, read, readInto, setNonBlocking } from '#kernel/descriptors';
import { takeTurns } from './turns.ts';

/** What libuv reads at once. A program that fills it has more to say, and is read in turn with all others then. */
const FIRST_PIECE = 4096;
const SMALLEST_PIECE = 1024;
const LARGEST_PIECE = 64 * 1024;
/** Nanoseconds that are too much for one piece, and so few that the next may be larger. */
const TOO_LONG = 150_000n;
const SHORT = 40_000n;

/** All output passes through one buffer: a listener that gets a piece of it has to be done with it, or copy it, at once. */
const shared = Buffer.allocUnsafeSlow(LARGEST_PIECE);

export interface Source {
  /** Read on after `onChunk` has answered false. */
  resume(): void;
  /** Do not read on. `onEnd` follows. */
  destroy(): void;
}

export interface SourceEvents {
  /** `chunk`, at most 64 KiB, is only valid during the call. @returns whether to go on reading. */
  onChunk(chunk: Buffer): boolean;
  /** No more will come: end-of-file, or an error, which for a terminal's master (EIO) means the same. */
  onEnd(): void;
}

/**
 * Read the pipe `fd`, which is closed at its end. libuv tells when there is something and sees the end; left to itself
 * it would read on for as long as the program writes, up to 32 times in one turn of the loop.
 */
export function readSource(fd: number, { onChunk, onEnd }: SourceEvents): Source {
  let inTurns = false;
  let held = false;
  let size = FIRST_PIECE;

  const socket = new Socket({
    fd,
    readable: true,
    writable: false,
    onread: { buffer: shared.subarray(0, FIRST_PIECE), callback: (length: number) => listened(length) },
  } as ConstructorParameters<typeof Socket>[0]);
  socket.on('error', () => socket.destroy());
  socket.on('close', onEnd);

  function listened(length: number): boolean {
    held = !onChunk(shared.subarray(0, length));
    if (held) return false;
    if (length < FIRST_PIECE) return true;
    beginTurns();
    return false;
  }

  function beginTurns(): void {
    if (inTurns) return;
    inTurns = true;
    takeTurns(() => {
      inTurns = takePiece();
      // Nothing there, the end, or an error: libuv finds out which.
      if (!inTurns && !held) socket.resume();
      return inTurns;
    });
  }

  /** @returns whether there may be more at once. */
  function takePiece(): boolean {
    if (held || socket.destroyed) return false;
    const wanted = size;
    const begin = process.hrtime.bigint();
    const length = readInto(fd, shared, wanted);
    if (length <= 0) return false;
    held = !onChunk(shared.subarray(0, length));
    const taken = process.hrtime.bigint() - begin;
    if (taken > TOO_LONG) size = Math.max(SMALLEST_PIECE, size >> 1);
    else if (taken < SHORT && length === wanted) size = Math.min(LARGEST_PIECE, size << 1);
    return !held && length === wanted;
  }

  return {
    resume() {
      if (!held) return;
      held = false;
      beginTurns();
    },
    destroy: () => socket.destroy(),
  };
}

/** Write to the pipe `fd`, which is closed when the socket is. */
export function writeSink(fd: number): Socket {
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on('error', () => socket.destroy());
  return socket;
}

/** More than a terminal's buffers hold; a program that goes on writing shall not be read for ever. */
const MOST_DRAINED = 1 << 20;

/**
 * Both directions of a terminal's master, which is taken over and closed at the source's end. Node has no non-blocking
 * way to write to a terminal it has not opened itself, and a program that reads nothing would then stop the whole shim.
 * So the handles are made for pipes, and the terminal is put in the pipes' places before the event loop has looked at
 * them.
 */
export function openMaster(master: number, { onChunk, onEnd }: SourceEvents): { source: Source; sink: Socket } {
  setNonBlocking(master, true);
  const placeholder = pipe();
  const source = readSource(placeholder.read, {
    onChunk,
    onEnd() {
      drain(master, onChunk);
      close(master);
      onEnd();
    },
  });
  const sink = writeSink(placeholder.write);
  dup3(master, placeholder.read);
  dup3(master, placeholder.write);
  return { source, sink };
}

/** For libuv a hang-up after a short read is the end; for a pipe it is, a terminal may still hold the last lines. */
function drain(master: number, onChunk: SourceEvents['onChunk']): void {
  try {
    for (let total = 0; total < MOST_DRAINED; ) {
      const chunk = read(master);
      if (chunk === null || chunk.length === 0) return;
      total += chunk.length;
      onChunk(chunk);
    }
  } catch {
    // EIO: nobody has the other end open any more, and everything has been read.
  }
}
