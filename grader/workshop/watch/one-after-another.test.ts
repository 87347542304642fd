import { expect, test } from 'vitest';
import { oneAfterAnother } from './one-after-another.ts';

test('what is asked for during a run becomes one more run, dated by the request that waited longest', async () => {
  const runs: number[] = [];
  let active = 0;
  const queue = oneAfterAnother(async (since) => {
    expect(++active).toBe(1);
    runs.push(since);
    await new Promise(setImmediate);
    active--;
  });
  await Promise.all([queue.request(1), queue.request(2), queue.request(3)]);
  expect(runs).toEqual([1, 2]);
  await queue.request(4);
  expect(runs).toEqual([1, 2, 4]);
});

test('a run that fails rejects its own request, and the next one runs', async () => {
  let fail = true;
  const queue = oneAfterAnother(async () => {
    if (fail) throw new Error('no');
  });
  const first = queue.request();
  const idle = queue.idle();
  await expect(first).rejects.toThrow('no');
  await idle;
  fail = false;
  await queue.request();
});
