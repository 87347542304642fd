/**
 * The plank of lab `registry`: what a registry answers. OCI distribution-spec 1.1.
 *
 * The plank sees requests and answers, and a store. It opens no socket and no file, so it knows neither HTTP's framing nor
 * where anything lies on the disk.
 */

/** The error codes of the specification, "Error Codes". */
export type ErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS';

/** An answer other than success. The client gets `code`, the message and `detail` as JSON. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly code: ErrorCode;
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: ErrorCode,
    message: string,
    more: { detail?: unknown; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = more.detail;
    this.headers = more.headers ?? {};
  }
}

/**
 * What a client may want to do with a repository. `ping` (is this a registry, and does my login work?) and `catalog` (the list
 * of all repositories) name none: their repository is the empty string.
 */
export type Action = 'pull' | 'push' | 'delete' | 'ping' | 'catalog';

export interface RegistryRequest {
  method: string;
  /** Path and query as they are in the request's line, e.g. `/v2/hostbox/tags/list?n=10`. */
  target: string;
  /** Names are in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** What the client sends, as it arrives. Throws if the client goes away before the end. */
  body: AsyncIterable<Uint8Array>;
  /**
   * Resolves if the client may do this. Called before anything about the repository is told or changed.
   * @throws RequestRefused UNAUTHORIZED, DENIED or UNSUPPORTED
   */
  permit(action: Action, repository: string): Promise<void>;
}

export interface RegistryResponse {
  status: number;
  headers: Record<string, string>;
  /**
   * For HEAD too: the caller leaves it out, and sends the headers alone. A chunk is valid until the next one is asked for.
   */
  body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

/** A document that is stored: its bytes are those that were pushed. */
export interface StoredManifest {
  digest: string;
  mediaType: string;
  bytes: Uint8Array;
}

/** A descriptor as the list of referrers has it. "Listing Referrers" */
export interface Referrer {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** What has to be in the repository before a manifest that refers to it. */
export interface Needed {
  digest: string;
  /** Bytes. */
  size: number;
  kind: 'blob' | 'manifest';
}

export interface NewManifest extends StoredManifest {
  /** The tags that point to it from now on, also if they pointed elsewhere before. */
  tags: string[];
  needs: Needed[];
  /** The manifest that it refers to, which need not exist, and its own entry in the list of that one's referrers. */
  subject?: { digest: string; referrer: Referrer };
}

/** An upload that has begun. Only one caller has it at a time. */
export interface Upload {
  /** Bytes so far: the offset that the next chunk has. */
  readonly size: number;
  /** @throws the error of the disk. */
  append(chunk: Uint8Array): void;
  /**
   * Make it a blob of its repository. The upload ends, whatever happens.
   * @returns false if its bytes have another digest: nothing is stored then.
   */
  finish(digest: string): Promise<boolean>;
  /** The upload ends, and nothing of it is left. */
  cancel(): void;
}

/**
 * Where a registry keeps things. Every change is there as a whole or not at all, also after a crash. All names, tags and
 * digests that it is given are valid.
 */
export interface RegistryStore {
  /** All repositories that have a blob or a manifest, sorted by their bytes. */
  repositories(): string[];
  hasRepository(repository: string): boolean;

  /** Bytes; undefined if this repository does not have the blob, even if another one has. */
  blobSize(repository: string, digest: string): number | undefined;
  /** From the byte `start` up to the byte before `end`. A chunk is valid until the next one is asked for. */
  readBlob(digest: string, start: number, end: number): AsyncIterable<Uint8Array>;
  /** Make a blob of `from` a blob of `to` as well; false if `from` does not have it. No byte is copied. */
  mountBlob(digest: string, from: string, to: string): boolean;
  /** False if there was none. The blob stays in other repositories. */
  deleteBlob(repository: string, digest: string): boolean;

  /** @returns the upload's id, a UUID. `algorithm` is the one that its digest will probably have. */
  beginUpload(repository: string, algorithm: string): string;
  /** Bytes so far; undefined if the repository has no such upload. Does not wait for a chunk that is being written. */
  uploadSize(repository: string, id: string): number | undefined;
  /**
   * Have an upload for oneself: waits until an earlier caller is done with it.
   * @returns what `use` returns; undefined if the repository has no such upload (any more).
   */
  withUpload<T>(repository: string, id: string, use: (upload: Upload) => Promise<T>): Promise<T | undefined>;

  /** By digest or by tag; undefined if the repository has none. */
  manifest(repository: string, reference: string): StoredManifest | undefined;
  /**
   * Store a manifest with its tags and its entry among the referrers. Nothing it needs can go away meanwhile.
   * @returns what it needs and the repository does not have in that size: nothing is stored if there is any.
   */
  putManifest(repository: string, manifest: NewManifest): Promise<Needed[]>;
  /** The manifest, and all tags that point to it; false if there was none. */
  deleteManifest(repository: string, digest: string): boolean;
  deleteTag(repository: string, tag: string): boolean;

  /** Sorted by their bytes. */
  tags(repository: string): string[];
  /**
   * Sorted by their digests, from the first one after `after`, which may be the empty string. Each is read when it is asked
   * for: together they may be larger than the memory.
   */
  referrers(repository: string, subject: string, after: string): AsyncIterable<Referrer>;
}

export interface RegistryPlank {
  /**
   * Answer one request. A RequestRefused becomes an answer; every other error is thrown, and leaves nothing half stored.
   */
  answer(request: RegistryRequest, store: RegistryStore): Promise<RegistryResponse>;
}
