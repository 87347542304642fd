import { expect, test } from 'vitest';
import { formatTime, now, nowNanoseconds, parseTime, parseTimestamp } from './time.ts';

test('a time survives being written and read', () => {
  const time = 1_700_000_000_123_456_789n;
  expect(formatTime(time)).toBe('2023-11-14T22:13:20.123456789Z');
  expect(parseTime(formatTime(time))).toBe(time);
});

test('a fraction of any length and an offset are understood', () => {
  expect(parseTime('2023-11-14T22:13:20Z')).toBe(1_700_000_000_000_000_000n);
  expect(parseTime('2023-11-14T23:13:20.5+01:00')).toBe(1_700_000_000_500_000_000n);
});

test('a timestamp may be seconds with decimals', () => {
  expect(parseTimestamp('1700000000')).toBe(1_700_000_000_000_000_000n);
  expect(parseTimestamp('1700000000.000000001')).toBe(1_700_000_000_000_000_001n);
});

test.each(['', 'yesterday', '1e9', '-5', '2023-13-01T00:00:00Z', '1.2.3'])('%j is not a timestamp', (text) => {
  expect(parseTimestamp(text)).toBeNull();
});

test('now is now', () => {
  expect(Math.abs(Number(nowNanoseconds() / 1_000_000n) - Date.now())).toBeLessThan(1000);
  expect(now()).toMatch(/^\d{4}-.*\.\d{9}Z$/);
});
