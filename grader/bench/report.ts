/** A run's results as text for a terminal. */

import type { Comparison, Result, Unit } from './figure.ts';

function amount(value: number, unit: Unit): string {
  const digits = value < 1 ? 3 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${unit}`;
}

function verdict(value: number, budget: number, stretch: number | undefined): string {
  if (stretch !== undefined && value <= stretch) return 'holds, stretch too';
  if (value <= budget) return 'holds';
  return `MISSED by ${((value / budget - 1) * 100).toFixed(0)} %`;
}

function comparisonLine(ours: number | null, unit: Unit, comparison: Comparison): string {
  const { value, reason, budget, stretch } = comparison;
  if (value === null || ours === null) return `beside ${comparison.with}: not measured: ${reason ?? 'ours was not'}`;
  const ratio = ours / value;
  const told = `beside ${comparison.with}: ${amount(value, unit)}, ratio ${ratio.toFixed(ratio < 0.1 ? 3 : 2)}`;
  return budget === undefined ? told : `${told}, budget ${budget}: ${verdict(ratio, budget, stretch)}`;
}

/** One figure's lines: ours first, then each comparison. */
export function describeResult(result: Result): string {
  const { title, unit, ours, reason, also = {}, comparisons, limit, stretchLimit } = result;
  if (ours === null) return `  ${title}: not measured: ${reason ?? 'no reason given'}`;
  const more = Object.entries(also).map(([name, value]) => `${name} ${amount(value, unit)}`);
  const held = limit === undefined ? '' : `, budget ${amount(limit, unit)}: ${verdict(ours, limit, stretchLimit)}`;
  const first = `  ${title}: ${amount(ours, unit)}${more.length > 0 ? ` (${more.join(', ')})` : ''}${held}`;
  return [first, ...comparisons.map((comparison) => `      ${comparisonLine(ours, unit, comparison)}`)].join('\n');
}
