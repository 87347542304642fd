import type { Readable, Writable } from 'node:stream';
import { CliError } from './errors.ts';

/** Standard input (which a daemon may echo), output and error; a failure of the daemon's own. */
export type StreamKind = 0 | 1 | 2 | 3;

export interface Piece {
  kind: StreamKind;
  bytes: Buffer;
}

const HEADER = 8;

/**
 * Takes the frames of Docker's multiplexed stream apart: `{kind, 0, 0, 0, length as uint32 big-endian}` and `length`
 * bytes. Docker Engine API, "ContainerAttach", "Stream format".
 */
export class FrameParser {
  #header = Buffer.alloc(HEADER);
  #headerFilled = 0;
  #kind: StreamKind = 1;
  #left = 0;

  /**
   * What `chunk` holds. A frame is handed on in pieces as it arrives, so that no frame is too large.
   * @throws CliError when the bytes are not frames.
   */
  push(chunk: Buffer): Piece[] {
    const pieces: Piece[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const end = Math.min(chunk.length, at + this.#left);
        pieces.push({ kind: this.#kind, bytes: chunk.subarray(at, end) });
        this.#left -= end - at;
        at = end;
        continue;
      }
      const take = Math.min(HEADER - this.#headerFilled, chunk.length - at);
      chunk.copy(this.#header, this.#headerFilled, at, at + take);
      this.#headerFilled += take;
      at += take;
      if (this.#headerFilled === HEADER) this.#startFrame();
    }
    return pieces;
  }

  /** Whether the stream may end here: not within a frame. */
  get complete(): boolean {
    return this.#left === 0 && this.#headerFilled === 0;
  }

  #startFrame(): void {
    const kind = this.#header[0];
    if (kind !== 0 && kind !== 1 && kind !== 2 && kind !== 3) {
      throw new CliError(`The daemon sent a stream that is not made of frames (a frame began with byte ${kind}).`, 125);
    }
    this.#kind = kind;
    this.#left = this.#header.readUInt32BE(4);
    this.#headerFilled = 0;
  }
}

/**
 * Copy a multiplexed stream to the two streams it was made of, until it ends. A reader that is slower than the daemon
 * holds the daemon back; what is kept in memory does not grow.
 * @throws CliError when the daemon reports a failure inside the stream or breaks off within a frame.
 */
export function demultiplex(source: Readable, stdout: Writable, stderr: Writable): Promise<void> {
  const parser = new FrameParser();
  return pump(source, [stdout, stderr], {
    take: (chunk) => {
      for (const { kind, bytes } of parser.push(chunk)) {
        if (kind === 3) throw new CliError(`Error response from daemon: ${bytes.toString('utf8').trim()}`, 125);
        (kind === 2 ? stderr : stdout).write(bytes);
      }
    },
    atEnd: () => {
      if (!parser.complete) throw new CliError('The daemon broke off in the middle of the output.', 125);
    },
  });
}

/** Copy a stream as it is, until it ends, no faster than `stdout` takes it. */
export function copy(source: Readable, stdout: Writable): Promise<void> {
  return pump(source, [stdout], { take: (chunk) => stdout.write(chunk), atEnd: () => {} });
}

interface Pump {
  take(chunk: Buffer): void;
  /** May refuse the end by throwing. */
  atEnd(): void;
}

function pump(source: Readable, targets: Writable[], { take, atEnd }: Pump): Promise<void> {
  return new Promise((resolve, reject) => {
    const resume = (): void => {
      if (targets.every((target) => !target.writableNeedDrain || target.destroyed)) source.resume();
    };
    for (const target of targets) target.on('drain', resume).on('close', resume);
    const settle = (action: () => void): void => {
      for (const target of targets) target.off('drain', resume).off('close', resume);
      source.off('data', onData);
      try {
        action();
        resolve();
      } catch (error) {
        source.destroy();
        reject(error);
      }
    };
    const onData = (chunk: Buffer): void => {
      try {
        take(chunk);
      } catch (error) {
        settle(() => {
          throw error;
        });
      }
      if (targets.some((target) => target.writableNeedDrain && !target.destroyed)) source.pause();
    };
    source.on('data', onData);
    source.once('end', () => settle(atEnd));
    source.once('close', () => settle(atEnd));
    source.once('error', (error) =>
      settle(() => {
        throw error;
      }),
    );
  });
}
