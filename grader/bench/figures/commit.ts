import { type ArchiveEntry, packEntries } from '../../../engine/image/archive.ts';
import type { EngineApi } from '../engines/api.ts';
import { IMAGE, OTHERS } from '../engines/engines.ts';
import { FILE_TIME, randomBytes } from '../engines/large-image.ts';
import { run } from '../engines/process.ts';
import type { Figure } from '../figure.ts';
import { type Contestant, median, quantile, takeTurns } from '../statistics.ts';

const NAME = 'bench-commit';
const BUDGET = { budget: 0.7, stretch: 0.4 };
const DIRECTORIES = 20;
const FILES_IN_EACH = 50;
/** Bytes. */
const FILE_SIZE = 4096;
const MOST_ROUNDS = 20;

/** 1,000 files of 4 KiB, none like another. */
function* changes(): Generator<ArchiveEntry> {
  const metadata = { mtime: FILE_TIME, uid: 0, gid: 0 };
  for (let directory = 0; directory < DIRECTORIES; directory++) {
    const path = `changed-${directory}`;
    yield { ...metadata, type: 'directory', path, mode: 0o755 };
    for (let file = 0; file < FILES_IN_EACH; file++) {
      const content = randomBytes(directory * FILES_IN_EACH + file, FILE_SIZE);
      yield { ...metadata, type: 'file', path: `${path}/file-${file}`, mode: 0o644, content };
    }
  }
}

/** A container that has all of them on top of its image. It has never run: nothing is to be paused. */
async function committer(api: EngineApi): Promise<Omit<Contestant, 'name'>> {
  const container = await api.create({ Image: IMAGE, Cmd: ['true'] });
  await api.call('PUT', `/containers/${container}/archive?path=/`, Buffer.concat([...packEntries(changes())]));
  return {
    every: 1,
    before: async () => {
      await api.removeImage(`${NAME}:latest`);
      await run('sync', []);
    },
    // podman wants a body, if an empty one.
    action: async () => void (await api.call('POST', `/commit?container=${container}&repo=${NAME}&tag=latest`, {})),
  };
}

export const commit: Figure = {
  name: 'commit',
  title: 'committing a container with 1,000 changed files',
  async run({ engines, progress, rounds }) {
    const { api } = await engines.skiff();
    const apis = [api];
    const contestants: Contestant[] = [{ name: 'ours', ...(await committer(api)) }];
    const missing = new Map<string, string>();
    for (const name of OTHERS) {
      progress(`starting ${name}`);
      const engine = await engines.other(name);
      if (engine.value === null) missing.set(name, engine.reason);
      else {
        apis.push(engine.value.api);
        contestants.push({ name, ...(await committer(engine.value.api)) });
      }
    }
    progress('committing');
    const times = await takeTurns(Math.min(rounds, MOST_ROUNDS), 2, contestants);
    for (const each of apis) {
      await each.removeAll();
      await each.removeImage(`${NAME}:latest`);
    }
    const ours = times.get('ours')!;
    return [
      {
        title: `POST /commit, p50 of ${ours.length}`,
        unit: 'ms',
        ours: median(ours),
        also: { p90: quantile(ours, 0.9) },
        comparisons: OTHERS.map((name) => ({
          with: name,
          value: times.has(name) ? median(times.get(name)!) : null,
          ...(missing.has(name) && { reason: missing.get(name) }),
          // podman has to start a program of its own, which makes it no measure.
          ...(name === 'dockerd' && BUDGET),
        })),
      },
    ];
  },
};
