/**
 * The program of a filter. Its story: by which entry did the call come in; what is its number, found by halving the
 * range of numbers; what are its arguments, if a rule asks. Each road ends in a `return`.
 *
 * The kernel (since 5.11) runs the first two parts once for every number when a filter is set, and does not run the
 * filter again for calls that are allowed without a look at their arguments. So what matters is that the program is
 * short; halving keeps it fast on older kernels too.
 */

import type { FilterEntry, FilterRule } from '#contract/privileges';
import { type Instruction, SECCOMP_DATA_ARCH, SECCOMP_DATA_NR } from '#kernel/classic-bpf';
import { check } from './arguments.ts';
import { answer, assemble, branch, here, jump, type Label, type Line, label, load } from './assembler.ts';
import { rangesOf, search } from './ranges.ts';

export function assembleFilter(entries: FilterEntry[], foreign: number): Instruction[] {
  const lines = [load(SECCOMP_DATA_ARCH)];
  const sections: Line[] = [];
  for (const entry of entries) {
    const section = label(`entry 0x${entry.arch.toString(16)}`);
    lines.push(branch('equal', entry.arch, { yes: section }));
    sections.push(here(section), load(SECCOMP_DATA_NR), ...callLines(entry));
  }
  return assemble([...lines, answer(foreign), ...sections]);
}

/** From the number, which has been loaded, to the verdict. */
function callLines({ calls, otherwise }: FilterEntry): Line[] {
  const verdicts = new Map<number, Label>();
  const verdict = (value: number): Label => {
    const known = verdicts.get(value) ?? label(`return 0x${value.toString(16)}`);
    verdicts.set(value, known);
    return known;
  };
  const others = otherwise.map((range) => ({ from: range.from, target: verdict(range.answer) }));
  const blocks: Line[] = [];
  const target = (number: number, rules: FilterRule[]): Label => {
    if (rules[0]?.conditions.length === 0) return verdict(rules[0].answer);
    const block = label('arguments');
    const unfit = others.findLast(({ from }) => from <= number)!.target;
    blocks.push(here(block), ...ruleLines(rules, verdict), jump(unfit));
    return block;
  };
  const targets = new Map(calls.map(({ number, rules }) => [number, target(number, rules)]));
  const ranges = rangesOf(targets, others);
  const returns = [...verdicts].flatMap(([value, place]) => [here(place), answer(value)]);
  return [...search(ranges), ...blocks, ...returns];
}

function ruleLines(rules: FilterRule[], verdict: (value: number) => Label): Line[] {
  return rules.flatMap(({ conditions, answer }) => {
    const next = label('next rule');
    return [...conditions.flatMap((condition) => check(condition, next)), jump(verdict(answer)), here(next)];
  });
}
