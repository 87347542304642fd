/** Pulls into the images of one engine. */

import { join } from 'node:path';
import { UnexpectedEnd } from '#contract/byte-reader';
import { DecoderError } from '#kernel/decoders';
import * as plank from '#pull';
import { hostPlatform } from '../../image/commit.ts';
import type { Digest } from '../../image/digest.ts';
import type { LayerDescriptor } from '../../image/documents.ts';
import type { Leftovers } from '../../image/garbage.ts';
import type { ImageRecord, Images } from '../../image/images.ts';
import { type KeptLayer, KeptLayers } from '../../image/kept-layers.ts';
import { formatReference, type Reference, withDefaultTag } from '../../image/reference.ts';
import { DiskFull } from '../../image/scratch.ts';
import { BlobCorrupt } from '../../image/store.ts';
import { HostileArchive } from '../../image/tar-header.ts';
import {
  type PullEvent,
  type PulledImage,
  type PullOptions,
  type PullPlatform,
  PullRefused,
  type PullStore,
} from '../contract/pull.ts';
import type { Credentials } from './credentials.ts';
import { LayerDownloads, type LayerEvent } from './layer-downloads.ts';
import { lookAt } from './look.ts';
import type { Registries } from './registries.ts';
import { RegistryError } from './registry-error.ts';
import { listTags } from './tags.ts';

export interface PullRequest {
  reference: Reference;
  /** The host's unless given; given, an image for another is refused. */
  platform?: PullPlatform | undefined;
  credentials?: Credentials;
  /** Ends the pull. What another pull waits for goes on. */
  signal: AbortSignal;
  onEvent?(event: PullEvent): void;
}

export interface Pulled {
  image: ImageRecord;
  /** Of what the reference names: the manifest, or the index that it is in. */
  digest: string;
  /** Whether the name meant this very image before. */
  isUpToDate: boolean;
}

/** Milliseconds before the first new attempt of a download that broke. */
const FIRST_WAIT = 500;
/** Docker's own number. */
const CONCURRENCY = 3;

export class Puller {
  readonly #images: Images;
  readonly #registries: Registries;
  readonly #concurrency: number;
  readonly #firstWait: number;
  readonly #kept: KeptLayers;
  readonly #downloads = new LayerDownloads();

  /** @param options.firstWait milliseconds before the first new attempt of a download that broke. */
  constructor(images: Images, registries: Registries, { firstWait = FIRST_WAIT }: { firstWait?: number } = {}) {
    this.#firstWait = firstWait;
    this.#kept = new KeptLayers(join(images.directory, 'kept-layers'));
    this.#images = images;
    this.#registries = registries;
    this.#concurrency = registries.options.concurrency ?? CONCURRENCY;
  }

  /** @throws RegistryError, DiskFull, or the reason of `signal` */
  async pull(request: PullRequest): Promise<Pulled> {
    const reference = canonical(request.reference);
    const { credentials, signal } = request;
    const release = this.#images.hold();
    const stored = new Parts();
    try {
      const options = { use: 'pull', credentials, signal, isShared: true } as const;
      const pulled = await this.#registries.during(reference, options, async ({ transport }) => {
        const platform = request.platform ?? hostPlatform();
        const tell = request.onEvent ?? (() => {});
        const pulling: PullOptions = {
          transport,
          store: await this.#store(stored, tell),
          reference: reference.digest ?? reference.tag!,
          platform: { ...platform, isAsked: request.platform !== undefined },
          concurrency: this.#concurrency,
          firstWait: this.#firstWait,
          signal,
          onEvent: (event) => {
            if (event.type === 'layers' || event.type === 'done') tell(event);
            else this.#downloads.tell(event);
          },
        };
        return plank.pull(pulling, plank).catch((error: unknown) => {
          throw located(error, reference);
        });
      });
      const named = await this.#name(pulled, reference);
      // Its image has them now.
      this.#drop(stored);
      return named;
    } catch (error) {
      if (!mayGoOn(error, signal)) this.#drop(stored);
      throw error;
    } finally {
      // First: whatever goes wrong below, the space of what is removed later must come back.
      release();
      const old = partsOf(this.#kept.forget('old'));
      const kept = partsOf(this.#kept.list());
      await this.#images.discard(old);
      await this.#images.discard({
        blobs: stored.blobs.filter((digest) => !kept.blobs.includes(digest)),
        diffIds: stored.diffIds.filter((diffId) => !kept.diffIds.includes(diffId)),
      });
    }
  }

  /** What pulls that were broken off have left, which is theirs for a day. */
  kept(): Required<Leftovers> {
    return partsOf(this.#kept.list());
  }

  /** Give up what pulls that were broken off have left. */
  async forget(): Promise<void> {
    await this.#images.discard(partsOf(this.#kept.forget('all')));
  }

  #drop({ blobs }: Parts): void {
    for (const digest of blobs) this.#kept.remove(digest);
  }

  /** @throws RegistryError, or the reason of `signal` */
  async tags({ reference, credentials, signal }: Omit<PullRequest, 'platform' | 'onEvent'>): Promise<string[]> {
    const { domain, path } = reference;
    return this.#registries.during(reference, { use: 'pull', credentials, signal }, ({ transport }) =>
      listTags(transport, { registry: domain, repository: path }, signal),
    );
  }

  /** What a registry has under a name, and for which platforms. @throws RegistryError, or the reason of `signal` */
  async look({ reference, credentials, signal }: Omit<PullRequest, 'platform' | 'onEvent'>) {
    const options = { use: 'pull', credentials, signal } as const;
    return this.#registries.during(reference, options, ({ transport }) =>
      lookAt({ transport, signal }, reference.digest ?? reference.tag!).catch((error) => {
        throw located(error, reference);
      }),
    );
  }

  /** By its tag, if it has one, and by the digest that the registry knows it by. */
  async #name({ named, manifest }: PulledImage, reference: Reference): Promise<Pulled> {
    const { domain, path } = reference;
    const before = await this.#images.find(formatReference(reference)).catch(() => undefined);
    const descriptor = { ...manifest, digest: manifest.digest as Digest };
    let image = await this.#images.add(descriptor, formatReference({ domain, path, digest: named.digest as Digest }));
    if (reference.tag !== undefined) image = await this.#images.add(descriptor, formatReference(reference));
    return { image, digest: named.digest, isUpToDate: before?.id === image.id };
  }

  async #store(stored: Parts, listener: (event: LayerEvent) => void): Promise<PullStore> {
    const images = this.#images;
    const { store } = images;
    const known = new Set((await images.list()).flatMap(({ layers, config }) => pairs(layers, config.rootfs.diff_ids)));
    for (const kept of this.#kept.list()) known.add(`${kept.digest} ${kept.diffId}`);
    return {
      findDocument: async (digest) =>
        (await store.has(digest as Digest)) ? store.read(digest as Digest).catch(() => undefined) : undefined,
      putDocument: async (bytes, { digest, size }) => {
        stored.blobs.push(digest as Digest);
        await store.put(bytes, { digest: digest as Digest, size });
      },
      putLayer: async (wanted, download, signal) => {
        const { size, mediaType } = wanted;
        const digest = wanted.digest as Digest;
        const diffId = wanted.diffId as Digest;
        const expected = { digest, size, diffId };
        stored.blobs.push(digest);
        stored.diffIds.push(diffId);
        let how: 'present' | 'downloaded' = 'downloaded';
        await this.#downloads.get(wanted, signal, listener, async (until) => {
          how = 'present';
          if (await store.has(digest)) {
            const descriptor = { mediaType, digest, size } as LayerDescriptor;
            if (known.has(`${digest} ${diffId}`)) return void (await images.prepareLayers([{ descriptor, diffId }]));
            // That its bytes unpack to this diffID, the registry says; they are looked at once more.
            const here = await images.receiveLayer(await store.stream(digest), expected).catch(unlessCorrupt);
            if (here !== undefined) return;
          }
          how = 'downloaded';
          await images.receiveLayer(download(until), expected).catch((error) => {
            throw isContentError(error)
              ? new PullRefused('protocol', `use the layer ${digest}`, (error as Error).message)
              : error;
          });
          this.#kept.add({ digest, diffId });
        });
        return how;
      },
    };
  }
}

/** What a pull has stored and no image has yet. */
class Parts {
  readonly blobs: Digest[] = [];
  readonly diffIds: Digest[] = [];
}

function partsOf(layers: KeptLayer[]): { blobs: Digest[]; diffIds: Digest[] } {
  return { blobs: layers.map(({ digest }) => digest), diffIds: layers.map(({ diffId }) => diffId) };
}

/** Whether another pull of the same may succeed: then what is complete is worth keeping. */
function mayGoOn(error: unknown, signal: AbortSignal): boolean {
  const passing = ['unreachable', 'server', 'too-many', 'unauthorized'];
  return signal.aborted || (error instanceof RegistryError && passing.includes(error.kind));
}

function pairs(layers: LayerDescriptor[], diffIds: Digest[]): string[] {
  return layers.map(({ digest }, index) => `${digest} ${diffIds[index]}`);
}

/** A tag beside a digest says nothing: the digest is pulled. */
function canonical({ domain, path, tag, digest }: Reference): Reference {
  return withDefaultTag({ domain, path, ...(digest ? { digest } : tag !== undefined && { tag }) });
}

function unlessCorrupt(error: unknown): undefined {
  if (!isContentError(error)) throw error;
}

/** It is the bytes that are wrong, not the disk or the connection. */
function isContentError(error: unknown): boolean {
  return (
    error instanceof BlobCorrupt ||
    error instanceof HostileArchive ||
    error instanceof UnexpectedEnd ||
    error instanceof DecoderError ||
    /^Z_/.test((error as NodeJS.ErrnoException).code ?? '')
  );
}

function located(error: unknown, { domain, path }: Reference): unknown {
  const where = { registry: domain, repository: path };
  if (error instanceof DiskFull) return new RegistryError('disk', { ...where, step: 'store the image' }, error.message);
  if (!(error instanceof PullRefused)) return error;
  return new RegistryError(error.kind, { ...where, step: error.step }, error.message);
}
