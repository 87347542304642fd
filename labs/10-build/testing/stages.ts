/** Dockerfiles as far as stages are concerned, and what their stages need. */

import type { StageOutline } from '../../../engine/runtime/contract/build.ts';
import { draw } from '../../../grader/harness/random.ts';
import { names } from './names.ts';

export type Stage = StageOutline;

/** @param numbers whether stages are referred to by number too, by names that come twice, and by what comes later. */
export function drawnStages({ numbers }: { numbers: boolean }): Stage[] {
  const count = draw.int(4, 8);
  const [first, second, ...own] = names(count + 2, 'abcdefgh') as [string, string, ...string[]];
  const images = [first, second];
  const named = own.map((name) =>
    draw.int(0, 3) === 0 ? undefined : numbers && draw.boolean() ? draw.pick(own) : name,
  );
  return named.map((name, index) => {
    const others = (numbers ? named : named.slice(0, index)).filter((other) => other !== undefined);
    const reference = (position: number) =>
      draw.boolean() || position === 0
        ? anyCase(draw.pick([...images, ...others]))
        : numbers
          ? String(draw.int(0, count + 1))
          : anyCase(draw.pick([...images, ...others]));
    const uses = Array.from({ length: draw.int(0, 3) }, (_, position) => reference(position + 1));
    return { ...(name !== undefined && { name: numbers ? anyCase(name) : name }), base: reference(0), uses };
  });
}

function anyCase(name: string): string {
  return draw.pick([name, name.toUpperCase(), name[0]!.toUpperCase() + name.slice(1)]);
}

/** The stages that have to be built for the target, each with those that it needs itself. */
export function neededBy(stages: Stage[], target?: string): Map<number, number[]> {
  const needs = new Map<number, number[]>();
  const todo = [target === undefined ? stages.length - 1 : meant(stages, stages.length, target, true)!];
  for (const stage of todo) {
    if (needs.has(stage)) continue;
    const { base, uses } = stages[stage]!;
    const found = [meant(stages, stage, base, false), ...uses.map((use) => meant(stages, stage, use, true))];
    const needed = found.filter((each) => each !== undefined);
    needs.set(stage, needed);
    todo.push(...needed);
  }
  return needs;
}

function meant(stages: Stage[], before: number, reference: string, numbers: boolean): number | undefined {
  for (let index = before - 1; index >= 0; index--)
    if (stages[index]!.name?.toLowerCase() === reference.toLowerCase()) return index;
  const number = /^\d+$/.test(reference) ? Number(reference) : before;
  return numbers && number < before ? number : undefined;
}
