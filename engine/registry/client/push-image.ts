/** Pushes out of the images of one engine. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Digest } from '../../image/digest.ts';
import type { ImageRecord, Images } from '../../image/images.ts';
import { formatReference, parseReference, type Reference } from '../../image/reference.ts';
import { BlobCorrupt, type Store } from '../../image/store.ts';
import type { PushDescriptor, PushSource } from '../contract/push.ts';

import type { Credentials } from './credentials.ts';
import { type PushProgress, push } from './push-with-progress.ts';
import type { Registries } from './registries.ts';
import { RegistryError } from './registry-error.ts';

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
    const known = await images.list();
    const pushed = likeliest(known, image, reference);
    const { mediaType, manifest: digest } = pushed;
    const manifest = { mediaType, digest, size: (await images.store.stat(digest)).size };
    const source = sourceOf(images, known, reference);
    // Once connected, the push itself follows `signal`: what it has begun has to be cancelled over this connection.
    const connecting = new AbortController();
    const giveUp = () => connecting.abort(signal?.reason);
    signal?.addEventListener('abort', giveUp);
    try {
      await registries.during(
        reference,
        { use: 'push', credentials, signal: connecting.signal },
        async ({ transport }) => {
          signal?.removeEventListener('abort', giveUp);
          await push({ transport, source, manifest, tag: reference.tag, onProgress, signal });
        },
      );
    } catch (error) {
      // What the registry calls a wrong digest may be a fault of our disk.
      if (error instanceof RegistryError && error.status === 400) await requireSound(images.store, pushed);
      throw error;
    }
    const { domain, path } = reference;
    await images.add(manifest, formatReference({ domain, path, digest }));
    return manifest;
  } finally {
    release();
  }
}

/** Read the layers once more. @throws BlobCorrupt that names the first one whose bytes are not those of its digest. */
async function requireSound(store: Store, { layers }: ImageRecord): Promise<void> {
  for (const { digest } of layers) {
    const hash = createHash('sha256');
    for await (const chunk of await store.stream(digest)) hash.update(chunk as Buffer);
    const found = `sha256:${hash.digest('hex')}`;
    if (found === digest) continue;
    throw new BlobCorrupt(
      `blob ${digest} is damaged on this machine: its bytes have the digest ${found}; pull, load or build the image again`,
    );
  }
}

/**
 * An image may be here with its layers as they are and compressed, under a manifest each. What the repository has is best,
 * then what the registry has, then what came from some registry: nothing need be sent, or the bytes that others know.
 */
function likeliest(known: ImageRecord[], image: ImageRecord, { domain, path }: Reference): ImageRecord {
  const rank = ({ repoDigests }: ImageRecord) => {
    const names = repoDigests.map(parseReference).filter((name) => name.domain === domain);
    if (names.some((name) => name.path === path)) return 3;
    return names.length > 0 ? 2 : Math.min(repoDigests.length, 1);
  };
  const same = known.filter(({ id, manifest }) => id === image.id && manifest !== image.manifest);
  return same.reduce((best, each) => (rank(each) > rank(best) ? each : best), image);
}

function sourceOf({ store }: Images, known: ImageRecord[], { domain, path }: Reference): PushSource {
  const repositories = repositoriesOf(known, domain);
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
function repositoriesOf(known: ImageRecord[], domain: string): Map<string, Set<string>> {
  const repositories = new Map<string, Set<string>>();
  for (const { id, layers, repoDigests } of known)
    for (const name of repoDigests.map(parseReference))
      for (const digest of name.domain === domain ? [id, ...layers.map((layer) => layer.digest)] : [])
        repositories.set(digest, (repositories.get(digest) ?? new Set()).add(name.path));
  return repositories;
}
