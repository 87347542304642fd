import fc from 'fast-check';
import { expect, test } from 'vitest';
import { check, testOf } from './arguments.ts';
import { answer, assemble, here, label } from './assembler.ts';
import { run } from './interpreter.ts';
import { type Condition, type Operator, operators } from './operators.ts';

function holds(condition: Condition, bits: 32 | 64, argument: bigint): boolean {
  const test = testOf(condition, bits);
  if (typeof test === 'boolean') return test;
  const otherwise = label('otherwise');
  const program = assemble([...check(test, otherwise), answer(1), here(otherwise), answer(0)]);
  const args = [0n, 0n, 0n, 0n, 0n, 0n].map((_, index) => (index === condition.index ? argument : 0xbadn));
  return run(program, { nr: 0, arch: 0, args }).value === 1;
}

/** What the comparison means, on whole numbers. */
const meaning: Record<Operator, (argument: bigint, value: bigint, valueTwo: bigint) => boolean> = {
  SCMP_CMP_NE: (argument, value) => argument !== value,
  SCMP_CMP_LT: (argument, value) => argument < value,
  SCMP_CMP_LE: (argument, value) => argument <= value,
  SCMP_CMP_EQ: (argument, value) => argument === value,
  SCMP_CMP_GE: (argument, value) => argument >= value,
  SCMP_CMP_GT: (argument, value) => argument > value,
  SCMP_CMP_MASKED_EQ: (argument, mask, value) => (argument & mask) === (value & mask),
};

// Halves that are equal, next to each other, or at an end are where comparisons of two halves go wrong.
const half = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 0x7fffffffn, 0x80000000n, 0xfffffffen, 0xffffffffn),
  fc.bigInt(0n, 0xffffffffn),
);
const word = fc.tuple(half, half).map(([high, low]) => (high << 32n) | low);
const index = fc.integer({ min: 0, max: 5 });

test.each(operators)('%s of two halves is the comparison of the whole, for every argument', (op) => {
  fc.assert(
    fc.property(index, word, word, word, (position, value, valueTwo, argument) => {
      const condition = { index: position, op, value, valueTwo };
      expect(holds(condition, 64, argument)).toBe(meaning[op](argument, value, valueTwo));
      expect(holds(condition, 64, value)).toBe(meaning[op](value, value, valueTwo));
      expect(holds(condition, 64, valueTwo)).toBe(meaning[op](valueTwo, value, valueTwo));
    }),
    { numRuns: 500 },
  );
});

test.each(operators)('%s for 32-bit callers compares the low halves alone', (op) => {
  fc.assert(
    fc.property(word, word, word, (value, valueTwo, argument) => {
      const low = (word: bigint) => word & 0xffffffffn;
      const expected = meaning[op](low(argument), low(value), low(valueTwo));
      expect(holds({ index: 0, op, value, valueTwo }, 32, argument)).toBe(expected);
    }),
    { numRuns: 500 },
  );
});
