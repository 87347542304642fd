/** Lab `store`: a store in which everything is named by its content. OCI image-spec, image-layout.md and descriptor.md. */

import { NotImplemented } from '#contract/not-implemented';
import type { BlobWriter } from '#contract/store';

/**
 * Task 1. Where the blob of this digest is, or would be: `blobs/sha256/DIGITS` below `root`.
 *
 * A digest is `sha256:` and 64 lower-case hexadecimal digits, and nothing else.
 * @throws Error for what is no digest. Digests come from strangers, and become file names here.
 */
export function blobPath(_root: string, _digest: string): string {
  throw new NotImplemented('store', 1);
}

/**
 * Task 2. Make `root` an OCI image layout where it is none: the directory `blobs/sha256`, and the file `oci-layout`, which says
 * `{"imageLayoutVersion":"1.0.0"}`.
 *
 * What is in it stays. What processes that have ended were writing is removed, what others are still writing is not: it is
 * for you to say where such files are and what they are called.
 * @throws Error when there is a layout of another version.
 */
export function openLayout(_root: string): void {
  throw new NotImplemented('store', 2);
}

/**
 * Task 2. Begin a blob of a layout that is open. The comments of `BlobWriter` in `#contract/store` say what its functions do.
 *
 * Others may be writing at the same time, also the same blob. Until it is published, no file in `blobs` is touched.
 * Task 3. `finish` throws BlobCorrupt when the bytes are not what was expected.
 */
export function beginBlob(_root: string): BlobWriter {
  throw new NotImplemented('store', 2);
}

/**
 * Task 3. Read a whole blob, verified.
 * @param _most bytes: a larger one is refused before it is read.
 * @throws BlobNotFound; BlobCorrupt when its bytes have another digest, or are more than `most`. Both are in `#contract/store`.
 */
export function readBlob(_root: string, _digest: string, _most: number): Promise<Uint8Array> {
  throw new NotImplemented('store', 3);
}

/**
 * Task 4. Which of the blobs `present` no image has.
 *
 * An image has its manifest, and what that names as `config` and in its list `layers`; an index has what is in its list
 * `manifests`, indexes among them. Whatever is named is a descriptor: `{ "mediaType": …, "digest": "sha256:…", "size": … }`.
 * @param _roots the digests of all manifests and indexes that have a name.
 * @param _read the bytes of a document. When it throws, for a root or for what it leads to, so does this: as long as nobody
 *   knows what a document has, nothing is garbage. An index may name manifests that are not present: they are passed over.
 * @returns in the order of `present`.
 */
export function garbage(_present: string[], _roots: string[], _read: (digest: string) => Uint8Array): string[] {
  throw new NotImplemented('store', 4);
}
