/** The plank of lab `store`: a store in which everything is named by its content. OCI image-spec, image-layout.md, descriptor.md. */

/** Digests are `sha256:` and 64 lower-case hexadecimal digits. */
export interface Blob {
  digest: string;
  /** Bytes. */
  size: number;
}

/** There is no such blob. */
export class BlobNotFound extends Error {
  readonly code = 'BLOB_UNKNOWN';
  override readonly name = 'BlobNotFound';
}

/** Bytes that are not what their digest or size says. */
export class BlobCorrupt extends Error {
  readonly code = 'BLOB_CORRUPT';
  override readonly name = 'BlobCorrupt';
}

/** One blob on its way into the store. Others may be writing at the same time, also the same blob. */
export interface BlobWriter {
  /** Bytes so far. */
  readonly size: number;

  /** @throws the error of the disk. */
  write(chunk: Uint8Array): void;

  /**
   * Everything is written; nothing can be added any more. Asked again it answers the same.
   * @param expected what it had to be. @throws BlobCorrupt when it is not.
   */
  finish(expected?: Partial<Blob>): Blob;

  /** After `finish`: make the bytes last a power cut, and only then give them their name. */
  publish(): Promise<void>;

  /** Nothing of it is left, unless it was published. */
  abandon(): void;
}

export interface StorePlank {
  /**
   * Where the blob of this digest is, or would be: `blobs/sha256/DIGITS` below `root`.
   * @throws Error for what is no digest. Digests come from strangers, and become file names here.
   */
  blobPath(root: string, digest: string): string;

  /**
   * Make `root` an OCI image layout where it is none: `blobs/sha256`, and the file `oci-layout`, which says
   * `{"imageLayoutVersion":"1.0.0"}`. What is in it stays. What processes that have ended were writing is removed, what
   * others are still writing is not.
   * @throws Error when there is a layout of another version.
   */
  openLayout(root: string): void;

  /** Begin a blob of a layout that is open. Until it is published no file in `blobs` is touched. */
  beginBlob(root: string): BlobWriter;

  /**
   * Read a whole blob, verified.
   * @param most bytes: a larger one is refused before it is read.
   * @throws BlobNotFound; BlobCorrupt when its bytes have another digest, or are more than `most`.
   */
  readBlob(root: string, digest: string, most: number): Promise<Uint8Array>;

  /**
   * Which of the blobs `present` no image has. An image has its manifest, and what that names as `config` and `layers`; an
   * index has what it names as `manifests`, indexes among them.
   * @param roots the digests of all manifests and indexes that have a name.
   * @param read the bytes of a document. @throws what `read` throws for a root or what it leads to: as long as nobody knows
   *   what a document has, nothing is garbage. An index may name manifests that are not present; they are passed over.
   * @returns in the order of `present`.
   */
  garbage(present: string[], roots: string[], read: (digest: string) => Uint8Array): string[];
}
