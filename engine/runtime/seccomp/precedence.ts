/**
 * Of several rules with conditions that fit a call, which one counts. It matters only where their actions differ. The
 * specification does not say; libseccomp asks the more particular one first, and profiles were tried out with it: a
 * higher argument before a lower one, equality before a bound, a tight bound before a wide one. (Where comparisons of
 * different kinds share a bound libseccomp merges them and may choose otherwise; nobody can rely on that.)
 */

import type { Condition, Operator } from './operators.ts';

/** As much of a rule as its place depends on. */
interface Placed {
  conditions: Condition[];
  value: number;
}

const ranks: Record<Operator, number> = {
  SCMP_CMP_EQ: 0,
  SCMP_CMP_NE: 0,
  SCMP_CMP_MASKED_EQ: 0,
  SCMP_CMP_LT: 1,
  SCMP_CMP_LE: 1,
  SCMP_CMP_GT: 2,
  SCMP_CMP_GE: 2,
};

/** The rules of one call in the order in which they are to be asked. */
export function inOrder<Rule extends Placed>(rules: Rule[]): Rule[] {
  const conflict = rules.some(({ value }) => value !== rules[0]!.value);
  return conflict ? [...rules].sort((a, b) => compare(leading(a), leading(b))) : rules;
}

/** The condition that decides about a rule's place: the one on the lowest argument. */
function leading({ conditions }: Placed): Condition {
  return conditions.reduce((lowest, condition) => (condition.index < lowest.index ? condition : lowest));
}

function compare(a: Condition, b: Condition): number {
  const upperBounds = ranks[a.op] === ranks.SCMP_CMP_LT;
  return b.index - a.index || ranks[a.op] - ranks[b.op] || (upperBounds ? sign(a, b) : sign(b, a));
}

function sign(a: Condition, b: Condition): number {
  const difference = wanted(a) - wanted(b);
  return difference === 0n ? 0 : difference < 0n ? -1 : 1;
}

function wanted({ op, value, valueTwo }: Condition): bigint {
  return op === 'SCMP_CMP_MASKED_EQ' ? value & valueTwo : value;
}
