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

/** Run `action` `warmup` + `rounds` times, one after the other, and return the milliseconds each of the last `rounds` took. */
export async function timeEach(
  rounds: number,
  warmup: number,
  action: (round: number) => Promise<void>,
): Promise<number[]> {
  const times: number[] = [];
  for (let round = -warmup; round < rounds; round++) {
    const started = performance.now();
    await action(round);
    if (round >= 0) times.push(performance.now() - started);
  }
  return times;
}
