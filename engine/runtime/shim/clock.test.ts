import { expect, test, vi } from 'vitest';
import { timestamp } from './clock.ts';

test('it tells the time of day, in a form that Go and JavaScript both read, and never backwards', () => {
  const before = Date.now();
  const times = Array.from({ length: 1000 }, () => timestamp());
  const after = Date.now();
  for (const time of times) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/);
  expect(Date.parse(times[0]!)).toBeGreaterThanOrEqual(before - 6);
  expect(Date.parse(times.at(-1)!)).toBeLessThanOrEqual(after + 6);
  const padded = times.map((time) => time.slice(0, -1).padEnd(29, '0'));
  expect(padded).toEqual([...padded].sort());
});

test('it follows a wall clock that is set', () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2040, 0, 1) });
  try {
    expect(timestamp()).toMatch(/^2040-01-01T00:00:00(\.\d+)?Z$/);
  } finally {
    vi.useRealTimers();
  }
});
