import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { chunksOfFile } from '../../../engine/image/blob-chunks.ts';
import type { EngineApi } from '../engines/api.ts';
import { OTHERS } from '../engines/engines.ts';
import {
  diffIdOf,
  FOUR_LAYERS,
  imageArchive,
  type LayerPlan,
  ONE_LARGE_LAYER,
  writeLayers,
} from '../engines/large-image.ts';
import { run } from '../engines/process.ts';
import type { Context, Figure, Result } from '../figure.ts';
import { type Contestant, median, takeTurns } from '../statistics.ts';

const NAME = 'bench-load:latest';
const BUDGET = { budget: 0.9, stretch: 0.6 };
const MOST_ROUNDS = 7;

/** Write an archive with an image of these layers. @returns its path and those of the layers by themselves. */
async function archiveOf(directory: string, plans: LayerPlan[]): Promise<{ archive: string; layers: string[] }> {
  const layers = writeLayers(directory, plans);
  const known = layers.map((path) => ({ path, size: statSync(path).size, diffId: diffIdOf(chunksOfFile(path)) }));
  const archive = join(directory, 'image.tar');
  await pipeline(Readable.from(imageArchive(NAME, known)), createWriteStream(archive));
  return { archive, layers };
}

/** Loads it anew each time: what is there already would only be looked at. */
function loader(api: EngineApi, archive: string): Omit<Contestant, 'name'> {
  return {
    every: 1,
    before: async () => {
      await api.removeImage(NAME);
      await run('sync', []);
    },
    action: () => api.loadImage(createReadStream(archive, { highWaterMark: 256 * 1024 })),
  };
}

/** What the layers take to unpack by themselves, without a store and without checking anything. */
function plainTar(directory: string, layers: string[]): Contestant {
  const target = join(directory, 'plain');
  return {
    name: 'tar -x',
    every: 1,
    before: async () => {
      rmSync(target, { recursive: true, force: true });
      mkdirSync(target);
      await run('sync', []);
    },
    action: async () => {
      for (const layer of layers) await run('tar', ['-C', target, '-xf', layer]);
    },
  };
}

async function timeLoads({ engines, progress, rounds }: Context, directory: string): Promise<Result> {
  progress('making an image of 200 MB');
  const { archive, layers } = await archiveOf(directory, FOUR_LAYERS);
  const { api } = await engines.skiff();
  const contestants: Contestant[] = [{ name: 'ours', ...loader(api, archive) }, plainTar(directory, layers)];
  const missing = new Map<string, string>();
  for (const name of OTHERS) {
    progress(`starting ${name}`);
    const engine = await engines.other(name);
    if (engine.value === null) missing.set(name, engine.reason);
    else contestants.push({ name, ...loader(engine.value.api, archive) });
  }
  progress('loading');
  const times = await takeTurns(Math.min(rounds, MOST_ROUNDS), 1, contestants);
  await api.removeImage(NAME);
  const value = (name: string) => ({ value: times.has(name) ? median(times.get(name)!) : null });
  return {
    title: `POST /images/load of 200 MB in 4 layers, p50 of ${times.get('ours')!.length}`,
    unit: 'ms',
    ours: median(times.get('ours')!),
    comparisons: [
      ...OTHERS.map((name) => ({
        with: name,
        ...value(name),
        ...BUDGET,
        ...(missing.has(name) && { reason: missing.get(name) }),
      })),
      { with: 'tar -x', ...value('tar -x') },
    ],
  };
}

/** The most memory that the daemon had resident while it loaded 2 GiB. proc(5), VmHWM and clear_refs. */
async function weighLoad({ engines, progress }: Context, directory: string): Promise<Result> {
  progress('making an image of 2 GiB');
  const { archive } = await archiveOf(directory, ONE_LARGE_LAYER);
  const { api, pids } = await engines.skiff();
  for (const pid of pids()) writeFileSync(`/proc/${pid}/clear_refs`, '5');
  progress('loading it');
  await api.loadImage(createReadStream(archive, { highWaterMark: 256 * 1024 }));
  // Of daemon and shim, the one that did it.
  const peak = Math.max(...pids().map(peakMiB));
  await api.removeImage(NAME);
  return {
    title: 'most memory of the daemon while it loads a layer of 2 GiB',
    unit: 'MiB',
    ours: peak,
    comparisons: [],
    limit: 150,
  };
}

function peakMiB(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

export const load: Figure = {
  name: 'load',
  title: 'loading an image',
  async run(context) {
    const results: Result[] = [];
    for (const measure of [timeLoads, weighLoad]) {
      const directory = mkdtempSync(join(tmpdir(), 'skiff-bench-load-'));
      try {
        results.push(await measure(context, directory));
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    }
    return results;
  },
};
