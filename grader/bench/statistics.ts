/** The value below which the share `q` (0…1) of `values` lies; of an even number's middle two, their mean. `values` is not empty. */
export function quantile(values: number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}

export function median(values: number[]): number {
  return quantile(values, 0.5);
}

export interface Contestant {
  name: string;
  /** Takes part in every so many rounds, from the first one on. */
  every: number;
  action: (round: number) => Promise<void>;
  /** What has to be so before each action, and takes none of its time. */
  before?: () => Promise<void>;
}

/**
 * Let `contestants` take turns for `rounds` rounds, after `warmup` rounds of each that do not count, so that all of them
 * meet the machine in the same moods. @returns the milliseconds of each one's actions, by its name.
 */
export async function takeTurns(
  rounds: number,
  warmup: number,
  contestants: Contestant[],
): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  for (let round = -warmup; round < rounds; round++) {
    for (const { name, every, action, before } of contestants) {
      if (round > 0 && round % every !== 0) continue;
      await before?.();
      const started = performance.now();
      await action(round + warmup);
      if (round >= 0) times.get(name)!.push(performance.now() - started);
    }
  }
  return times;
}
