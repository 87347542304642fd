import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineApi } from '../engines/api.ts';
import { IMAGE } from '../engines/engines.ts';
import { pssMiB } from '../engines/process.ts';
import type { Skiff } from '../engines/skiff.ts';
import type { Figure } from '../figure.ts';

/** 1,000 for the 200 rounds of a full run. */
const CONTAINERS_PER_ROUND = 5;
const AT_ONCE = 8;
/** Milliseconds from the beginning of a start to its container's end, at most: from before its fork to well after its exec. */
const LATEST = 120;
const LIMIT = 10;

/** What could be left behind, each by its number. */
function census({ root, pids }: Skiff): Record<string, number> {
  const all = pids();
  const lines = (file: string) => readFileSync(file, 'utf8').split('\n');
  const children = all.flatMap((pid) => lines(`/proc/${pid}/task/${pid}/children`)[0]!.split(' ').filter(Boolean));
  const cgroups = ['', ...readdirSync('/sys/fs/cgroup')].map((name) => join('/sys/fs/cgroup', name, 'skiff'));
  return {
    mounts: lines('/proc/self/mountinfo').filter((line) => line.includes(root)).length,
    cgroups: cgroups.filter((path) => existsSync(path)).flatMap((path) => readdirSync(path)).length,
    links: lines('/proc/net/dev').length,
    processes: children.length,
    files: (readdirSync(root, { recursive: true }) as string[]).filter((name) => !name.startsWith('images/')).length,
    descriptors: all.flatMap((pid) => readdirSync(`/proc/${pid}/fd`)).length,
  };
}

/** What was removed is deleted in the background. */
async function settled({ root }: Skiff): Promise<void> {
  for (let look = 0; look < 600 && readdirSync(join(root, 'removed')).length > 0; look++) await delay(50);
}

/** Two connections: one waits for the answer to a start while the other kills what is starting. */
interface Lane {
  starter: EngineApi;
  killer: EngineApi;
}

/** Start it, and kill it some time after the start has begun: before it runs, while it starts, or when it runs. */
async function startAndKill({ starter, killer }: Lane): Promise<void> {
  const id = await starter.create({ Image: IMAGE, Cmd: ['sleep', '1000'] });
  const started = starter.start(id).catch(() => {});
  await delay(randomInt(LATEST));
  await killer.call('DELETE', `/containers/${id}?force=1`);
  await started;
}

export const churn: Figure = {
  name: 'churn',
  title: 'containers that are started, killed at a random moment and removed',
  async run({ engines, progress, rounds }) {
    const skiff = await engines.skiff();
    const connect = () => new EngineApi(skiff.api.socket);
    const lanes = Array.from({ length: AT_ONCE }, (): Lane => ({ starter: connect(), killer: connect() }));
    const several = async (count: number) => {
      let left = count;
      const work = async (lane: Lane) => {
        while (left-- > 0) await startAndKill(lane);
      };
      await Promise.all(lanes.map(work));
      await settled(skiff);
    };
    // What is made once and stays: connections, the shim, compiled code.
    await several(AT_ONCE * 4);
    const [before, weight] = [census(skiff), pssMiB(skiff.pids())];
    const count = rounds * CONTAINERS_PER_ROUND;
    progress(`${count} containers, ${AT_ONCE} at a time`);
    await several(count);
    const after = census(skiff);
    const left = Object.entries(after).map(([name, number]) => `${number - before[name]!} ${name}`);
    const end = pssMiB(skiff.pids());
    for (const { starter, killer } of lanes) for (const api of [starter, killer]) api.close();
    return [
      {
        title: `${count} containers; left behind: ${left.join(', ')}; daemon and shim have grown by`,
        unit: 'MiB',
        ours: Math.max(0, end - weight),
        also: { before: weight, after: end },
        comparisons: [],
        limit: LIMIT,
      },
    ];
  },
};
