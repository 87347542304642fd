/**
 * From lines with labels to BPF instructions. A test can skip at most 255 instructions, a JA any number; so a test
 * whose label is further away gets a JA of its own right behind it, which pushes everything after it one further.
 */

import { AND, type Instruction, JA, JEQ, JGE, JGT, JSET, LOAD, RET } from '#kernel/classic-bpf';

/** A place in a program. Two labels are the same only if they are the same object; the name is for people. */
export interface Label {
  readonly name: string;
}

const tests = { equal: JEQ, greater: JGT, greaterOrEqual: JGE, anyBit: JSET };

/** Without `yes` or `no` that branch goes on with the next line. */
interface Branch {
  kind: 'branch';
  test: keyof typeof tests;
  value: number;
  yes?: Label;
  no?: Label;
}

export type Line =
  | { kind: 'label'; label: Label }
  | { kind: 'load'; offset: number }
  | { kind: 'and'; mask: number }
  | { kind: 'jump'; to: Label }
  | { kind: 'return'; value: number }
  | Branch;

export const label = (name: string): Label => ({ name });
export const here = (place: Label): Line => ({ kind: 'label', label: place });
export const load = (offset: number): Line => ({ kind: 'load', offset });
export const and = (mask: number): Line => ({ kind: 'and', mask });
export const jump = (to: Label): Line => ({ kind: 'jump', to });
export const answer = (value: number): Line => ({ kind: 'return', value });
export const branch = (test: Branch['test'], value: number, to: { yes?: Label; no?: Label }): Line => ({
  kind: 'branch',
  test,
  value,
  ...to,
});

const FURTHEST_TEST = 255;

/** A line of the program proper. Where it can go to is known by position: `places.get(label)` counts such lines too. */
type Step = Exclude<Line, { kind: 'label' }>;

/** Which ways of a branch need a JA of their own. */
interface Far {
  yes: boolean;
  no: boolean;
}

/**
 * The instructions of `lines`.
 * @throws Error for a label that is nowhere, or lies behind its jump: the kernel takes no loops.
 */
export function assemble(lines: Line[]): Instruction[] {
  const { steps, places } = separate(lines);
  const far = steps.map((): Far => ({ yes: false, no: false }));
  const target = (from: number, to: Label | undefined): number => {
    const place = to === undefined ? from + 1 : places.get(to);
    if (place === undefined) throw new Error(`The label ${to?.name} is nowhere in the program.`);
    if (place <= from) throw new Error(`A jump to the label ${to?.name} would go backwards.`);
    return place;
  };
  // Making one jump long can push another label out of reach; this ends since jumps only ever become long.
  let starts = startsOf(far);
  while (lengthenJumps(steps, far, starts, target)) starts = startsOf(far);
  return steps.flatMap((step, index) => {
    const skip = (at: number, to: Label | undefined) => starts[target(index, to)]! - at - 1;
    return step.kind === 'branch'
      ? branchCode(step, starts[index]!, far[index]!, skip)
      : [simpleCode(step, starts[index]!, skip)];
  });
}

function separate(lines: Line[]): { steps: Step[]; places: Map<Label, number> } {
  const steps: Step[] = [];
  const places = new Map<Label, number>();
  for (const line of lines) {
    if (line.kind === 'label') places.set(line.label, steps.length);
    else steps.push(line);
  }
  return { steps, places };
}

/** The number of each step's first instruction, and behind them the length of the program. */
function startsOf(far: Far[]): number[] {
  const starts = [0];
  for (const { yes, no } of far) starts.push(starts[starts.length - 1]! + 1 + Number(yes) + Number(no));
  return starts;
}

/** @returns whether there was anything to lengthen. */
function lengthenJumps(
  steps: Step[],
  far: Far[],
  starts: number[],
  target: (from: number, to: Label) => number,
): boolean {
  let changed = false;
  for (const [index, step] of steps.entries()) {
    if (step.kind !== 'branch') continue;
    for (const way of ['yes', 'no'] as const) {
      const to = step[way];
      if (to === undefined || far[index]![way]) continue;
      if (starts[target(index, to)]! - starts[index]! - 1 <= FURTHEST_TEST) continue;
      far[index]![way] = true;
      changed = true;
    }
  }
  return changed;
}

type Skip = (at: number, to: Label | undefined) => number;

function simpleCode(step: Exclude<Step, Branch>, at: number, skip: Skip): Instruction {
  const instruction = { jt: 0, jf: 0 };
  switch (step.kind) {
    case 'load':
      return { code: LOAD, k: step.offset, ...instruction };
    case 'and':
      return { code: AND, k: step.mask, ...instruction };
    case 'return':
      return { code: RET, k: step.value, ...instruction };
    case 'jump':
      return { code: JA, k: skip(at, step.to), ...instruction };
  }
}

/** The test, and behind it a JA for each way that is too far: first that of `yes`. */
function branchCode({ test, value, yes, no }: Branch, at: number, far: Far, skip: Skip): Instruction[] {
  const long = [...(far.yes ? [yes] : []), ...(far.no ? [no] : [])];
  return [
    { code: tests[test], jt: far.yes ? 0 : skip(at, yes), jf: far.no ? long.length - 1 : skip(at, no), k: value },
    ...long.map((to, index) => ({ code: JA, jt: 0, jf: 0, k: skip(at + 1 + index, to) })),
  ];
}
