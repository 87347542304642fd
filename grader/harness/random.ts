/**
 * Where suites draw their inputs from. A run has a seed, which the report names: the same seed gives the same inputs to
 * the same test, whichever other tests run beside it, and another seed gives others, so a table of answers earns nothing.
 */

import { createCipheriv, createHash, randomInt } from 'node:crypto';
import { expect, inject } from 'vitest';

export interface Random {
  /** @param length number of bytes. */
  bytes(length: number): Buffer;
  /** A whole number, `low` and `high` included. */
  int(low: number, high: number): number;
  boolean(): boolean;
  /** @param items at least one. */
  pick<T>(items: readonly T[]): T;
  /** `count` different ones of them, in a drawn order; all of them if absent. */
  some<T>(items: readonly T[], count?: number): T[];
  /** Lower-case letters, e.g. for a name. @param length 3 to 10 if absent. */
  word(length?: number): string;
}

/** A stream of its own for each seed and name: AES-256 in counter mode over zeros. NIST SP 800-38A, section 6.5. */
export function randomOf(seed: number, name: string): Random {
  const key = createHash('sha256').update(`${seed}\0${name}`).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const bytes = (length: number) => cipher.update(Buffer.alloc(length));
  // 48 bits for a range of at most 2^32 leave a bias below 2^-16.
  const int = (low: number, high: number) => low + (bytes(6).readUIntBE(0, 6) % (high - low + 1));
  const some = <T>(items: readonly T[], count = items.length): T[] => {
    const left = [...items];
    return Array.from({ length: Math.min(count, left.length) }, () => left.splice(int(0, left.length - 1), 1)[0]!);
  };
  return {
    bytes,
    int,
    some,
    boolean: () => int(0, 1) === 1,
    pick: (items) => items[int(0, items.length - 1)]!,
    word: (length = int(3, 10)) => Array.from({ length }, () => String.fromCharCode(int(97, 122))).join(''),
  };
}

/** A suite that is run by hand, without a judge, draws from a seed of its own; SKIFF_SEED repeats one. */
const ownSeed = Number(process.env.SKIFF_SEED ?? randomInt(2 ** 31));

let current = { name: '', random: randomOf(0, '') };

/** The stream of the test that runs now; outside of a test, of its suite. */
function ofThisTest(): Random {
  const { testPath = '', currentTestName = '' } = expect.getState();
  const seed = inject('skiffSeed') ?? ownSeed;
  const name = `${testPath.split('/').at(-1)}\0${currentTestName}`;
  // The same test of another run begins with the stream anew.
  const key = `${seed}\0${name}\0${inject('skiffModule')}`;
  if (current.name !== key) current = { name: key, random: randomOf(seed, name) };
  return current.random;
}

/** Draws from the stream of the test that runs now. */
export const draw: Random = {
  bytes: (length) => ofThisTest().bytes(length),
  int: (low, high) => ofThisTest().int(low, high),
  boolean: () => ofThisTest().boolean(),
  pick: (items) => ofThisTest().pick(items),
  some: (items, count) => ofThisTest().some(items, count),
  word: (length) => ofThisTest().word(length),
};
