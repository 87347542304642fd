/**
 * Layers that are whole and that no image has: a pull has fetched them and was broken off. They are kept for a day, so
 * that the next pull does not fetch them again.
 *
 * One file a layer, named by the digits of its blob, in it its diffID. It is written when the layer is there, so one that
 * is cut off by a crash costs a download and no more.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, hexOf, isDigest } from './digest.ts';

export interface KeptLayer {
  /** Of its blob. */
  digest: Digest;
  diffId: Digest;
}

/** Milliseconds. */
const DAY = 24 * 3600 * 1000;

export class KeptLayers {
  readonly #directory: string;

  /** @param directory made if missing. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
  }

  add({ digest, diffId }: KeptLayer): void {
    writeFileSync(this.#path(digest), diffId);
  }

  remove(digest: Digest): void {
    rmSync(this.#path(digest), { force: true });
  }

  /** Those that are not older than a day. */
  list(): KeptLayer[] {
    return this.#all().flatMap(({ old, layer }) => (old ? [] : [layer]));
  }

  /** Forget those that are older than a day, or all. @returns them */
  forget(which: 'old' | 'all'): KeptLayer[] {
    const forgotten = this.#all().filter(({ old }) => old || which === 'all');
    for (const { layer } of forgotten) this.remove(layer.digest);
    return forgotten.map(({ layer }) => layer);
  }

  #all(): { layer: KeptLayer; old: boolean }[] {
    return readdirSync(this.#directory).flatMap((name) => {
      const digest = `sha256:${name}`;
      const path = join(this.#directory, name);
      let diffId: string;
      let age: number;
      try {
        diffId = readFileSync(path, 'utf8');
        age = Date.now() - statSync(path).mtimeMs;
      } catch {
        // A file that cannot be read, or something else: its layer is fetched again.
        return [];
      }
      if (isDigest(digest) && isDigest(diffId)) return [{ layer: { digest, diffId }, old: age > DAY }];
      // Cut off by a crash, or by a disk without room.
      rmSync(path, { force: true });
      return [];
    });
  }

  #path(digest: Digest): string {
    return join(this.#directory, hexOf(digest));
  }
}
