/** Pushes out of the images of one engine. */

import { createReadStream } from 'node:fs';
import type { Digest } from '../image/digest.ts';
import type { ImageRecord, Images } from '../image/images.ts';
import { formatReference, parseReference, type Reference } from '../image/reference.ts';
import { BlobCorrupt } from '../image/store.ts';
import type { Credentials } from './client/credentials.ts';
import type { Registries } from './client/registries.ts';
import type { PushDescriptor, PushProgress, PushSource } from './contract/push.ts';
import { push } from './push.ts';

export interface ImagePush {
  images: Images;
  registries: Registries;
  /** The name that it gets, with a tag. */
  reference: Reference;
  image: ImageRecord;
  credentials?: Credentials;
  onProgress?: (progress: PushProgress) => void;
  signal?: AbortSignal;
}

/** Bytes that are read from the disk at once. */
const READ_SIZE = 1024 * 1024;

/**
 * Push the image, with the bytes that its layers are stored with, and remember under which digest the registry has it.
 * @returns its manifest.
 * @throws RegistryError, PushError, BlobNotFound, BlobCorrupt, or the reason of `signal`
 */
export async function pushImage({
  images,
  registries,
  reference,
  image,
  credentials,
  onProgress,
  signal,
}: ImagePush): Promise<PushDescriptor> {
  // What is removed meanwhile stays until it was sent.
  const release = images.hold();
  try {
    const { size } = await images.store.stat(image.manifest);
    const manifest = { mediaType: image.mediaType, digest: image.manifest, size };
    const source = await sourceOf(images, reference);
    await registries.during(reference, { use: 'push', credentials, signal }, ({ transport }) =>
      push({ transport, source, manifest, tag: reference.tag, onProgress, signal }),
    );
    const { domain, path } = reference;
    await images.add(manifest, formatReference({ domain, path, digest: image.manifest }));
    return manifest;
  } finally {
    release();
  }
}

async function sourceOf(images: Images, { domain, path }: Reference): Promise<PushSource> {
  const { store } = images;
  const repositories = await repositoriesOf(images, domain);
  return {
    document: (digest) => store.read(digest as Digest),
    mounts: (digest) => [...(repositories.get(digest) ?? [])].filter((each) => each !== path),
    read: async function* (digest, from, length) {
      const { size } = await store.stat(digest as Digest);
      if (size < from + length)
        throw new BlobCorrupt(`blob ${digest} is damaged: it has ${size} bytes only; pull or load the image again`);
      const options = { start: from, end: from + length - 1, highWaterMark: READ_SIZE };
      yield* createReadStream(store.path(digest as Digest), options);
    },
  };
}

/** In which repositories of a registry each blob was when we last heard: we have pulled it from there, or pushed it there. */
async function repositoriesOf(images: Images, domain: string): Promise<Map<string, Set<string>>> {
  const repositories = new Map<string, Set<string>>();
  for (const { id, layers, repoDigests } of await images.list())
    for (const name of repoDigests.map(parseReference))
      for (const digest of name.domain === domain ? [id, ...layers.map((layer) => layer.digest)] : [])
        repositories.set(digest, (repositories.get(digest) ?? new Set()).add(name.path));
  return repositories;
}
