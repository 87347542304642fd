/** Which modules of a class agree in what is neither the starter's nor the solution's nor everybody's. Pure. */

import type { Lines, Prints } from './prints.ts';

export interface Work {
  student: string;
  prints: Prints;
}

export interface Pair {
  students: [one: string, other: string];
  /** From 0 to 1: shared fingerprints as a part of those of the shorter of the two. */
  share: number;
  /** How many fingerprints are shared. */
  shared: number;
  /** Where they stand, in the order of `students`. */
  lines: [Lines[], Lines[]];
}

export interface Compared {
  /** The most alike first. */
  pairs: Pair[];
  /** Hardly anything of their own: the starter's or the solution's text. The share of it, from 0 to 1. */
  given: { student: string; share: number }[];
}

/** What more than this part of a large class has is how the task is done. */
const COMMON = 0.5;
const LARGE_CLASS = 10;
/** A module with fewer fingerprints of its own says nothing. */
const FEWEST = 12;
const MOSTLY_GIVEN = 0.8;

/** @param given the starter, the solution and the engine's module. @param least pairs below this share are left out. */
export function compare(works: readonly Work[], given: readonly Prints[], least: number): Compared {
  const known = new Set(given.flatMap((prints) => [...prints.keys()]));
  const owners = new Map<number, number>();
  for (const { prints } of works) for (const print of prints.keys()) owners.set(print, (owners.get(print) ?? 0) + 1);
  const isCommon = (print: number) => works.length >= LARGE_CLASS && owners.get(print)! > works.length * COMMON;
  const own = works.map(({ student, prints }) => ({
    student,
    prints,
    all: prints.size,
    mine: [...prints.keys()].filter((print) => !known.has(print) && !isCommon(print)),
    known: [...prints.keys()].filter((print) => known.has(print)).length,
  }));
  const pairs: Pair[] = [];
  for (const [index, one] of own.entries()) {
    if (one.mine.length < FEWEST) continue;
    const mine = new Set(one.mine);
    for (const other of own.slice(index + 1)) {
      if (other.mine.length < FEWEST) continue;
      const shared = other.mine.filter((print) => mine.has(print));
      const share = shared.length / Math.min(one.mine.length, other.mine.length);
      if (shared.length < FEWEST || share < least) continue;
      const lines = (prints: Prints) => merged(shared.flatMap((print) => prints.get(print)!));
      pairs.push({
        students: [one.student, other.student],
        share,
        shared: shared.length,
        lines: [lines(one.prints), lines(other.prints)],
      });
    }
  }
  return {
    pairs: pairs.sort((one, other) => other.share - one.share || other.shared - one.shared),
    given: own
      .filter((each) => each.all >= FEWEST && each.known / each.all >= MOSTLY_GIVEN)
      .map((each) => ({ student: each.student, share: each.known / each.all })),
  };
}

/** Ranges that touch become one, in order. */
function merged(ranges: readonly Lines[]): Lines[] {
  const all: Lines[] = [];
  for (const { first, last } of [...ranges].sort((one, other) => one.first - other.first)) {
    const before = all.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else all.push({ first, last });
  }
  return all;
}
