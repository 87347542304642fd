import { expect, test } from 'vitest';
import { inventName, newId, parseName } from './identity.ts';

test('an id is 64 hexadecimal digits and its short form never reads as a number', () => {
  for (let i = 0; i < 500; i++) {
    const id = newId();
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(id.slice(0, 12)).not.toMatch(/^\d+$/);
  }
});

test.each(['a1', '/web', 'A_b.c-d', '0x'])('%s is a name', (name) => {
  expect(parseName(name)).toBe(name.replace('/', ''));
});

test.each(['', 'a', '-a', 'a b', 'ä1', '../x', 'a/b', '//a'])('%j is not a name', (name) => {
  expect(() => parseName(name)).toThrow(/Invalid container name/);
});

test('an invented name is a valid one', () => {
  for (let i = 0; i < 200; i++) parseName(inventName(() => false));
});

test('an invented name is never one that is taken', () => {
  const taken = new Set<string>();
  for (let i = 0; i < 3000; i++) {
    const name = inventName((candidate) => taken.has(candidate));
    expect(taken.has(name)).toBe(false);
    taken.add(name);
  }
});
