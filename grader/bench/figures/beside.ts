/** One action of ours and the same of other engines, in turns. */

import type { EngineApi } from '../engines/api.ts';
import { OTHERS, type Other } from '../engines/engines.ts';
import type { Comparison, Context } from '../figure.ts';
import { type Contestant, median, takeTurns } from '../statistics.ts';

/** What budgets.md allows beside one engine. */
export type Budgets = Partial<Record<Other, { budget: number; stretch: number }>>;

/** A contestant that may not be there, and what it is held against. */
export interface Rival {
  comparison: Omit<Comparison, 'value' | 'reason'>;
  /** The contestant, or why there is none. */
  contestant: Omit<Contestant, 'name'> | string;
}

/**
 * Other engines that do what `prepare` makes of their API, every tenth round.
 * @param prepare given a running engine; what it throws is told as the reason why there is nothing beside ours.
 */
export async function otherEngines(
  { engines, progress }: Context,
  budgets: Budgets,
  prepare: (api: EngineApi) => Promise<() => Promise<void>>,
): Promise<Rival[]> {
  const rivals: Rival[] = [];
  for (const name of OTHERS) {
    progress(`starting ${name}`);
    const comparison = { with: name, ...budgets[name] };
    const engine = await engines.other(name);
    if (engine.value === null) {
      rivals.push({ comparison, contestant: engine.reason });
      continue;
    }
    try {
      rivals.push({ comparison, contestant: { every: 10, action: await prepare(engine.value.api) } });
    } catch (error) {
      rivals.push({ comparison, contestant: error instanceof Error ? error.message : String(error) });
    }
  }
  return rivals;
}

/** @returns the milliseconds of our actions, and each rival's median. */
export async function timeBeside(
  { progress, rounds }: Context,
  ours: () => Promise<void>,
  rivals: Rival[],
): Promise<{ times: number[]; comparisons: Comparison[] }> {
  progress(`${rounds} rounds`);
  const present = rivals.flatMap(({ comparison, contestant }) =>
    typeof contestant === 'string' ? [] : [{ name: comparison.with, ...contestant }],
  );
  const times = await takeTurns(rounds, 3, [{ name: 'ours', every: 1, action: ours }, ...present]);
  const comparisons = rivals.map(({ comparison, contestant }): Comparison => {
    if (typeof contestant === 'string') return { ...comparison, value: null, reason: contestant };
    return { ...comparison, value: median(times.get(comparison.with)!) };
  });
  return { times: times.get('ours')!, comparisons };
}
