import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DetachFilter, parseDetachKeys } from './detach-keys.ts';

/** What comes through of these chunks, and whether the sequence was among them. */
async function pass(keys: Buffer, chunks: Buffer[]): Promise<{ text: Buffer; detached: boolean }> {
  let detached = false;
  const filter = new DetachFilter(keys, () => {
    detached = true;
    filter.push(null);
  });
  const out: Buffer[] = [];
  filter.on('data', (data: Buffer) => out.push(data));
  for (const chunk of chunks) {
    if (detached) break;
    await new Promise((resolve) => filter.write(chunk, resolve));
  }
  await new Promise((resolve) => setImmediate(resolve));
  return { text: Buffer.concat(out), detached };
}

test('keys are characters and control characters', () => {
  expect([...parseDetachKeys('')]).toEqual([16, 17]);
  expect([...parseDetachKeys('a,ctrl-a,ctrl-@,ctrl-[,ctrl-_,ctrl-^')]).toEqual([97, 1, 0, 27, 31, 30]);
});

test.each(['ctrl-', 'ctrl-A', 'ab', 'a,,b', 'ctrl-1', 'ä'])('%j is not a key sequence', (keys) => {
  expect(() => parseDetachKeys(keys)).toThrow(/invalid detach keys/);
});

test('the sequence is found wherever it is torn, and what was typed before it arrives', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(65, 66, 67)), fc.array(fc.nat({ max: 10 })), async (before, cuts) => {
      // C is not part of the sequence, so it is the end of any beginning of one that came before.
      const typed = Buffer.from([...before.filter((byte) => byte !== 65), 67, 65, 66, 68, 68]);
      const chunks: Buffer[] = [];
      let at = 0;
      for (const cut of cuts) {
        chunks.push(typed.subarray(at, at + cut));
        at += cut;
      }
      chunks.push(typed.subarray(at));
      const { text, detached } = await pass(Buffer.from([65, 66]), chunks);
      expect(detached).toBe(true);
      expect(text).toEqual(typed.subarray(0, typed.length - 4));
    }),
    { numRuns: 50 },
  );
});

test('a beginning of the sequence that is followed by something else arrives whole', async () => {
  const keys = Buffer.from([16, 17]);
  expect(await pass(keys, [Buffer.from([16, 16, 65, 16])])).toEqual({
    text: Buffer.from([16, 16, 65]),
    detached: false,
  });
  expect((await pass(keys, [Buffer.from([16]), Buffer.from([16, 17])])).detached).toBe(true);
});
