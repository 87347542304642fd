/** A whole push: the functions of the plank put together, with what is told while it goes on. */

import { setTimeout as wait } from 'node:timers/promises';
import * as plank from '#push';
import type { PushDescriptor, PushJob, PushSource } from '../contract/push.ts';
import type { Transport } from '../contract/transport.ts';

export type PushState =
  /** It has not been looked at yet. */
  | 'waiting'
  /** The repository has it: nothing was sent. */
  | 'exists'
  /** The registry took it from another of its repositories: nothing was sent. */
  | 'mounted'
  /** Bytes of it are on their way. */
  | 'pushing'
  | 'pushed';

export interface PushProgress {
  blob: PushDescriptor;
  state: PushState;
  /** The repository that it was mounted from. */
  from?: string;
  /** While it is being pushed: bytes that were handed to the connection. */
  sent?: number;
}

export interface PushRequest {
  /** Of the repository that is pushed to. */
  transport: Transport;
  source: PushSource;
  /** The manifest, or an index of manifests. */
  manifest: PushDescriptor;
  /** The name that it gets in the repository; without one it is known by its digest only. */
  tag?: string;
  /** Blobs that are on their way at the same time, at least 1; 5 unless given. */
  concurrency?: number;
  /**
   * Bytes that one request carries at most; 64 MiB unless given. A registry may ask for chunks of a least size
   * (`OCI-Chunk-Min-Length`), which then counts instead.
   */
  chunkSize?: number;
  /** Milliseconds before the second attempt after a failure, twice as long before each further one; 250 unless given. */
  retryDelay?: number;
  onProgress?: (progress: PushProgress) => void;
  /** Ends the push; uploads that have begun are cancelled. */
  signal?: AbortSignal;
}

const CONCURRENCY = 5;
const CHUNK_SIZE = 64 * 1024 * 1024;
const RETRY_DELAY = 250;

/**
 * Push everything that the manifest leads to, and at last the manifest.
 * @throws PushError for answers that break the protocol; what `transport` and `source` throw; the reason of `signal`
 */
export async function push(request: PushRequest): Promise<void> {
  const { transport, manifest, tag, concurrency = CONCURRENCY, chunkSize = CHUNK_SIZE, onProgress } = request;
  const { retryDelay = RETRY_DELAY, signal: given = new AbortController().signal } = request;
  const tell = (progress: PushProgress) => onProgress?.(progress);
  const blobs = new Map<string, PushDescriptor>();
  const source = watched(request.source, blobs, tell);
  const jobUntil = (signal: AbortSignal): PushJob => ({
    transport,
    source,
    chunkSize,
    pause: (failures) => wait(retryDelay * 2 ** (failures - 1), undefined, { signal }),
    signal,
  });
  await plank.pushManifest(jobUntil(given), manifest, { tag, concurrency }, async (blob, signal) => {
    tell({ blob, ...(await plank.pushBlob(jobUntil(signal), blob, plank)) });
  });
}

/** Every blob is told of as soon as the manifest is read that names it, and then as its bytes are read. */
function watched(
  source: PushSource,
  blobs: Map<string, PushDescriptor>,
  tell: (progress: PushProgress) => void,
): PushSource {
  return {
    mounts: (digest) => source.mounts(digest),
    document: async (digest) => {
      const bytes = await source.document(digest);
      for (const blob of blobsIn(bytes)) {
        if (blobs.has(blob.digest)) continue;
        blobs.set(blob.digest, blob);
        tell({ blob, state: 'waiting' });
      }
      return bytes;
    },
    read: async function* (digest, from, length) {
      const blob = blobs.get(digest);
      let sent = from;
      if (blob) tell({ blob, state: 'pushing', sent });
      for await (const chunk of source.read(digest, from, length)) {
        yield chunk;
        sent += chunk.length;
        if (blob) tell({ blob, state: 'pushing', sent });
      }
    },
  };
}

function blobsIn(manifest: Uint8Array): PushDescriptor[] {
  const document = JSON.parse(Buffer.from(manifest).toString()) as {
    config?: PushDescriptor;
    layers?: PushDescriptor[];
  };
  return [...(document.layers ?? []), ...(document.config ? [document.config] : [])];
}
