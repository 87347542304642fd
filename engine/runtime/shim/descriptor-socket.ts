/**
 * Node's sockets over descriptors that the shim opened itself: they wait in the event loop and not in a thread.
 */

import { Socket } from 'node:net';
import { close, dup3, pipe, read, setNonBlocking } from '#kernel/descriptors';

/** All output passes through one buffer: whoever gets a piece of it has to be done with it, or copy it, at once. */
const shared = Buffer.allocUnsafe(64 * 1024);

export interface Source {
  /** Read on after `onChunk` has answered false. */
  resume(): void;
  /** Do not read on. `onEnd` follows. */
  destroy(): void;
}

export interface SourceEvents {
  /** `chunk` is only valid during the call. @returns whether to go on reading. */
  onChunk(chunk: Buffer): boolean;
  /** No more will come: end-of-file, or an error, which for a terminal's master (EIO) means the same. */
  onEnd(): void;
}

/** Read the pipe `fd`, which is closed at its end. */
export function readSource(fd: number, { onChunk, onEnd }: SourceEvents): Source {
  const socket = new Socket({
    fd,
    readable: true,
    writable: false,
    onread: { buffer: shared, callback: (length: number) => onChunk(shared.subarray(0, length)) },
  } as ConstructorParameters<typeof Socket>[0]);
  socket.on('error', () => socket.destroy());
  socket.on('close', onEnd);
  return { resume: () => socket.resume(), destroy: () => socket.destroy() };
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
