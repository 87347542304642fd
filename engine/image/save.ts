/**
 * Images as one archive that is Docker's and OCI's at the same time, in the form that Docker writes since version 25:
 *
 *     manifest.json              names, configurations and layers, for docker, podman and skopeo (docker-archive)
 *     oci-layout  index.json     the same for tools that read OCI layouts. image-layout.md
 *     blobs/sha256/…             each blob once, as it is stored
 */

import type { Readable } from 'node:stream';
import { type ArchiveEntry, packArchive } from './archive.ts';
import { CONTAINERD_NAME } from './archive-documents.ts';
import { type Digest, hexOf } from './digest.ts';
import { MEDIA_TYPE, REF_NAME } from './documents.ts';
import { blobsOf } from './garbage.ts';
import type { ImageRecord, Images } from './images.ts';
import { formatReference, parseReference } from './reference.ts';

export interface Saved {
  image: ImageRecord;
  /** The tags it has in the archive, in their familiar form. */
  names: string[];
}

/** Everything an archive does not get from the images: the same images are the same archive. */
const MTIME = new Date(0);

/**
 * The archive, as a stream that ends with an error when a blob cannot be read. Nothing of the images is removed before
 * the stream is closed.
 * @throws BlobNotFound when a blob is missing.
 */
export async function saveArchive(images: Images, saved: Saved[]): Promise<Readable> {
  const release = images.hold();
  try {
    const blobs = new Set(saved.flatMap(({ image }) => blobsOf(image)));
    const sizes = new Map<Digest, number>();
    for (const digest of blobs) sizes.set(digest, (await images.store.stat(digest)).size);
    const archive = packArchive(entriesOf(images, saved, sizes));
    return archive.once('close', release);
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * What `references` name, each image once: a name without a tag stands for all tags of that repository, an id for the
 * image without a name.
 * @throws as `Images.find`
 */
export async function imagesToSave(images: Images, references: string[]): Promise<Saved[]> {
  const saved = new Map<Digest, Saved>();
  const add = (image: ImageRecord, names: string[]) => {
    const known = saved.get(image.manifest) ?? { image, names: [] };
    saved.set(image.manifest, { image, names: [...new Set([...known.names, ...names])] });
  };
  for (const reference of references) {
    const repository = repositoryOf(reference);
    const all =
      repository === undefined ? [] : (await images.list()).map((image) => [image, tagsIn(image, repository)] as const);
    const tagged = all.filter(([, tags]) => tags.length > 0);
    for (const [image, tags] of tagged) add(image, tags);
    if (tagged.length > 0) continue;
    const image = await images.find(reference);
    add(
      image,
      image.repoTags.filter((tag) => sameName(tag, reference)),
    );
  }
  return [...saved.values()];
}

function* entriesOf(images: Images, saved: Saved[], sizes: Map<Digest, number>): Generator<ArchiveEntry> {
  const directory = (path: string): ArchiveEntry => ({ path, type: 'directory', mode: 0o755, mtime: MTIME });
  const document = (path: string, content: unknown): ArchiveEntry => ({
    path,
    type: 'file',
    mode: 0o644,
    mtime: MTIME,
    content: JSON.stringify(content),
  });
  yield directory('blobs');
  yield directory('blobs/sha256');
  for (const [digest, size] of [...sizes].sort(([a], [b]) => (a < b ? -1 : 1)))
    yield { path: blobPath(digest), type: 'file', mode: 0o644, mtime: MTIME, source: images.store.path(digest), size };
  yield document('index.json', {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.index,
    manifests: saved.flatMap(({ image, names }) =>
      (names.length > 0 ? names : [undefined]).map((name) => ({
        mediaType: image.mediaType,
        digest: image.manifest,
        size: sizes.get(image.manifest),
        ...(name !== undefined && { annotations: nameAnnotations(name) }),
      })),
    ),
  });
  yield document(
    'manifest.json',
    saved.map(({ image, names }) => ({
      Config: blobPath(image.id),
      RepoTags: names.length > 0 ? names : null,
      Layers: image.layers.map((layer) => blobPath(layer.digest)),
    })),
  );
  yield document('oci-layout', { imageLayoutVersion: '1.0.0' });
}

function nameAnnotations(name: string): Record<string, string> {
  const reference = parseReference(name);
  return { [CONTAINERD_NAME]: formatReference(reference), [REF_NAME]: reference.tag ?? '' };
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** The repository that a name without tag and digest means; undefined for anything else. */
function repositoryOf(reference: string): string | undefined {
  try {
    const parsed = parseReference(reference);
    return parsed.tag === undefined && parsed.digest === undefined ? formatReference(parsed) : undefined;
  } catch {
    return undefined;
  }
}

function tagsIn(image: ImageRecord, repository: string): string[] {
  return image.repoTags.filter((tag) => {
    const { domain, path } = parseReference(tag);
    return formatReference({ domain, path }) === repository;
  });
}

function sameName(tag: string, reference: string): boolean {
  try {
    return formatReference(parseReference(tag)) === formatReference(parseReference(reference));
  } catch {
    return false;
  }
}
