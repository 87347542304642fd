import type { EngineApi } from '../engines/api.ts';
import { IMAGE } from '../engines/engines.ts';
import { pssMiB } from '../engines/process.ts';
import type { Context, Figure, Result } from '../figure.ts';

/** MiB of the engine's processes with none and with each of `counts` (ascending) sleeping containers. */
async function weigh(
  api: EngineApi,
  pids: () => number[],
  counts: number[],
  progress: (text: string) => void,
): Promise<Map<number, number>> {
  // Other figures may have left some that sleep.
  await api.removeAll();
  const ids: string[] = [];
  const weights = new Map([[0, pssMiB(pids())]]);
  try {
    for (const count of counts) {
      progress(`${count} sleeping containers`);
      while (ids.length < count) {
        const id = await api.create({ Image: IMAGE, Cmd: ['sleep', '100000'] });
        ids.push(id);
        await api.start(id);
      }
      weights.set(count, pssMiB(pids()));
    }
  } finally {
    for (const id of ids) await api.remove(id);
  }
  return weights;
}

interface Weights {
  idle: number;
  perContainer: number;
}

async function weighDockerd({ engines, progress }: Context): Promise<Weights | string> {
  const dockerd = await engines.other('dockerd');
  if (dockerd.value === null) return dockerd.reason;
  if (dockerd.value.pids().length === 0)
    return 'the dockerd that runs is not ours: what else it does is not told apart';
  progress('dockerd');
  const weights = await weigh(dockerd.value.api, dockerd.value.pids, [20], progress);
  return { idle: weights.get(0)!, perContainer: (weights.get(20)! - weights.get(0)!) / 20 };
}

export const memory: Figure = {
  name: 'memory',
  title: 'memory (PSS) of daemon and shim',
  async run(context) {
    const { engines, progress } = context;
    const skiff = await engines.skiff();
    const ours = await weigh(skiff.api, skiff.pids, [100, 300], progress);
    const theirs = await weighDockerd(context);
    const result = (title: string, value: number, figure: keyof Weights, budget: number, stretch: number): Result => ({
      title,
      unit: 'MiB',
      ours: value,
      comparisons: [
        {
          with: figure === 'idle' ? 'dockerd + containerd' : 'dockerd + containerd + shims, 20 containers',
          ...(typeof theirs === 'string' ? { value: null, reason: theirs } : { value: theirs[figure] }),
          budget,
          stretch,
        },
      ],
    });
    const [idle, hundred, threeHundred] = [ours.get(0)!, ours.get(100)!, ours.get(300)!];
    return [
      result('idle', idle, 'idle', 1, 0.7),
      { title: 'with 100 sleeping containers', unit: 'MiB', ours: hundred, comparisons: [] },
      { title: 'with 300 sleeping containers', unit: 'MiB', ours: threeHundred, comparisons: [] },
      result('per sleeping container', (threeHundred - idle) / 300, 'perContainer', 0.02, 0.01),
    ];
  },
};
