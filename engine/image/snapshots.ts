/**
 * Unpacked layers, ready to be overlay lowerdirs: each layer once, under its diffID, shared by all images that have it.
 *
 * A layer's directory holds that layer alone, with whiteouts in overlayfs's form, so it does not depend on what is
 * below it. It is unpacked under a scratch name and renamed, so a directory that has its name is complete.
 */

import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { compressionOf, decompress } from './compression.ts';
import { type Digest, DigestStream, hexOf } from './digest.ts';
import { applyLayer } from './layer.ts';
import { explainFullDisk, scratchPath, sweepScratch } from './scratch.ts';
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

  /** Remove a layer's directory; no container may be using it. */
  async remove(diffId: Digest): Promise<void> {
    const scratch = scratchPath(this.#scratch);
    const present = await rename(this.path(diffId), scratch).then(
      () => true,
      () => false,
    );
    if (present) await rm(scratch, { recursive: true, force: true });
  }

  async #unpack(diffId: Digest, store: Store, blob: Digest): Promise<string> {
    const scratch = scratchPath(this.#scratch);
    try {
      await mkdir(scratch, { mode: 0o755 });
      const compression = compressionOf(await firstBytes(store, blob));
      const hashed = new DigestStream({ highWaterMark: 1024 * 1024 });
      const tar = decompress(await store.stream(blob), compression);
      // What fails in between destroys `hashed` with its error, which is where applyLayer meets it.
      pipeline(tar, hashed, () => {});
      await applyLayer(hashed, scratch, { whiteouts: 'overlay' });
      if (hashed.digest() !== diffId) {
        throw new BlobCorrupt(`layer ${blob} unpacks to ${hashed.digest()}, but its image says ${diffId}`);
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

async function firstBytes(store: Store, blob: Digest): Promise<Uint8Array> {
  const file = await open(store.path(blob));
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
