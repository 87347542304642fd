/** Images to load: an archive as `docker save` writes it, the same on every machine. */

import { createCipheriv, createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type ArchiveEntry, packEntries } from '../../../engine/image/archive.ts';

/** What every file is dated. */
export const FILE_TIME = new Date('2001-09-09T01:46:40Z');
const WORDS = 'the quick brown ship of theseus sails on while every plank of her is replaced by another one'.split(' ');

export interface LayerPlan {
  files: number;
  /** Bytes of each file; every second one is words, the others cannot be compressed. */
  size: number;
}

/** 200 MB in four layers of 100 files: what baselines.md measured. */
export const FOUR_LAYERS: LayerPlan[] = Array.from({ length: 4 }, () => ({ files: 100, size: 512 * 1024 }));
/** 2 GiB in one layer. */
export const ONE_LARGE_LAYER: LayerPlan[] = [{ files: 32, size: 64 * 1024 * 1024 }];

/** Write the layers of a plan as files of `directory`. @returns their paths. */
export function writeLayers(directory: string, plans: LayerPlan[]): string[] {
  return plans.map((plan, index) => {
    const path = join(directory, `layer-${index}.tar`);
    writeChunks(path, packEntries(filesOf(plan, index)));
    return path;
  });
}

/** The whole archive, chunk by chunk. @param layers written by `writeLayers`, with their sizes. */
export function* imageArchive(
  name: string,
  layers: { path: string; size: number; diffId: string }[],
): Generator<Buffer> {
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  };
  const manifest = [
    { Config: 'config.json', RepoTags: [name], Layers: layers.map((_, index) => `${index}/layer.tar`) },
  ];
  const metadata = (path: string) => ({ type: 'file' as const, path, mode: 0o644, mtime: FILE_TIME });
  yield* packEntries([
    ...layers.map(({ path, size }, index): ArchiveEntry => ({ ...metadata(`${index}/layer.tar`), source: path, size })),
    { ...metadata('config.json'), content: JSON.stringify(config) },
    { ...metadata('manifest.json'), content: JSON.stringify(manifest) },
  ]);
}

/** Hash a layer that was written. */
export function diffIdOf(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

function* filesOf({ files, size }: LayerPlan, layer: number): Generator<ArchiveEntry> {
  for (let file = 0; file < files; file++) {
    const seed = layer * 1000 + file;
    const content = file % 2 === 0 ? randomBytes(seed, size) : words(seed, size);
    yield { type: 'file', path: `layer-${layer}/file-${file}`, mode: 0o644, mtime: FILE_TIME, content };
  }
}

/** The same on every machine, and not to be compressed. */
export function randomBytes(seed: number, size: number): Buffer {
  const key = createHash('sha256').update(`${seed}`).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

function words(seed: number, size: number): Buffer {
  let state = seed + 1;
  const line = Array.from({ length: 5000 }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return WORDS[state % WORDS.length];
  });
  return Buffer.alloc(size, `${line.join(' ')}\n`);
}

function writeChunks(path: string, chunks: Iterable<Buffer>): void {
  const file = openSync(path, 'w');
  try {
    for (const chunk of chunks) writeSync(file, chunk);
  } finally {
    closeSync(file);
  }
}
