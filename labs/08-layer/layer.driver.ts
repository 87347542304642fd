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
  /** Zeros that are put into each archive: so many, behind its first `at` bytes. */
  zeros?: { count: number; at: number };
  /** As whom, 0 if absent: a user whom the mode of a directory can keep out. */
  user?: number;
}

export interface Answer extends Applied {
  /** Whether the last archive was read to its end. */
  readToTheEnd: boolean;
}

/** Apply layers on top of each other to a directory, made if it is missing. @returns what the last one was. */
export async function applyLayers({ user = 0, ...request }: ApplyRequest): Promise<Answer> {
  if (user === 0) return await applyAll(request);
  process.seteuid!(user);
  try {
    return await applyAll(request);
  } finally {
    process.seteuid!(0);
  }
}

async function applyAll({
  tars,
  directory,
  options,
  chunkSize = 1000,
  zeros = { count: 0, at: 0 },
}: Omit<ApplyRequest, 'user'>): Promise<Answer> {
  mkdirSync(directory, { recursive: true });
  let answer: Answer | undefined;
  for (const given of tars) {
    const tar = Buffer.concat([given.subarray(0, zeros.at), Buffer.alloc(zeros.count), given.subarray(zeros.at)]);
    let readToTheEnd = false;
    const chunks = async function* () {
      for (let at = 0; at < tar.length; at += chunkSize) yield tar.subarray(at, at + chunkSize);
      readToTheEnd = true;
    };
    const { size, entries } = await applyLayer(chunks(), directory, options);
    answer = { size, entries, readToTheEnd };
  }
  return answer!;
}

/** All bytes of the layer that an upperdir makes. @param excluded paths that are left out. */
export function packLayer(upper: string, excluded?: string[]): Uint8Array {
  const options = excluded && { exclude: (path: string) => excluded.includes(path) };
  return Buffer.concat([...(options ? diffLayer(upper, options) : diffLayer(upper))]);
}
