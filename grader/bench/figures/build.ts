import { type ArchiveEntry, packEntries } from '../../../engine/image/archive.ts';
import type { EngineApi } from '../engines/api.ts';
import { IMAGE, OTHERS, type Other } from '../engines/engines.ts';
import { FILE_TIME, randomBytes } from '../engines/large-image.ts';
import { run } from '../engines/process.ts';
import type { Context, Figure, Result } from '../figure.ts';
import { type Contestant, median, quantile, takeTurns } from '../statistics.ts';

const NAME = 'bench-build';
const BUDGETS = { cold: { budget: 0.5, stretch: 0.3 }, cached: { budget: 1, stretch: 0.7 } };
const MOST_ROUNDS = { cold: 10, cached: 20 };
/** 2 MB of sources. */
const FILES = 100;
const FILE_SIZE = 20 * 1024;

const STEPS = 5;
/** Two copies, two commands, and a change of the configuration. */
const DOCKERFILE = `FROM ${IMAGE}:latest
ENV MODE=release
COPY src /src
RUN mkdir /out && cat /src/* > /out/all
COPY settings /etc/app/settings
RUN ls -l /out > /out/list
`;

/** @param nonce what makes the context one that no engine has seen. */
function context(nonce: string): Buffer {
  const metadata = { type: 'file' as const, mtime: FILE_TIME, mode: 0o644 };
  const sources = Array.from({ length: FILES }, (_, index): ArchiveEntry => {
    const content = randomBytes(index, FILE_SIZE);
    return { ...metadata, path: `src/file-${index}`, content };
  });
  return Buffer.concat([
    ...packEntries([
      { ...metadata, path: 'Dockerfile', content: DOCKERFILE },
      { ...metadata, path: 'settings', content: 'colour=blue\n' },
      { ...metadata, path: 'src/nonce', content: nonce },
      ...sources,
    ]),
  ]);
}

/** The classic builder's call. Network none: no bridge is part of it. */
async function build(api: EngineApi, tar: Buffer, options: string): Promise<string> {
  const told = await api.call('POST', `/build?t=${NAME}:latest&networkmode=none&rm=1&forcerm=1&${options}`, tar);
  if (/"error"/.test(told)) throw new Error(`POST /build: ${told.trim().slice(-500)}`);
  return told;
}

function cold(api: EngineApi): Omit<Contestant, 'name'> {
  let round = 0;
  let tar: Buffer;
  return {
    every: 1,
    before: async () => {
      await api.removeImage(`${NAME}:latest`);
      tar = context(`round ${round++}`);
      await run('sync', []);
    },
    action: async () => void (await build(api, tar, 'nocache=1')),
  };
}

function cached(api: EngineApi): Omit<Contestant, 'name'> {
  const tar = context('always the same');
  return {
    every: 1,
    action: async (round) => {
      // Without `layers` podman has no cache; the others do not know the word.
      const found = (await build(api, tar, 'layers=1')).match(/Using cache/g)?.length ?? 0;
      // The first round, which does not count, fills it.
      if (round > 0 && found !== STEPS) throw new Error(`POST /build: ${found} of ${STEPS} steps came from the cache`);
    },
  };
}

async function measure(kind: keyof typeof BUDGETS, { engines, progress, rounds }: Context): Promise<Result> {
  const make = { cold, cached }[kind];
  const { api } = await engines.skiff();
  const contestants: Contestant[] = [{ name: 'ours', ...make(api) }];
  const missing = new Map<Other, string>();
  for (const name of OTHERS) {
    progress(`starting ${name}`);
    const engine = await engines.other(name);
    if (engine.value === null) missing.set(name, engine.reason);
    else contestants.push({ name, ...make(engine.value.api) });
  }
  progress(`building, ${kind}`);
  const times = await takeTurns(Math.min(rounds, MOST_ROUNDS[kind]), 2, contestants);
  await api.removeImage(`${NAME}:latest`);
  const ours = times.get('ours')!;
  return {
    title: `POST /build of five steps, ${kind}, p50 of ${ours.length}`,
    unit: 'ms',
    ours: median(ours),
    also: { p90: quantile(ours, 0.9) },
    comparisons: OTHERS.map((name) => ({
      with: name,
      value: times.has(name) ? median(times.get(name)!) : null,
      ...(missing.has(name) && { reason: missing.get(name) }),
      ...BUDGETS[kind],
    })),
  };
}

export const builds: Figure = {
  name: 'build',
  title: 'building an image of five steps, network none',
  run: async (context) => [await measure('cold', context), await measure('cached', context)],
};
