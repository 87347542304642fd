/** From a number to a place in the program by halving: neighbours that go to the same place are one range. */

import { branch, here, jump, type Label, type Line, label } from './assembler.ts';

const HIGHEST = 0xffffffff;

/** The numbers from `from` on, up to the next range, go to `target`. */
export interface Range {
  from: number;
  target: Label;
}

/**
 * Ranges that cover every number; the first one starts at 0, and no two neighbours have the same target.
 * @param otherwise where the numbers without a target of their own go; ascending from 0.
 */
export function rangesOf(targets: Map<number, Label>, otherwise: Range[]): Range[] {
  const fallback = (number: number) => otherwise.findLast(({ from }) => from <= number)!.target;
  const starts = new Map(otherwise.map(({ from, target }) => [from, target]));
  for (const number of targets.keys()) if (number < HIGHEST) starts.set(number + 1, fallback(number + 1));
  for (const [number, target] of targets) starts.set(number, target);
  const ranges: Range[] = [];
  for (const from of Uint32Array.from(starts.keys()).sort()) {
    const target = starts.get(from)!;
    if (ranges[ranges.length - 1]?.target !== target) ranges.push({ from, target });
  }
  return ranges;
}

/** Lines that go from the number in A to its range's target: one test for each boundary, and log₂ of them on any road. */
export function search(ranges: Range[]): Line[] {
  const [only] = ranges;
  if (ranges.length === 1) return [jump(only!.target)];
  const middle = ranges.length >> 1;
  const [below, above] = [ranges.slice(0, middle), ranges.slice(middle)];
  const right = above.length === 1 ? above[0]!.target : label('the upper half');
  const test = (to?: Label) => branch('greaterOrEqual', above[0]!.from, { yes: right, ...(to && { no: to }) });
  const upper = above.length === 1 ? [] : [here(right), ...search(above)];
  return below.length === 1 ? [test(below[0]!.target), ...upper] : [test(), ...search(below), ...upper];
}
