/**
 * What steps came to, by `cacheKey`: one small file for each, which names the layer and the time. It survives the
 * daemon; an entry whose layer is gone counts for nothing.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type Digest, isDigest } from '../digest.ts';
import { Descriptor, type LayerDescriptor } from '../documents.ts';
import type { Images } from '../images.ts';
import type { StoredLayer } from '../put-layer.ts';
import { scratchPath, sweepScratch } from '../scratch.ts';

/** What a step came to. */
export interface StepResult {
  /** RFC 3339: when it was first done. */
  created: string;
  /** Undefined when it changed the configuration only. */
  layer?: StoredLayer;
}

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));
const Entry = z.object({
  created: z.iso.datetime(),
  layer: z.object({ descriptor: Descriptor, diffId: digest, tarSize: z.int().nonnegative() }).optional(),
});

export class BuildCache {
  readonly #directory: string;
  readonly #scratch: string;
  readonly #images: Images;

  /** @param directory made if missing */
  constructor(directory: string, images: Images) {
    this.#directory = directory;
    this.#scratch = join(directory, 'scratch');
    this.#images = images;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    sweepScratch(this.#scratch);
  }

  /** What the step came to, if it was done before and its layer is still there. */
  get(key: string): StepResult | undefined {
    const entry = this.#read(this.#path(key));
    if (!entry) return undefined;
    return !entry.layer || existsSync(this.#images.store.path(entry.layer.descriptor.digest)) ? entry : undefined;
  }

  /** Not synced: a power cut costs a step that is done again. */
  put(key: string, result: StepResult): void {
    const scratch = scratchPath(this.#scratch);
    writeFileSync(scratch, JSON.stringify(result), { flag: 'wx', mode: 0o600 });
    renameSync(scratch, this.#path(key));
  }

  /** The layers that a build may still ask for. */
  layers(): StoredLayer[] {
    return this.#names().flatMap((name) => this.#read(join(this.#directory, name))?.layer ?? []);
  }

  /** Forget everything, and give the space of the layers back that no image has. @returns the keys and bytes */
  async prune(): Promise<{ deleted: string[]; reclaimed: number }> {
    const deleted: string[] = [];
    const layers: StoredLayer[] = [];
    for (const name of this.#names()) {
      const { layer } = this.#read(join(this.#directory, name)) ?? {};
      if (layer) layers.push(layer);
      rmSync(join(this.#directory, name), { force: true });
      deleted.push(name);
    }
    const before = await this.#images.layersSize();
    await this.#images.discard({
      blobs: layers.map(({ descriptor }) => descriptor.digest),
      diffIds: layers.map(({ diffId }) => diffId),
    });
    return { deleted, reclaimed: before - (await this.#images.layersSize()) };
  }

  #names(): string[] {
    return readdirSync(this.#directory).filter((each) => /^[0-9a-f]{64}$/.test(each));
  }

  #read(path: string): StepResult | undefined {
    try {
      const { created, layer } = Entry.parse(JSON.parse(readFileSync(path, 'utf8')));
      return { created, ...(layer && { layer: { ...layer, descriptor: layer.descriptor as LayerDescriptor } }) };
    } catch {
      // None, or one that was damaged: the step is done again.
      return undefined;
    }
  }

  #path(key: string): string {
    if (!isDigest(key)) throw new Error(`the cache key ${JSON.stringify(key).slice(0, 100)} is not a digest`);
    return join(this.#directory, key.slice('sha256:'.length));
  }
}
