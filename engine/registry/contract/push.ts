/** The plank of lab `push`: an image, manifest by manifest and blob by blob, into a repository. OCI distribution-spec, "Push". */

import type { Transport } from './transport.ts';

/** OCI image-spec, descriptor.md. */
export interface PushDescriptor {
  mediaType: string;
  /** `sha256:` and 64 digits. */
  digest: string;
  /** Bytes. */
  size: number;
}

/** Where the bytes come from. */
export interface PushSource {
  /** The whole manifest or index of this digest, verified. @throws Error when it is missing or damaged. */
  document(digest: string): Promise<Uint8Array>;

  /** `length` bytes of a blob, from byte `from` on. May be called many times for one blob, also for the same bytes. */
  read(digest: string, from: number, length: number): AsyncIterable<Uint8Array>;

  /** Other repositories of the same registry that are said to have the blob, the likeliest first; perhaps none has it. */
  mounts(digest: string): string[];
}

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
   * Bytes that one request carries at most; 64 MiB unless given. What has more is sent in chunks. A registry may ask for
   * chunks of a least size (`OCI-Chunk-Min-Length`), which then counts instead.
   */
  chunkSize?: number;
  /** Milliseconds before the second attempt after a failure, twice as long before each further one; 250 unless given. */
  retryDelay?: number;
  onProgress?: (progress: PushProgress) => void;
  /** Ends the push; uploads that have begun are cancelled. */
  signal?: AbortSignal;
}

/** The registry does not keep to the protocol. */
export class PushError extends Error {
  readonly code = 'PUSH';
  override readonly name = 'PushError';
}

export interface PushPlank {
  /**
   * Push everything that the manifest leads to, and at last the manifest.
   *
   * 1. A blob that is named several times is pushed once. What the repository has (HEAD) is not sent. What another
   *    repository has is mounted (POST with `mount` and `from`); a registry that does not mount it begins an upload by the
   *    same answer, 202, which is used. When a mount is refused with 401 or 403, an upload is begun as if none was tried.
   * 2. An upload of at most `chunkSize` bytes is one PUT. A longer one is chunks of `chunkSize` (PATCH, with
   *    `Content-Range`), and its last chunk comes with the PUT. Each request goes to the `Location` of the answer before.
   * 3. After a failure that may pass (the transport's error has the `kind` `unreachable`, `server` or `too-many`) the
   *    registry is asked how far it got (GET of the location), and the upload goes on from there. So it does when the
   *    upload is not known (404) or a chunk does not fit (416). If the registry cannot say how far it got, the blob is
   *    looked for again, and sent anew if it is not there. Five failures in a row that bring no byte further end the push
   *    with the error of the last.
   * 4. A registry that takes less at once (413) gets chunks a quarter as large, down to 1 MiB.
   * 5. The manifest is sent, byte for byte, once all its blobs are there; the manifests of an index before the index.
   *    Manifests of an index that the repository has are not sent.
   * 6. The first failure ends all other uploads. Uploads that have begun and are not finished are cancelled (DELETE).
   *
   * @throws PushError for answers that break the protocol: an upload without a `Location`, a manifest that got another
   *   digest (`Docker-Content-Digest`, where the answer has it); and whatever `transport` and `source` throw.
   */
  push(request: PushRequest): Promise<void>;
}
