/** No text from outside holds the daemon's thread: what reads it takes time that grows with its length and no faster. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { killAndWait } from './testing/test-daemon.ts';

/** Milliseconds that an answer may take on a machine that does other things: exponential matching takes years. */
const PATIENCE = 60_000;
/** Milliseconds of processor time below which growth cannot be told from noise. */
const NOISE = 60;
/** For a text four times as long: 4 when the time grows with the length, 16 when it grows with its square. */
const GROWTH_MAX = 11;

/** What the readers take to be more than itself. */
const PIECES: Record<string, string[]> = {
  dockerfile: [
    'RUN a',
    'ENV a=b',
    ' a=b',
    'COPY a',
    ' --b=c',
    '\\\n',
    '\n',
    ' ',
    '# escape=',
    '"',
    "'",
    '[',
    '<<E ',
    'E\n',
  ],
  ignore: ['*', 'a', '?', '**', '/', '!', '[a-b]', '[^a]', '\n', '\\', '(', '+'],
  pattern: ['*', 'a', '?', '[a-b]', '[^a]', '\\', '/', '(', '+', 'b'],
  glob: ['*', 'a', '?', '[a-b]', '[^a]', '\\', '/', '(', '+', 'b'],
  expand: ['$A', '${A', '}', ':-', '#', '%', '/', '*', '"', "'", '\\', '${B//a', 'a'],
  trim: ['*', 'a', '?', 'b', '\\', '[', '"'],
  heredoc: ['$A', '${A', '{', '}', '\\', '`', '$', 'a'],
  words: ['a', ' ', '"', "'", '\\', '='],
  reference: ['a', '.', '-', '_', '/', ':', '@', 'A', '['],
  name: ['(', 'a', '*', '+', '?', ')', '|', '{2}', '^', '.', '[a]'],
  body: ['[', '{', '"a":', '"', ',', '\\', '1', ']', '}', ' '],
  filters: ['[', '{', '"name":', '"', ',', '\\', '1', ']', '}'],
};

describe('texts from outside are read in linear time', () => {
  let reader: ReturnType<typeof spawn>;
  let answers: AsyncIterator<string>;
  beforeAll(() => {
    const program = path.join(import.meta.dirname, 'testdata/read-texts.ts');
    reader = spawn(process.execPath, ['--import', 'tsx', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    answers = createInterface({ input: reader.stdout! })[Symbol.asyncIterator]();
  });
  afterAll(() => killAndWait(reader));

  /** Milliseconds of processor time; undefined when it does not end. */
  async function cost(name: string, text: string): Promise<number | undefined> {
    const late = AbortSignal.timeout(PATIENCE);
    if (!reader.stdin!.write(`${JSON.stringify([name, text])}\n`)) await once(reader.stdin!, 'drain');
    const answer = await Promise.race([answers.next(), once(late, 'abort')]);
    return 'value' in answer ? Number(answer.value) : undefined;
  }

  test.each(Object.entries(PIECES))(
    '%s',
    async (name, pieces) => {
      const piece = fc.constantFrom(...pieces);
      const text = fc.record({
        front: fc.array(piece, { maxLength: 3 }),
        repeated: fc.array(piece, { minLength: 1, maxLength: 3 }),
        end: fc.array(piece, { maxLength: 3 }),
      });
      await fc.assert(
        fc.asyncProperty(text, async ({ front, repeated, end }) => {
          const of = (length: number) => {
            const unit = repeated.join('');
            return `${front.join('')}${unit.repeat(Math.ceil(length / unit.length))}${end.join('')}`;
          };
          // Short first: what is exponential takes for ever with sixty characters already.
          for (const length of [60, 250]) expect(await cost(name, of(length)), of(length)).toBeLessThan(PATIENCE);
          const long = await cost(name, of(60_000));
          expect(long).toBeDefined();
          if (long! < NOISE) return;
          // A second time, for the compiler has been at work in the first.
          // The least of five: a collection of garbage may fall into any of them.
          let growth = Number.POSITIVE_INFINITY;
          for (let round = 0; round < 5 && growth >= GROWTH_MAX; round++) {
            const [quarter, whole] = [await cost(name, of(15_000)), await cost(name, of(60_000))];
            growth = Math.min(growth, whole! / Math.max(quarter!, NOISE / GROWTH_MAX));
          }
          expect(growth, `growth with ${of(40)}`).toBeLessThan(GROWTH_MAX);
        }),
        { numRuns: 60, endOnFailure: true },
      );
    },
    300_000,
  );
});
