import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { packEntries } from '../../../engine/image/archive.ts';
import { chunksOfFile } from '../../../engine/image/blob-chunks.ts';
import type { EngineApi } from '../engines/api.ts';
import { diffIdOf, imageArchive } from '../engines/large-image.ts';
import { run } from '../engines/process.ts';
import type { Figure } from '../figure.ts';
import { median, quantile, takeTurns } from '../statistics.ts';

/** The counts of budgets.md, and one beyond what other engines allow (127). */
const MANY = [60, 128];

/** An image of the root file system and small layers on top of it, `count` in all. */
async function loadLayers(api: EngineApi, directory: string, rootfs: string, count: number): Promise<string> {
  const name = `bench-layers-${count}:latest`;
  const base = join(directory, 'base.tar');
  await run('tar', ['-C', rootfs, '-cf', base, '.']);
  const layers = [base, ...Array.from({ length: count - 1 }, (_, index) => smallLayer(directory, index))].map(
    (path) => ({
      path,
      size: statSync(path).size,
      diffId: diffIdOf(chunksOfFile(path)),
    }),
  );
  await api.loadImage(Readable.from(imageArchive(name, layers)));
  return name;
}

function smallLayer(directory: string, index: number): string {
  const path = join(directory, `small-${index}.tar`);
  const content = createHash('sha256').update(`${index}`).digest();
  const entry = { type: 'file' as const, path: `layer-${index}`, mode: 0o644, mtime: new Date(0), content };
  writeFileSync(path, Buffer.concat([...packEntries([entry])]));
  return path;
}

async function runTrue(api: EngineApi, image: string): Promise<void> {
  const id = await api.create({ Image: image, Cmd: ['true'] });
  try {
    await api.start(id);
    await api.wait(id);
  } finally {
    await api.remove(id);
  }
}

export const layers: Figure = {
  name: 'layers',
  title: 'API create + start + wait + remove of true, by number of layers',
  async run({ engines, progress, rounds }) {
    const { api } = await engines.skiff();
    const directory = mkdtempSync(join(tmpdir(), 'skiff-bench-layers-'));
    const names: string[] = [];
    try {
      for (const count of [1, ...MANY]) {
        progress(`an image of ${count} layers`);
        names.push(await loadLayers(api, directory, await engines.rootfs(), count));
      }
      const contestants = names.map((name) => ({ name, every: 1, action: () => runTrue(api, name) }));
      const times = await takeTurns(rounds, 3, contestants);
      const p50 = (name: string) => median(times.get(name)!);
      return MANY.map((count, index) => ({
        title: `${count} layers, p50 of ${rounds}`,
        unit: 'ms' as const,
        ours: p50(names[index + 1]!),
        also: { p90: quantile(times.get(names[index + 1]!)!, 0.9) },
        comparisons: [{ with: '1 layer, ours', value: p50(names[0]!), budget: 1.5, stretch: 1.1 }],
      }));
    } finally {
      for (const name of names) await api.removeImage(name);
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
