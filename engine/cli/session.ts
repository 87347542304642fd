import type { Duplex } from 'node:stream';
import { copy, demultiplex } from './demux.ts';
import { DetachProxy, parseDetachKeys } from './detach-keys.ts';
import { errorCode } from './errors.ts';
import { enterRawMode } from './terminal.ts';

export interface SessionOptions {
  /** The process has a terminal: its output is one raw stream. */
  tty: boolean;
  /** Send our standard input. */
  stdin: boolean;
  /** Show the output. */
  output: boolean;
  detachKeys: string;
}

/** How a session ended: the output ended, the user pressed the detach keys, or there was only input and it ended. */
export type SessionEnd = 'ended' | 'detached';

/**
 * Connect our standard streams with those of a process in a container, until its output ends or the user detaches.
 * The end of our standard input closes the process's, and its output goes on (half-close).
 * The terminal is in raw mode meanwhile when both sides have one.
 */
export async function runSession(connection: Duplex, options: SessionOptions): Promise<SessionEnd> {
  const raw = options.tty && options.stdin && process.stdin.isTTY;
  const keys = parseDetachKeys(options.detachKeys);
  const restore = raw ? enterRawMode() : () => {};
  let proxy: DetachProxy | undefined;
  try {
    const ends: Promise<SessionEnd>[] = [];
    if (options.stdin) {
      const { promise: detached, resolve } = deferred<SessionEnd>();
      ends.push(detached);
      if (options.tty) {
        proxy = new DetachProxy(keys, () => resolve('detached'));
        process.stdin.pipe(proxy).pipe(connection);
      } else {
        process.stdin.pipe(connection);
      }
      process.stdin.on('error', () => connection.end());
    }
    if (options.output || !options.stdin) ends.push(output(connection, options.tty).then(() => 'ended'));
    else ends.push(inputEnd(connection).then(() => 'ended'));
    return await Promise.race(ends);
  } finally {
    restore();
    process.stdin.unpipe();
    if (options.stdin) process.stdin.pause();
    proxy?.destroy();
    connection.destroy();
  }
}

async function output(connection: Duplex, tty: boolean): Promise<void> {
  try {
    await (tty ? copy(connection, process.stdout) : demultiplex(connection, process.stdout, process.stderr));
  } catch (error) {
    // A process that ends while we still send resets the connection. Its exit code, asked for next, is what counts.
    if (errorCode(error) !== 'ECONNRESET' && errorCode(error) !== 'EPIPE') throw error;
  }
}

/** Resolves when everything of our standard input has been sent. */
function inputEnd(connection: Duplex): Promise<void> {
  return new Promise((resolve) => {
    connection.resume();
    connection.once('finish', resolve);
    connection.once('close', resolve);
    connection.once('error', () => resolve());
  });
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
