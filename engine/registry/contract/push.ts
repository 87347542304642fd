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

  /**
   * `length` bytes of a blob, from byte `from` on, piece by piece. May be called many times for one blob, also for the same
   * bytes. Fails when the disk does.
   */
  read(digest: string, from: number, length: number): AsyncIterable<Uint8Array>;

  /** Other repositories of the same registry that are said to have the blob, the likeliest first; perhaps none has it. */
  mounts(digest: string): string[];
}

/** What all functions of a push are given. */
export interface PushJob {
  /** Of the repository that is pushed to. Login, redirects and proxies lie behind it. */
  transport: Transport;
  source: PushSource;
  /** Bytes that one request carries at most, at least 1. */
  chunkSize: number;
  /**
   * Wait before the next attempt: longer, the more failures there were in a row.
   * @param failures from 1. @throws the reason of `signal` when that aborts.
   */
  pause(failures: number): Promise<void>;
  /** Ends the work with its reason. The requests that belong to the work are given it. */
  signal: AbortSignal;
}

/** An upload that the registry has begun, and how far it is. */
export interface Upload {
  /** Where the next request goes, as the registry said it last: a path that begins with `/`, or a whole URL. */
  location: string;
  /** Bytes that the registry is known to have: it has answered for them. */
  sent: number;
  /** Bytes of one request at most. */
  chunkSize: number;
}

/** What a blob came to, without a byte of it being sent. */
export type Begun =
  /** The repository has it. */
  | { state: 'exists' }
  /** The registry took it from another of its repositories. */
  | { state: 'mounted'; from: string }
  /** Its bytes have to be sent. */
  | { state: 'begun'; upload: Upload };

/** How a blob got there. */
export type Pushed = { state: 'exists' } | { state: 'mounted'; from: string } | { state: 'pushed' };

/** The functions that `pushBlob` calls. They are handed to it, so that each can be tried, and judged, alone. */
export type BlobSteps = Pick<PushPlank, 'beginUpload' | 'sendBytes' | 'resumeUpload'>;

/** The registry does not keep to the protocol. */
export class PushError extends Error {
  readonly code = 'PUSH';
  override readonly name = 'PushError';
}

/** The comments of labs/12-push/push.ts say in full what each of these owes. */
export interface PushPlank {
  /** Is the blob there? May it be mounted? If not, begin an upload. @throws PushError if the upload has no `Location` */
  beginUpload(job: PushJob, blob: PushDescriptor): Promise<Begun>;

  /** Send the bytes from `upload.sent` on, in one request or in chunks. `upload` says how far it got, whatever happens. */
  sendBytes(job: PushJob, blob: PushDescriptor, upload: Upload): Promise<void>;

  /** Ask how far an upload got. @returns the upload to go on with; undefined if the registry cannot say, or lies. */
  resumeUpload(job: PushJob, blob: PushDescriptor, upload: Upload): Promise<Upload | undefined>;

  /** One blob: begin, send, and after a failure that may pass, go on. An upload that is given up is cancelled. */
  pushBlob(job: PushJob, blob: PushDescriptor, steps: BlobSteps): Promise<Pushed>;

  /**
   * The manifest, after everything that it leads to.
   * @param push pushes one blob; ends early, with the reason, when `signal` aborts.
   */
  pushManifest(
    job: PushJob,
    manifest: PushDescriptor,
    options: PushOptions,
    push: (blob: PushDescriptor, signal: AbortSignal) => Promise<void>,
  ): Promise<void>;
}

export interface PushOptions {
  /** The name that the manifest gets; without one it is known by its digest only. */
  tag?: string;
  /** Blobs that are on their way at the same time, at least 1. */
  concurrency: number;
}
