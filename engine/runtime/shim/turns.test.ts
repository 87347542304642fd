import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { takeTurns, urgently } from './turns.ts';

/** Something that never ends by itself and takes a tenth of a millisecond each time. */
function writer(counts: number[], index: number, signal: AbortSignal): () => boolean {
  return () => {
    const end = process.hrtime.bigint() + 100_000n;
    while (process.hrtime.bigint() < end);
    counts[index]!++;
    return !signal.aborted;
  };
}

test('what never ends takes turns, and leaves the loop in between', async () => {
  const counts = [0, 0, 0, 0];
  const stop = new AbortController();
  for (const index of counts.keys()) takeTurns(writer(counts, index, stop.signal));
  let most = 0;
  for (let turn = 0; turn < 100; turn++) {
    const before = counts.reduce((sum, count) => sum + count);
    await nextTurn();
    most = Math.max(most, counts.reduce((sum, count) => sum + count) - before);
  }
  stop.abort();
  expect(most).toBeLessThanOrEqual(3);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  expect(Math.min(...counts)).toBeGreaterThan(10);
});

test('what is urgent has the loop for itself, and the others still get on', async () => {
  const counts = [0];
  const stop = new AbortController();
  takeTurns(writer(counts, 0, stop.signal));
  await nextTurn();
  let turns = 0;
  await urgently(async () => {
    const before = counts[0]!;
    while (counts[0]! < before + 10) {
      turns++;
      await nextTurn();
    }
  });
  stop.abort();
  // Otherwise there would be one of the two for each turn.
  expect(turns).toBeGreaterThan(20);
});
