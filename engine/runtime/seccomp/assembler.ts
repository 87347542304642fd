/**
 * From lines with labels to BPF instructions. A test can skip at most 255 instructions, a JA any number; so a test
 * whose label is further away gets a JA of its own right behind it, which pushes everything after it one further.
 */

import { AND, type Instruction, JA, JEQ, JGE, JGT, JSET, LOAD, RET } from './bpf.ts';

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

/** Which branches of which lines need a JA. */
type Far = Set<`${number} ${'yes' | 'no'}`>;

/**
 * The instructions of `lines`. Making one jump long can push another label out of reach, so the layout is repeated
 * until nothing changes; it ends since jumps only ever become long.
 * @throws Error for a label that is nowhere, or lies behind its jump: the kernel takes no loops.
 */
export function assemble(lines: Line[]): Instruction[] {
  const far: Far = new Set();
  for (;;) {
    const known = far.size;
    const program = layOut(lines, far);
    if (far.size === known) return program;
  }
}

/** One try. What turns out to be too far is added to `far`, and the program is no good then. */
function layOut(lines: Line[], far: Far): Instruction[] {
  const starts = startsOf(lines, far);
  const places = new Map(lines.flatMap((line, index) => (line.kind === 'label' ? [[line.label, starts[index]!]] : [])));
  const skip = (from: number, to: Label) => {
    const place = places.get(to);
    if (place === undefined) throw new Error(`The label ${to.name} is nowhere in the program.`);
    if (place <= from) throw new Error(`A jump to the label ${to.name} would go backwards.`);
    return place - from - 1;
  };
  return lines.flatMap((line, index) => {
    if (line.kind === 'label') return [];
    if (line.kind === 'branch') return layOutBranch(line, index, starts[index]!, far, skip);
    return [{ ...simple(line, (to) => skip(starts[index]!, to)), jt: 0, jf: 0 }];
  });
}

function simple(
  line: Exclude<Line, Branch | { kind: 'label' }>,
  skip: (to: Label) => number,
): Pick<Instruction, 'code' | 'k'> {
  switch (line.kind) {
    case 'load':
      return { code: LOAD, k: line.offset };
    case 'and':
      return { code: AND, k: line.mask };
    case 'return':
      return { code: RET, k: line.value };
    case 'jump':
      return { code: JA, k: skip(line.to) };
  }
}

/** The number of each line's first instruction. */
function startsOf(lines: Line[], far: Far): number[] {
  let at = 0;
  return lines.map((line, index) => {
    const start = at;
    if (line.kind !== 'label') at += 1 + Number(far.has(`${index} yes`)) + Number(far.has(`${index} no`));
    return start;
  });
}

function layOutBranch(
  line: Branch,
  index: number,
  at: number,
  far: Far,
  skip: (from: number, to: Label) => number,
): Instruction[] {
  const long: Instruction[] = [];
  const next = Number(far.has(`${index} yes`)) + Number(far.has(`${index} no`));
  const distance = (side: 'yes' | 'no'): number => {
    const to = line[side];
    if (to === undefined) return next;
    if (far.has(`${index} ${side}`)) {
      long.push({ code: JA, jt: 0, jf: 0, k: skip(at + 1 + long.length, to) });
      return long.length - 1;
    }
    const short = skip(at, to);
    if (short > FURTHEST_TEST) far.add(`${index} ${side}`);
    return short;
  };
  const jt = distance('yes');
  const jf = distance('no');
  return [{ code: tests[line.test], jt, jf, k: line.value }, ...long];
}
