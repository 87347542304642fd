/** Lab `store`: a store in which everything is named by its content. OCI image-spec, image-layout.md and descriptor.md. */

import { NotImplemented } from '#contract/not-implemented';
import type { BlobWriter } from '#contract/store';

/**
 * Task 1. Where the blob of this digest is, or would be: `ROOT/blobs/sha256/DIGITS`, without a look at the disk.
 *
 * A digest is `sha256:` and 64 digits of `0`–`9` and `a`–`f`, and nothing before or after them.
 * @throws Error for everything that is not a digest. Digests come from strangers, and become file names here.
 */
export function blobPath(_root: string, _digest: string): string {
  throw new NotImplemented('store', 1);
}

/**
 * Task 2. Make `root` an OCI image layout if it is not one yet: the directory `blobs/sha256`, and the file `oci-layout`
 * with `{"imageLayoutVersion":"1.0.0"}`. Directories that are missing, `root` and its parents too, are made.
 *
 * Unfinished blobs whose process has ended are removed. Every other file stays, also the unfinished blobs of processes
 * that are still running, whichever user they run as. You decide where unfinished blobs lie below `root` and what they are called.
 * @throws Error when `oci-layout` names another version, or is not JSON; the file stays as it is.
 */
export function openLayout(_root: string): void {
  throw new NotImplemented('store', 2);
}

/**
 * Task 2. Begin a blob of a layout that `openLayout` has opened. What the writer's functions do is said at `BlobWriter` in
 * `#contract/store`.
 *
 * Other writers may be at work at the same time, in this process and in others, also on the same blob. Until `publish`,
 * no file in `blobs` changes.
 * Task 3. `finish` throws BlobCorrupt when the bytes are not what was expected.
 */
export function beginBlob(_root: string): BlobWriter {
  throw new NotImplemented('store', 2);
}

/**
 * Task 3. Read a whole blob, and verify its digest. Leaves no descriptor open, whatever happens.
 * @param _most bytes. The size is checked before anything is read. A blob of exactly `most` bytes is read.
 * @throws Error for everything that is not a digest; BlobNotFound; BlobCorrupt when its bytes have another digest, or are
 *   more than `most`. Both errors are classes of `#contract/store`.
 */
export function readBlob(_root: string, _digest: string, _most: number): Promise<Uint8Array> {
  throw new NotImplemented('store', 3);
}

/**
 * Task 4. Returns the digests in `present` that no root leads to, in the order of `present`.
 *
 * A manifest leads to its `config` and to its `layers`; an index leads to its `manifests`, which are manifests or again
 * indexes. Each of these fields may be absent. Each of their entries is a descriptor:
 * `{ "mediaType": …, "digest": "sha256:…", "size": … }`.
 *
 * A document may be named any number of times: follow it once. One that is named as a layer in one place and as a manifest
 * in another still leads to what it names.
 * @param _present the blobs of the store, each once.
 * @param _roots the digests of all manifests and indexes that have a name.
 * @param _read returns the bytes of a manifest or an index. Do not ask it for an entry of `manifests` that is not present:
 *   an index may name manifests that were never fetched. Configurations and layers are never read.
 * @throws Error when `read` throws or a document is not JSON: what it leads to is then unknown, so nothing is garbage.
 */
export function garbage(_present: string[], _roots: string[], _read: (digest: string) => Uint8Array): string[] {
  throw new NotImplemented('store', 4);
}
