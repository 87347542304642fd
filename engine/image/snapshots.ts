/**
 * Unpacked layers, ready to be overlay lowerdirs: each layer once, under its diffID, shared by all images that have it.
 *
 * A layer's directory holds that layer alone, with whiteouts in overlayfs's form, so it does not depend on what is
 * below it. It is unpacked under a scratch name and renamed, so a directory that has its name is complete.
 */

import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasOneId } from '#kernel/user-namespace';
import { type Applied, applyLayer } from '#layer';
import { blobChunks, firstBytes } from './blob-chunks.ts';
import { compressionOf } from './compression.ts';
import { consumeTar } from './consume-tar.ts';
import { type Digest, hexOf, isDigest } from './digest.ts';
import { type PutLayerOptions, putLayer, type StoredLayer } from './put-layer.ts';
import { explainFullDisk, removeAtOnce, scratchPath, sweepScratch } from './scratch.ts';
import { BlobCorrupt, type Store } from './store.ts';

export class Snapshots {
  readonly #directory: string;
  readonly #scratch: string;
  /** So that a layer wanted twice at the same time is unpacked once. */
  readonly #running = new Map<Digest, Promise<string>>();

  private constructor(directory: string) {
    this.#directory = directory;
    this.#scratch = join(directory, 'scratch');
  }

  static async open(directory: string): Promise<Snapshots> {
    const snapshots = new Snapshots(directory);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    sweepScratch(snapshots.#scratch);
    return snapshots;
  }

  /** Where the layer with this diffID (the digest of its uncompressed tar) is unpacked, or would be. */
  path(diffId: Digest): string {
    return join(this.#directory, hexOf(diffId));
  }

  /** The diffIDs of all layers that are unpacked. */
  async list(): Promise<Digest[]> {
    const names = await readdir(this.#directory);
    return names.map((name) => `sha256:${name}`).filter(isDigest);
  }

  /**
   * The directory of a layer, unpacked from `blob` of `store` if it is not there yet.
   * @throws BlobCorrupt when the blob is not the layer that `diffId` promises; HostileArchive; nothing is left then.
   */
  prepare(diffId: Digest, store: Store, blob: Digest): Promise<string> {
    const path = this.path(diffId);
    if (existsSync(path)) return Promise.resolve(path);
    let running = this.#running.get(diffId);
    if (!running) {
      running = this.#unpack(diffId, store, blob).finally(() => this.#running.delete(diffId));
      this.#running.set(diffId, running);
    }
    return running;
  }

  /**
   * Store a layer in `store`, and unpack it in the same pass over its bytes.
   * @param expected `diffId`: when a layer that has it is unpacked already it is only stored.
   * @throws as `putLayer` and `prepare` do; nothing is left then, in the store or here.
   */
  async receive(
    store: Store,
    source: AsyncIterable<Uint8Array>,
    options: Omit<PutLayerOptions, 'consume'> = {},
  ): Promise<StoredLayer> {
    const { diffId } = options.expected ?? {};
    if (diffId !== undefined && existsSync(this.path(diffId))) return putLayer(store, source, options);
    const scratch = scratchPath(this.#scratch);
    try {
      await mkdir(scratch, { mode: 0o755 });
      const layer = await putLayer(store, source, { ...options, consume: (tar) => unpackTo(scratch, tar) });
      await publish(scratch, this.path(layer.diffId));
      return layer;
    } catch (error) {
      await rm(scratch, { recursive: true, force: true });
      throw explainFullDisk(error, this.#directory);
    }
  }

  /** Remove a layer's directory; no container may be using it. */
  async remove(diffId: Digest): Promise<void> {
    await removeAtOnce(this.path(diffId), this.#scratch);
  }

  async #unpack(diffId: Digest, store: Store, blob: Digest): Promise<string> {
    const scratch = scratchPath(this.#scratch);
    try {
      await mkdir(scratch, { mode: 0o755 });
      const compression = compressionOf(await firstBytes(store, blob));
      const chunks = await blobChunks(store, blob, { reuse: compression === 'none' });
      const tar = await consumeTar(chunks, { compression, hash: true, consume: (each) => unpackTo(scratch, each) });
      if (tar.digest !== diffId) {
        throw new BlobCorrupt(`layer ${blob} unpacks to ${tar.digest}, but its image says ${diffId}`);
      }
      return await publish(scratch, this.path(diffId));
    } catch (error) {
      await rm(scratch, { recursive: true, force: true });
      throw explainFullDisk(error, this.#directory);
    }
  }
}

/** Another process may have been faster: its directory is as good as ours. */
async function publish(scratch: string, path: string): Promise<string> {
  try {
    await rename(scratch, path);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await rm(scratch, { recursive: true, force: true });
  }
  return path;
}

function unpackTo(directory: string, tar: AsyncIterable<Uint8Array>): Promise<Applied> {
  // A plank that gives each entry its owner would get EINVAL for an id that this user namespace does not have.
  const owners = hasOneId() ? { ownership: false, oneUser: true } : {};
  return applyLayer(tar, directory, { whiteouts: 'overlay', ...owners });
}
