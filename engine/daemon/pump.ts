/** Attached streams through the daemon: in pieces and in turn, so that no output, however much, holds up an answer. */

import type { Duplex, Readable, Writable } from 'node:stream';

/** Bytes that all attached streams together move in one turn of the event loop. */
export const TURN_BYTES = 256 * 1024;

/** Moves one piece, of at most what the reader gathers, 64 KiB. @returns its bytes */
type Piece = () => number;

const queue: Piece[] = [];
let scheduled = false;

function takeTurn(piece: Piece): void {
  queue.push(piece);
  schedule();
}

function schedule(): void {
  if (scheduled || queue.length === 0) return;
  scheduled = true;
  setImmediate(turn);
}

/** Those that have moved something queue up again behind the others. */
function turn(): void {
  scheduled = false;
  for (let left = TURN_BYTES, waiting = queue.length; left > 0 && waiting > 0; waiting--) left -= queue.shift()!();
  schedule();
}

/**
 * Write to `to` what `from` reads, no faster than it is taken. Unlike `pipe`, which moves all that there is as it comes, each
 * stream moves one piece when it is its turn. The end of `from` is not the end of `to`. When `to` has closed the rest is
 * read and dropped, so that the end of the other side is seen.
 */
export function pump(from: Readable | Duplex, to: Writable | Duplex): void {
  let queued = false;
  let full = false;
  const want = () => {
    if (queued || full) return;
    queued = true;
    takeTurn(move);
  };
  const drained = () => {
    full = false;
    want();
  };
  const move = (): number => {
    queued = false;
    if (to.destroyed || to.writableEnded) return 0;
    const piece = from.read() as Buffer | null;
    if (piece === null) return 0;
    full = !to.write(piece);
    want();
    return piece.length;
  };
  from.on('readable', want);
  to.on('drain', drained);
  to.once('close', () => {
    from.off('readable', want);
    to.off('drain', drained);
    from.resume();
  });
}
