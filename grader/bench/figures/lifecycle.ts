import type { EngineApi } from '../engines/api.ts';
import { IMAGE } from '../engines/engines.ts';
import type { Context, Figure } from '../figure.ts';
import { median, quantile } from '../statistics.ts';
import { otherEngines, type Rival, timeBeside } from './beside.ts';

const CALLS = ['create', 'start', 'wait', 'remove'] as const;
type Call = (typeof CALLS)[number];

/** The milliseconds each call took in each round. */
type Calls = Record<Call, number[]>;

async function runTrue(api: EngineApi, calls?: Calls): Promise<void> {
  let last = performance.now();
  const done = (call: Call): void => {
    const now = performance.now();
    calls?.[call].push(now - last);
    last = now;
  };
  const id = await api.create({ Image: IMAGE, Cmd: ['true'] });
  done('create');
  try {
    await api.start(id);
    done('start');
    const code = await api.wait(id);
    done('wait');
    if (code !== 0) throw new Error(`true ended with ${code}`);
  } finally {
    await api.remove(id);
    done('remove');
  }
}

async function runc({ engines }: Context): Promise<Rival> {
  const comparison = { with: 'runc run, same bundle', budget: 0.5, stretch: 0.25 };
  const found = await engines.runc();
  if (found.value === null) return { comparison, contestant: found.reason };
  return { comparison, contestant: { every: 2, action: (round) => found.value.runTrue(`bench${round}`) } };
}

/** Create, start, wait, remove: the four calls that `docker run --rm` comes down to. */
export const lifecycle: Figure = {
  name: 'lifecycle',
  title: 'API create + start + wait + remove of true, network none',
  async run(context) {
    const { api } = await context.engines.skiff();
    const others = await otherEngines(
      context,
      { dockerd: { budget: 0.1, stretch: 0.05 } },
      async (other) => () => runTrue(other),
    );
    const calls: Calls = { create: [], start: [], wait: [], remove: [] };
    const rivals = [await runc(context), ...others];
    const { times, comparisons } = await timeBeside(context, () => runTrue(api, calls), rivals);
    const each = Object.fromEntries(CALLS.map((call) => [call, median(calls[call])]));
    const also = { p90: quantile(times, 0.9), p99: quantile(times, 0.99), ...each };
    return [{ title: `p50 of ${times.length}`, unit: 'ms', ours: median(times), also, comparisons }];
  },
};
