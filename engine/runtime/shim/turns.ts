/** Whose turn it is: what many containers print is taken in small pieces, for a short while in each turn of the event loop. */

/**
 * Nanoseconds of one turn that go to output. What else the process is asked for, a start above all, waits that long once
 * for each turn it needs, and a start needs about ten.
 */
const TURN_NANOSECONDS = 200_000n;

/** Something that has more to do. Takes one small piece. @returns whether there is more to take at once */
export type Piece = () => boolean;

const queue: Piece[] = [];
let scheduled = false;

/** Have `piece` called, in turn with all others, until it answers false. */
export function takeTurns(piece: Piece): void {
  queue.push(piece);
  schedule();
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  // After the loop has looked at its descriptors once more: nobody waits for more than one turn.
  setImmediate(turn);
}

function turn(): void {
  scheduled = false;
  const end = process.hrtime.bigint() + TURN_NANOSECONDS;
  try {
    do {
      const piece = queue.shift();
      if (piece === undefined) return;
      if (piece()) queue.push(piece);
    } while (process.hrtime.bigint() < end);
  } finally {
    if (queue.length > 0) schedule();
  }
}
