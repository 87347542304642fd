import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { differences } from './differences.ts';

const between = (actual: unknown, expected: unknown) => differences(actual, expected, { equals: isDeepStrictEqual });

describe('the difference of two values', () => {
  test('is only what differs, named by its place', () => {
    expect(between({ a: 1, b: { c: [1, 2, 3] } }, { a: 1, b: { c: [1, 9, 3] } })).toBe('b.c[1]: should be 9, is 2');
    expect(between({ controllers: [''] }, { controllers: [] })).toBe('controllers items: should be absent, is [""]');
  });

  test('shows control characters, and what turns the direction of text', () => {
    expect(between('a\u001b[2J\u202eb\u0000', 'a')).toBe('should be "a", is "a\\u001b[2J\\u202eb\\u0000"');
  });

  test('of keys that are missing or not wanted says so', () => {
    expect(between({ b: 2 }, { a: 1 })).toBe('a: should be 1, is absent\nb: should be absent, is 2');
  });

  test('of long texts and bytes begins where they part', () => {
    const long = 'x'.repeat(500);
    expect(between(`${long}a`, `${long}b`)).toMatch(/^from character 500: should be … "x{40}b"\n +is … "x{40}a"$/);
    expect(between(Buffer.from([1, 2, 3]), Buffer.from([1, 2, 4, 5]))).toBe(
      'should be 4 bytes, from byte 2: "\\u0004\\u0005", is 3 bytes, from byte 2: "\\u0003"',
    );
  });

  test('is never cut before what differs, however much is the same', () => {
    const same = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`key${index}`, 'same'.repeat(20)]));
    expect(between({ ...same, key150: 'found' }, { ...same, key150: 'wanted' })).toBe(
      'key150: should be "wanted", is "found"',
    );
  });

  test('of any two values that are not equal is not empty, and of equal ones it is', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (one, other) => {
        expect(between(one, other) === '').toBe(isDeepStrictEqual(one, other));
      }),
    );
  });
});
