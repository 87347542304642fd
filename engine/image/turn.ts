import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work after which others get their turn. */
const WORK = 5;

/** For long walks on the thread that also answers requests: `await turn.pass()` lets these go on now and then. */
export class Turn {
  #since = performance.now();

  /** Costs next to nothing as long as no time is up. */
  async pass(): Promise<void> {
    if (performance.now() - this.#since < WORK) return;
    await setImmediate();
    this.#since = performance.now();
  }
}

/** Entries that are sorted, or merged, without a look at the clock. */
const SLICE = 1024;

/**
 * The entries in the order of their keys; two with one key stay as they stand. Array.sort of a hundred thousand would
 * hold the thread for a tenth of a second.
 */
export async function sortInTurns<T>(entries: Iterable<T>, key: (entry: T) => string, turn: Turn): Promise<T[]> {
  let runs: { key: string; entry: T }[][] = [[]];
  for (const entry of entries) {
    if (runs.at(-1)!.length === SLICE) {
      runs.push([]);
      await turn.pass();
    }
    runs.at(-1)!.push({ key: key(entry), entry });
  }
  for (const run of runs) {
    run.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    await turn.pass();
  }
  while (runs.length > 1) {
    const merged: typeof runs = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(await merge(runs[at]!, runs[at + 1] ?? [], turn));
    runs = merged;
  }
  return runs[0]!.map(({ entry }) => entry);
}

async function merge<T extends { key: string }>(left: T[], right: T[], turn: Turn): Promise<T[]> {
  const merged: T[] = [];
  for (let [at, other] = [0, 0]; at < left.length || other < right.length; ) {
    if (merged.length % SLICE === 0) await turn.pass();
    const takeRight = at === left.length || (other < right.length && right[other]!.key < left[at]!.key);
    merged.push(takeRight ? right[other++]! : left[at++]!);
  }
  return merged;
}
