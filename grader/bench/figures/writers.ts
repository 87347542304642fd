import type { EngineApi } from '../engines/api.ts';
import { IMAGE } from '../engines/engines.ts';
import type { Context, Figure, Result } from '../figure.ts';
import { median, quantile } from '../statistics.ts';

const WRITERS = 4;

async function runTrue(api: EngineApi): Promise<number> {
  const begin = performance.now();
  const id = await api.create({ Image: IMAGE, Cmd: ['true'] });
  try {
    await api.start(id);
    await api.wait(id);
    return performance.now() - begin;
  } finally {
    await api.remove(id);
  }
}

async function times(api: EngineApi, rounds: number): Promise<number[]> {
  const all: number[] = [];
  for (let round = 0; round < rounds; round++) all.push(await runTrue(api));
  return all;
}

/** Create, start and wait for `true` beside containers that write without end, and on the same engine without them. */
export const writers: Figure = {
  name: 'writers',
  title: `start to exit of true beside ${WRITERS} containers that write without end`,
  async run({ engines, rounds, progress }: Context) {
    const { api } = await engines.skiff();
    await times(api, 3);
    const few = Math.max(10, Math.ceil(rounds / 4));
    const results: Result[] = [];
    for (const driver of ['none', 'json-file']) {
      progress(`log driver ${driver}`);
      const idle = await times(api, few);
      const ids: string[] = [];
      try {
        for (let writer = 0; writer < WRITERS; writer++) {
          const LogConfig = { Type: driver, Config: {} };
          const id = await api.create({ Image: IMAGE, Cmd: ['yes'], HostConfig: { LogConfig } });
          ids.push(id);
          await api.start(id);
        }
        const beside = await times(api, few);
        results.push({
          title: `log driver ${driver}, p50 of ${few}`,
          unit: 'ms',
          ours: median(beside),
          also: { p90: quantile(beside, 0.9) },
          comparisons: [{ with: 'the same on an idle engine', value: median(idle), budget: 1.5, stretch: 1.2 }],
        });
      } finally {
        for (const id of ids) await api.remove(id);
      }
    }
    return results;
  },
};
