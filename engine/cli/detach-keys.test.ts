import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { DetachProxy, parseDetachKeys } from './detach-keys.ts';

async function through(keys: string, ...chunks: string[]): Promise<{ passed: string; detached: boolean }> {
  let detached = false;
  const proxy = new DetachProxy(parseDetachKeys(keys), () => {
    detached = true;
  });
  const passed = text(proxy);
  for (const chunk of chunks) proxy.write(chunk);
  proxy.end();
  return { passed: await passed, detached };
}

describe('detach keys', () => {
  test('are control characters and plain ones', () => {
    expect([...parseDetachKeys('ctrl-p,ctrl-q')]).toEqual([16, 17]);
    expect([...parseDetachKeys('ctrl-@,a,ctrl-[,ctrl-\\,ctrl-_')]).toEqual([0, 97, 27, 28, 31]);
    expect([...parseDetachKeys('ctrl-A')]).toEqual([1]);
  });

  test.each(['', 'ctrl-', 'ctrl-1', 'foo', 'a,'])('%j is refused by name', (keys) => {
    expect(() => parseDetachKeys(keys)).toThrow('invalid detach keys');
  });

  test.each([
    { name: 'in one chunk', chunks: ['a\x10\x11b'], passed: 'a', detached: true },
    { name: 'in two chunks', chunks: ['a\x10', '\x11b'], passed: 'a', detached: true },
    { name: 'begun and not ended', chunks: ['a\x10', 'b'], passed: 'a\x10b', detached: false },
    { name: 'begun twice', chunks: ['\x10\x10\x11'], passed: '\x10', detached: true },
    { name: 'begun at the end of input', chunks: ['a\x10'], passed: 'a\x10', detached: false },
    { name: 'absent', chunks: ['plain \x03 text'], passed: 'plain \x03 text', detached: false },
  ])('the sequence $name', async ({ chunks, passed, detached }) => {
    expect(await through('ctrl-p,ctrl-q', ...chunks)).toEqual({ passed, detached });
  });
});

test('a sequence that begins again within itself is found', async () => {
  expect(await through('a,a,b', 'aaab')).toEqual({ passed: 'a', detached: true });
  expect(await through('a,a,b', 'a', 'a', 'a', 'a', 'c')).toEqual({ passed: 'aaaac', detached: false });
  expect(await through('a,b,a,c', 'ababac')).toEqual({ passed: 'ab', detached: true });
});
