/** Whose turn it is: what many containers print is taken in small pieces, for a short while in each turn of the event loop. */

/**
 * Nanoseconds of one turn that go to output. What else the process is asked for, a start above all, waits that long once
 * for each turn it needs, and a start needs about ten.
 */
const TURN_NANOSECONDS = 200_000n;

/** Milliseconds between two turns while something is urgent, and how long one thing can be that. */
const URGENT_PAUSE = 5;
const URGENT_MOST = 1_000;

/** Something that has more to do. Takes one small piece. @returns whether there is more to take at once */
export type Piece = () => boolean;

const queue: Piece[] = [];
let scheduled = false;
let urgent = 0;

/** Have `piece` called, in turn with all others, until it answers false. */
export function takeTurns(piece: Piece): void {
  queue.push(piece);
  schedule();
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  if (urgent > 0) setTimeout(turn, URGENT_PAUSE);
  // After the loop has looked at its descriptors once more: nobody waits for more than one turn.
  else setImmediate(turn);
}

/**
 * Leave the loop to `task`, but for a turn now and then, for at most a second. On a busy machine a thread that always has
 * something to do gets its share and no more; a start, which is over in some milliseconds, is not to share that with output.
 */
export async function urgently<T>(task: () => Promise<T>): Promise<T> {
  urgent++;
  let over = false;
  const end = () => {
    if (!over) urgent--;
    over = true;
  };
  const timer = setTimeout(end, URGENT_MOST);
  try {
    return await task();
  } finally {
    clearTimeout(timer);
    end();
  }
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
