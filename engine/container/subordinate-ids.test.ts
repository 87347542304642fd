import { expect, test } from 'vitest';
import { parseSubordinateIds, rootlessMap } from './subordinate-ids.ts';

const user = { name: 'ann', uid: 1000 };

test('the ranges of a user stand under the name or the number, in the order of the file', () => {
  const text = 'bob:1:2\nann:100000:65536\n1000:300000:10\nannabel:5:5\n';
  expect(parseSubordinateIds(text, user)).toEqual([
    { first: 100_000, size: 65_536 },
    { first: 300_000, size: 10 },
  ]);
});

test('malformed lines are passed over, and so are ranges beyond the last id', () => {
  const text = '# ann:1:1\nann:x:1\nann:1\nann:5:0\nann:4294967295:1\nann:4294967000:1000\nann:-1:5\n\n';
  expect(parseSubordinateIds(text, user)).toEqual([]);
});

test('a user without a name has no lines of others without one', () => {
  expect(parseSubordinateIds(':1:5\n7:1:5\n', { name: '', uid: 1000 })).toEqual([]);
});

test('the user is root, and the ranges follow without a gap', () => {
  const ranges = parseSubordinateIds('ann:100000:10\nann:500:5', user);
  expect(rootlessMap(1000, ranges)).toEqual(['0', '1000', '1', '1', '100000', '10', '11', '500', '5']);
});

test('a map is never longer than the kernel takes', () => {
  const text = Array.from({ length: 1000 }, (_, index) => `ann:${index * 10}:1`).join('\n');
  expect(rootlessMap(1000, parseSubordinateIds(text, user)).length).toBe(340 * 3);
});
