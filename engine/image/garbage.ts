/**
 * What images have left behind. A blob or an unpacked layer goes when no image has it and nobody holds the store: an
 * image that is being loaded, pulled, committed or built has parts that no image has yet.
 */

import { readFileSync } from 'node:fs';
import { garbage } from '#store';
import type { Digest } from './digest.ts';
import type { ImageConfig, LayerDescriptor } from './documents.ts';
import type { Snapshots } from './snapshots.ts';
import type { Store } from './store.ts';

export interface Leftovers {
  blobs?: Iterable<Digest>;
  /** Of layers that may be unpacked. */
  diffIds?: Iterable<Digest>;
}

/** The parts of an image. */
export interface Parts {
  id: Digest;
  manifest: Digest;
  layers: LayerDescriptor[];
  config: ImageConfig;
}

export class Garbage {
  readonly #store: Store;
  readonly #snapshots: Snapshots;
  readonly #blobs = new Set<Digest>();
  readonly #diffIds = new Set<Digest>();
  #holds = 0;

  constructor(store: Store, snapshots: Snapshots) {
    this.#store = store;
    this.#snapshots = snapshots;
  }

  get isHeld(): boolean {
    return this.#holds > 0;
  }

  /** @returns the way to let go, which answers whether there is something to sweep now. */
  hold(): () => boolean {
    this.#holds += 1;
    let held = true;
    return () => {
      if (!held) return false;
      held = false;
      this.#holds -= 1;
      return this.#holds === 0 && this.#blobs.size + this.#diffIds.size > 0;
    };
  }

  /** Those that no image may have any more. */
  discard({ blobs = [], diffIds = [] }: Leftovers): void {
    for (const blob of blobs) this.#blobs.add(blob);
    for (const diffId of diffIds) this.#diffIds.add(diffId);
  }

  /**
   * Delete what was discarded and belongs to none of `images`, which are all there are. It stops when a hold begins: then
   * another image may get the same parts. The rest goes with a later sweep.
   */
  async sweep(images: Parts[]): Promise<void> {
    const used = new Set(images.flatMap(blobsOf));
    const mounted = new Set(images.flatMap((image) => image.config.rootfs.diff_ids));
    for (const blob of this.#blobs) {
      if (this.isHeld) return;
      this.#blobs.delete(blob);
      if (!used.has(blob)) await this.#store.remove(blob);
    }
    for (const diffId of this.#diffIds) {
      if (this.isHeld) return;
      this.#diffIds.delete(diffId);
      if (!mounted.has(diffId)) await this.#snapshots.remove(diffId);
    }
  }
}

/** What is stored or unpacked and neither one of `images` nor `kept` has. */
export async function orphansIn(
  store: Store,
  snapshots: Snapshots,
  images: Parts[],
  kept: Required<Leftovers>,
): Promise<Leftovers> {
  const unused = garbage(
    await store.list(),
    images.map(({ manifest }) => manifest),
    (digest) => readFileSync(store.path(digest as Digest)),
  ) as Digest[];
  const keptBlobs = new Set(kept.blobs);
  const diffIds = new Set([...kept.diffIds, ...images.flatMap((image) => image.config.rootfs.diff_ids)]);
  return {
    blobs: unused.filter((digest) => !keptBlobs.has(digest)),
    diffIds: (await snapshots.list()).filter((diffId) => !diffIds.has(diffId)),
  };
}

/** Its manifest, its configuration and its layers. */
export function blobsOf({ manifest, id, layers }: Parts): Digest[] {
  return [manifest, id, ...layers.map((layer) => layer.digest)];
}
