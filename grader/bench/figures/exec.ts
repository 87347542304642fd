import type { EngineApi } from '../engines/api.ts';
import { IMAGE } from '../engines/engines.ts';
import type { Figure } from '../figure.ts';
import { median, quantile } from '../statistics.ts';
import { otherEngines, timeBeside } from './beside.ts';

/** Starts a container that sleeps until its engine stops. @returns what runs `true` in it. */
async function prepare(api: EngineApi): Promise<() => Promise<void>> {
  const id = await api.create({ Image: IMAGE, Cmd: ['sleep', '100000'] });
  await api.start(id);
  return async () => {
    const code = await api.exec(id, ['true']);
    if (code !== 0) throw new Error(`exec of true ended with ${code ?? 'no exit code'}`);
  };
}

export const exec: Figure = {
  name: 'exec',
  title: 'exec of true over the API',
  async run(context) {
    const { api } = await context.engines.skiff();
    const ours = await prepare(api);
    try {
      const rivals = await otherEngines(context, { dockerd: { budget: 0.15, stretch: 0.08 } }, prepare);
      const { times, comparisons } = await timeBeside(context, ours, rivals);
      const also = { p90: quantile(times, 0.9) };
      return [{ title: `p50 of ${times.length}`, unit: 'ms', ours: median(times), also, comparisons }];
    } finally {
      // A container that sleeps would weigh in on the figures that follow.
      await api.removeAll();
    }
  },
};
