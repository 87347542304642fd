import type { EngineApi } from '../engines/api.ts';
import { IMAGE } from '../engines/engines.ts';
import type { Comparison, Figure } from '../figure.ts';
import { median, quantile, timeEach } from '../statistics.ts';

async function timeExec(api: EngineApi, rounds: number): Promise<number[]> {
  const id = await api.create({ Image: IMAGE, Cmd: ['sleep', '1000'] });
  try {
    await api.start(id);
    return await timeEach(rounds, 3, async () => {
      const code = await api.exec(id, ['true']);
      if (code !== 0) throw new Error(`exec of true ended with ${code}`);
    });
  } finally {
    await api.remove(id);
  }
}

export const exec: Figure = {
  name: 'exec',
  title: 'exec of true over the API',
  async run({ engines, progress, rounds }) {
    progress('ours');
    const ours = await timeExec((await engines.skiff()).api, Math.min(rounds, 100));
    const comparisons: Comparison[] = [];
    for (const [name, start, budget] of [
      ['dockerd', () => engines.dockerd(), { budget: 0.15, stretch: 0.08 }],
      ['podman', () => engines.podman(), {}],
    ] as const) {
      progress(name);
      const other = await start();
      const value = other.value === null ? null : median(await timeExec(other.value.api, Math.min(rounds, 20)));
      comparisons.push({ with: name, value, ...budget, ...(other.value === null ? { reason: other.reason } : {}) });
    }
    return [
      { title: `${this.title}, p50`, unit: 'ms', ours: median(ours), also: { p90: quantile(ours, 0.9) }, comparisons },
    ];
  },
};
