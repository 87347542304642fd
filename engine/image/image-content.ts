/** What never changes about an image: read from its manifest and its configuration. OCI image-spec, manifest.md, config.md. */

import type { Digest } from './digest.ts';
import {
  type Descriptor,
  ImageConfig,
  type LayerDescriptor,
  Manifest,
  MEDIA_TYPE,
  parseDocument,
} from './documents.ts';
import { InvalidImage } from './image-errors.ts';
import type { Store } from './store.ts';

export interface ImageContent {
  /** The digest of the configuration. */
  id: Digest;
  manifest: Digest;
  /** Of the manifest. */
  descriptor: Descriptor;
  /** RFC 3339; the epoch when the image does not say. */
  created: string;
  /** Bytes of the layers as they are stored. */
  size: number;
  config: ImageConfig;
  /** The layers' blobs, lowest first, as many as the configuration has diffIDs. */
  layers: LayerDescriptor[];
}

/** @throws BlobNotFound, BlobCorrupt, InvalidDocument, InvalidImage */
export async function readContent(store: Store, digest: Digest): Promise<ImageContent> {
  const bytes = await store.read(digest);
  const manifest = parseDocument(Manifest, bytes, `manifest ${digest}`);
  const id = manifest.config.digest;
  const config = parseDocument(ImageConfig, await store.read(id), `image configuration ${id}`);
  const named = config.rootfs.diff_ids.length;
  if (named !== manifest.layers.length) {
    throw new InvalidImage(
      `image ${id} has ${manifest.layers.length} layers but its configuration names ${named}; pull, load or build it again`,
    );
  }
  return {
    id,
    manifest: digest,
    descriptor: { mediaType: manifest.mediaType ?? MEDIA_TYPE.manifest, digest, size: bytes.length },
    created: config.created ?? '1970-01-01T00:00:00Z',
    size: manifest.layers.reduce((sum, layer) => sum + layer.size, 0),
    config,
    layers: manifest.layers,
  };
}

/**
 * The first of `manifests` that is of the configuration `id` and whole: the same image, whose layers are compressed
 * otherwise. What is damaged is passed over.
 */
export async function sameImage(store: Store, id: Digest, manifests: Digest[]): Promise<Descriptor | undefined> {
  for (const manifest of manifests) {
    try {
      const content = await readContent(store, manifest);
      if (content.id !== id) continue;
      await Promise.all(content.layers.map((layer) => store.stat(layer.digest)));
      const { mediaType, digest, size } = content.descriptor;
      return { mediaType, digest, size };
    } catch {
      // Who asks for that image is told.
    }
  }
  return undefined;
}

/**
 * Topmost first. The kernel refuses a directory that stands twice; the lower one of two equal layers has nothing that
 * the upper one does not bring again.
 */
export function lowerdirs(paths: string[]): string[] {
  return [...new Set(paths.reverse())];
}
