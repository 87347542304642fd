/**
 * Conditions on a system call's arguments. Arguments have 64 bits and BPF's accumulator has 32, so each comparison is
 * made of two: the high halves decide, unless they are equal.
 */

import { and, branch, here, type Label, type Line, label, load } from './assembler.ts';
import { argumentOffset } from './bpf.ts';

export const operators = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;
export type Operator = (typeof operators)[number];

/** All comparisons are unsigned. With MASKED_EQ `value` is the mask and `valueTwo` what the masked argument has to be. */
export interface Condition {
  /** Which argument, 0…5. */
  index: number;
  op: Operator;
  /** 0…2⁶⁴−1. */
  value: bigint;
  valueTwo: bigint;
}

const low = (value: bigint) => Number(value & 0xffffffffn);
const high = (value: bigint) => Number(value >> 32n);

/**
 * Whether the condition holds for every argument, so that nothing needs to be looked at: a mask without a bit.
 * @param bits how many bits of an argument count.
 */
export function alwaysHolds({ op, value }: Condition, bits: 32 | 64): boolean {
  return op === 'SCMP_CMP_MASKED_EQ' && (bits === 64 ? value : value & 0xffffffffn) === 0n;
}

/**
 * Lines that are passed through when the condition holds and left for `otherwise` when it does not.
 * @param bits 32 for callers whose registers have no high half; then only the low halves are compared.
 */
export function check(condition: Condition, bits: 32 | 64, otherwise: Label): Line[] {
  const holds = label(`argument ${condition.index} holds`);
  const at = argumentOffset(condition.index);
  const upper = bits === 64 ? highHalf(condition, at + 4, holds, otherwise) : [];
  return [...upper, ...lowHalf(condition, at, otherwise), here(holds)];
}

/** Where the high halves are equal these fall through to the low ones. */
function highHalf({ op, value, valueTwo }: Condition, at: number, holds: Label, otherwise: Label): Line[] {
  const half = high(value);
  switch (op) {
    case 'SCMP_CMP_EQ':
      return [load(at), branch('equal', half, { no: otherwise })];
    case 'SCMP_CMP_NE':
      return [load(at), branch('equal', half, { no: holds })];
    case 'SCMP_CMP_GT':
    case 'SCMP_CMP_GE':
      return [load(at), branch('greater', half, { yes: holds }), branch('equal', half, { no: otherwise })];
    case 'SCMP_CMP_LT':
    case 'SCMP_CMP_LE':
      return [load(at), branch('greater', half, { yes: otherwise }), branch('equal', half, { no: holds })];
    case 'SCMP_CMP_MASKED_EQ':
      return half === 0 ? [] : masked(at, half, high(valueTwo), otherwise);
  }
}

function lowHalf({ op, value, valueTwo }: Condition, at: number, otherwise: Label): Line[] {
  const half = low(value);
  switch (op) {
    case 'SCMP_CMP_EQ':
      return [load(at), branch('equal', half, { no: otherwise })];
    case 'SCMP_CMP_NE':
      return [load(at), branch('equal', half, { yes: otherwise })];
    case 'SCMP_CMP_GT':
      return [load(at), branch('greater', half, { no: otherwise })];
    case 'SCMP_CMP_GE':
      return [load(at), branch('greaterOrEqual', half, { no: otherwise })];
    case 'SCMP_CMP_LT':
      return [load(at), branch('greaterOrEqual', half, { yes: otherwise })];
    case 'SCMP_CMP_LE':
      return [load(at), branch('greater', half, { yes: otherwise })];
    case 'SCMP_CMP_MASKED_EQ':
      return half === 0 ? [] : masked(at, half, low(valueTwo), otherwise);
  }
}

/** Half of a mask is often without a bit; then there is nothing to look at. What lies outside of the mask does not count. */
function masked(at: number, mask: number, wanted: number, otherwise: Label): Line[] {
  return [load(at), and(mask), branch('equal', (mask & wanted) >>> 0, { no: otherwise })];
}
