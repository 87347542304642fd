import type { EngineApi } from '../engines/api.ts';
import { IMAGE } from '../engines/engines.ts';
import type { Comparison, Context, Figure } from '../figure.ts';
import { median, quantile, timeEach } from '../statistics.ts';

async function runTrue(api: EngineApi): Promise<void> {
  const id = await api.create({ Image: IMAGE, Cmd: ['true'] });
  try {
    await api.start(id);
    const code = await api.wait(id);
    if (code !== 0) throw new Error(`true ended with ${code}`);
  } finally {
    await api.remove(id);
  }
}

async function besideRunc({ engines, rounds }: Context): Promise<Comparison> {
  const budget = { with: 'runc run, same bundle', budget: 0.5, stretch: 0.25 };
  const runc = await engines.runc();
  if (runc.value === null) return { ...budget, value: null, reason: runc.reason };
  const times = await timeEach(Math.min(rounds, 100), 3, (round) => runc.value.runTrue(`bench${round + 3}`));
  return { ...budget, value: median(times) };
}

/** Create, start, wait, remove: the four calls that `docker run --rm` comes down to. */
export const lifecycle: Figure = {
  name: 'lifecycle',
  title: 'API create + start + wait + remove of true, network none',
  async run(context) {
    const { engines, progress, rounds } = context;
    const skiff = await engines.skiff();
    progress(`ours, ${rounds} rounds`);
    const times = await timeEach(rounds, 10, () => runTrue(skiff.api));
    progress('runc');
    const comparisons = [await besideRunc(context)];
    for (const [name, start, budget] of [
      ['dockerd, the same four calls', () => engines.dockerd(), { budget: 0.1, stretch: 0.05 }],
      ['podman, the same four calls', () => engines.podman(), {}],
    ] as const) {
      progress(name);
      const other = await start();
      if (other.value === null) comparisons.push({ with: name, value: null, reason: other.reason, ...budget });
      else {
        const theirs = await timeEach(Math.min(rounds, 20), 2, () => runTrue(other.value.api));
        comparisons.push({ with: name, value: median(theirs), ...budget });
      }
    }
    const also = { p90: quantile(times, 0.9), p99: quantile(times, 0.99) };
    return [{ title: `${this.title}, p50 of ${rounds}`, unit: 'ms', ours: median(times), also, comparisons }];
  },
};
