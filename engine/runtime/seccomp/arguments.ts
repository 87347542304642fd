/**
 * Conditions on a system call's arguments. Profiles know seven comparisons; two are enough. Arguments have 64 bits and
 * BPF's accumulator has 32, so each is made of two: the high halves decide, unless they are equal.
 */

import type { ArgumentTest } from '#contract/privileges';
import { argumentOffset } from '#kernel/classic-bpf';
import { and, branch, here, jump, type Label, type Line, label, load } from './assembler.ts';
import type { Condition } from './operators.ts';

const ALL_ONES = { 32: 0xffffffffn, 64: 0xffffffffffffffffn };

/**
 * Whether the condition holds for every argument, so that nothing needs to be looked at: a mask without a bit.
 * @param bits how many bits of an argument count.
 */
export function alwaysHolds({ op, value }: Condition, bits: 32 | 64): boolean {
  return op === 'SCMP_CMP_MASKED_EQ' && (value & ALL_ONES[bits]) === 0n;
}

/**
 * The condition in the terms of a filter; true or false when the argument does not matter.
 * @param bits 32 for callers whose registers have no high half; then only the low halves are compared.
 */
export function testOf(condition: Condition, bits: 32 | 64): ArgumentTest | boolean {
  const { index, op } = condition;
  const value = condition.value & ALL_ONES[bits];
  const mask = ALL_ONES[bits];
  switch (op) {
    case 'SCMP_CMP_EQ':
    case 'SCMP_CMP_NE':
      return { index, mask, test: 'equal', value, holds: op === 'SCMP_CMP_EQ' };
    case 'SCMP_CMP_GT':
    case 'SCMP_CMP_LE':
      return { index, mask, test: 'greater', value, holds: op === 'SCMP_CMP_GT' };
    case 'SCMP_CMP_GE':
    case 'SCMP_CMP_LT':
      if (value === 0n) return op === 'SCMP_CMP_GE';
      return { index, mask, test: 'greater', value: value - 1n, holds: op === 'SCMP_CMP_GE' };
    case 'SCMP_CMP_MASKED_EQ':
      if (value === 0n) return true;
      return { index, mask: value, test: 'equal', value: value & condition.valueTwo, holds: true };
  }
}

const low = (value: bigint) => Number(value & 0xffffffffn);
const high = (value: bigint) => Number(value >> 32n);

/** Lines that are passed through when the test comes out as it is to, and left for `otherwise` when it does not. */
export function check({ index, mask, test, value, holds }: ArgumentTest, otherwise: Label): Line[] {
  const through = label(`argument ${index} fits`);
  const [yes, no] = holds ? [through, otherwise] : [otherwise, through];
  const at = argumentOffset(index);
  const halves =
    test === 'equal'
      ? [
          ...masked(at + 4, high(mask), [branch('equal', high(value), { no })]),
          ...masked(at, low(mask), [branch('equal', low(value), { yes, no })]),
        ]
      : [
          ...masked(at + 4, high(mask), [
            branch('greater', high(value), { yes }),
            branch('equal', high(value), { no }),
          ]),
          load(at),
          ...(low(mask) === 0xffffffff ? [] : [and(low(mask))]),
          branch('greater', low(value), { yes, no }),
        ];
  // With nothing in the low half of a mask, the high one has decided.
  const end = test === 'equal' && low(mask) === 0 && !holds ? [jump(otherwise)] : [];
  return [...halves, ...end, here(through)];
}

/** Half of a mask is often without a bit; then there is nothing to look at. */
function masked(at: number, mask: number, test: Line[]): Line[] {
  if (mask === 0) return [];
  return [load(at), ...(mask === 0xffffffff ? [] : [and(mask)]), ...test];
}
