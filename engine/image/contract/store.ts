/** The plank of lab `store`: a store in which everything is named by its content. OCI image-spec, image-layout.md, descriptor.md. */

/** A digest is `sha256:` and 64 digits of `0`–`9` and `a`–`f`. */
export interface Blob {
  digest: string;
  /** Bytes. */
  size: number;
}

/** The store has no such blob. */
export class BlobNotFound extends Error {
  readonly code = 'BLOB_UNKNOWN';
  override readonly name = 'BlobNotFound';
}

/** The bytes do not fit the digest or the size that was expected. */
export class BlobCorrupt extends Error {
  readonly code = 'BLOB_CORRUPT';
  override readonly name = 'BlobCorrupt';
}

/**
 * One blob that is being written. Other writers may be at work at the same time, in this process and in others, also on
 * the same blob. Its functions are called in this order: `write` any number of times, `finish`, `publish`; `abandon` at any time.
 */
export interface BlobWriter {
  /** Bytes written so far. */
  readonly size: number;

  /** Append bytes. @throws Error when the disk takes no more, and after `finish`. */
  write(chunk: Uint8Array): void;

  /**
   * End writing, and compare. May be called again: it answers the same, and compares with the `expected` of that call.
   * @param expected `digest`, `size`, both or neither: what is absent is not compared.
   * @throws BlobCorrupt when digest or size differs from what was expected.
   */
  finish(expected?: Partial<Blob>): Blob;

  /**
   * Called once, after `finish`: write the bytes to the disk so that they survive a power cut (fsync(2) or fdatasync(2)
   * has returned), and only then give the file the name of its digest. If a blob has that name already, it is replaced.
   */
  publish(): Promise<void>;

  /** Give the blob up: no file and no open descriptor is left. May be called again; after `publish` it removes nothing. */
  abandon(): void;
}

export interface StorePlank {
  /**
   * Where the blob of this digest is, or would be: `ROOT/blobs/sha256/DIGITS`, without a look at the disk.
   * @throws Error for everything that is not a digest. Digests come from strangers, and become file names here.
   */
  blobPath(root: string, digest: string): string;

  /**
   * Make `root` an OCI image layout if it is not one yet: the directory `blobs/sha256`, and the file `oci-layout` with
   * `{"imageLayoutVersion":"1.0.0"}`. Directories that are missing, `root` and its parents too, are made.
   *
   * Unfinished blobs whose process has ended are removed. Every other file stays, also the unfinished blobs of processes
   * that are still running, whichever user they run as.
   * @throws Error when `oci-layout` names another version, or is not JSON; the file stays as it is.
   */
  openLayout(root: string): void;

  /** Begin a blob of a layout that `openLayout` has opened. Until `publish`, no file in `blobs` changes. */
  beginBlob(root: string): BlobWriter;

  /**
   * Read a whole blob, and verify its digest. Leaves no descriptor open, whatever happens.
   * @param most bytes. The size is checked before anything is read. A blob of exactly `most` bytes is read.
   * @throws Error for everything that is not a digest; BlobNotFound; BlobCorrupt when its bytes have another digest, or
   *   are more than `most`.
   */
  readBlob(root: string, digest: string, most: number): Promise<Uint8Array>;

  /**
   * Returns the digests in `present` that no root leads to, in the order of `present`.
   *
   * A manifest leads to its `config` and to its `layers`; an index leads to its `manifests`, which are manifests or again
   * indexes. Each of these fields may be absent.
   *
   * A document may be named any number of times: it is followed once. One that is named as a layer in one place and as a
   * manifest in another still leads to what it names.
   * @param present the blobs of the store, each once.
   * @param roots the digests of all manifests and indexes that have a name.
   * @param read returns the bytes of a manifest or an index. It is not asked for an entry of `manifests` that is not
   *   present: an index may name manifests that were never fetched. Configurations and layers are never read.
   * @throws Error when `read` throws or a document is not JSON: what it leads to is then unknown, so nothing is garbage.
   */
  garbage(present: string[], roots: string[], read: (digest: string) => Uint8Array): string[];
}
