/** How the judge hands archives to the plank `layer`, and gets them back. The trees are looked at from outside. */

import { mkdirSync } from 'node:fs';
import type { Applied, ApplyOptions } from '#contract/layer';
import { applyLayer, diffLayer } from '#layer';

export interface ApplyRequest {
  /** The archives to apply one after the other. */
  tars: Uint8Array[];
  directory: string;
  options: ApplyOptions;
  /** Bytes of a chunk: where it ends is nothing to rely on. */
  chunkSize?: number;
}

/** Apply layers on top of each other to a directory, made if it is missing. @returns what the last one was. */
export async function applyLayers({
  tars,
  directory,
  options,
  chunkSize = 1000,
}: ApplyRequest): Promise<Applied | undefined> {
  mkdirSync(directory, { recursive: true });
  let applied: Applied | undefined;
  for (const tar of tars) applied = await applyLayer(chunksOf(tar, chunkSize), directory, options);
  return applied;
}

/** All bytes of the layer that an upperdir makes. */
export function packLayer(upper: string): Uint8Array {
  return Buffer.concat([...diffLayer(upper)]);
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
