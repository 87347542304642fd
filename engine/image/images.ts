/** All images of one engine, as the container room and the API see them. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, shortId } from './digest.ts';
import type { Descriptor, ImageConfig, LayerDescriptor } from './documents.ts';
import { blobsOf, Garbage, type Leftovers, orphansIn } from './garbage.ts';
import { buildHostbox, HOSTBOX, type HostboxOptions } from './hostbox.ts';
import { type ImageContent, lowerdirs, readContent, sameImage } from './image-content.ts';
import { AmbiguousImage, ImageConflict, ImageNotFound } from './image-errors.ts';
import { IndexCache, type IndexView, putEntry, removeEntry, syncIndex } from './index-entries.ts';
import { Pins } from './pins.ts';
import { type PutLayerOptions, putLayer, type StoredLayer } from './put-layer.ts';
import {
  completeName,
  displayName,
  familiarName,
  familiarReference,
  formatReference,
  InvalidReference,
  parseReference,
  withDefaultTag,
} from './reference.ts';
import { decideRemoval, type ImageUser } from './removal.ts';
import { Snapshots } from './snapshots.ts';
import { Store } from './store.ts';

export interface ImageRecord {
  /** The digest of its configuration. */
  id: Digest;
  /** The digest of its manifest. */
  manifest: Digest;
  /** The media type of its manifest. */
  mediaType: string;
  /** E.g. `hostbox:latest`, sorted; empty for an image whose last name has moved on. */
  repoTags: string[];
  /** E.g. `hostbox@sha256:…`: under which digests registries know it; empty for an image made here. */
  repoDigests: string[];
  /** RFC 3339. */
  created: string;
  /** Bytes of its layers as they are stored. */
  size: number;
  config: ImageConfig;
  /** Its layers' blobs, lowest first, one for each diffID of the configuration. */
  layers: LayerDescriptor[];
  /** Where its layers are unpacked once `prepare` was called: absolute overlay lowerdirs, topmost first. */
  lower: string[];
}

export interface Removed {
  /** Names taken away, as in `repoTags` or `repoDigests`. */
  untagged: string[];
  /** Ids of images that are gone. */
  deleted: Digest[];
}

const ID_PREFIX = /^(?:sha256:)?([0-9a-f]{1,64})$/;

export class Images {
  /** Absolute. */
  readonly directory: string;
  readonly store: Store;
  readonly #snapshots: Snapshots;
  readonly #index: IndexCache;
  readonly #contents = new Map<Digest, Promise<ImageContent>>();
  #hostbox: Promise<ImageRecord> | undefined;
  /** Why there is no hostbox, which says more than that there is none. */
  #hostboxFailure: unknown;
  /** Removing must not look for what is unused while another call is naming it. */
  #changes: Promise<unknown> = Promise.resolve();
  readonly #garbage: Garbage;
  readonly #pins = new Pins();

  private constructor(directory: string, store: Store, snapshots: Snapshots) {
    this.directory = directory;
    this.store = store;
    this.#snapshots = snapshots;
    this.#index = new IndexCache(store);
    this.#garbage = new Garbage(store, snapshots);
  }

  /**
   * Open the images below `directory`, made if missing: `oci/` is an OCI image layout, `snapshots/` its unpacked layers.
   * @throws InvalidDocument when what is there is of another version or damaged.
   */
  static async open(directory: string): Promise<Images> {
    await mkdir(directory, { recursive: true });
    const store = await Store.open(join(directory, 'oci'));
    await syncIndex(store);
    return new Images(directory, store, await Snapshots.open(join(directory, 'snapshots')));
  }

  /**
   * Newest first. An image with damaged or missing documents is left out; `find` tells what is wrong with it. Waits for
   * a hostbox that is being built.
   */
  async list(): Promise<ImageRecord[]> {
    await this.#hostbox?.catch(() => {});
    return this.#listNow();
  }

  /** Bytes of the layers of all images as they are stored, each layer once. */
  async layersSize(): Promise<number> {
    const layers = new Map(
      (await this.#listNow()).flatMap((image) => image.layers.map(({ digest, size }) => [digest, size])),
    );
    return [...layers.values()].reduce((sum, size) => sum + size, 0);
  }

  async #listNow(): Promise<ImageRecord[]> {
    const view = await this.#index.view();
    const records = await Promise.all(
      [...view.namesOf.keys()].map((manifest) => this.#record(manifest, view).catch(() => undefined)),
    );
    return records
      .filter((record) => record !== undefined)
      .sort((a, b) => Date.parse(b.created) - Date.parse(a.created) || (a.id < b.id ? -1 : 1));
  }

  /**
   * @param reference a name, name:tag, name@digest, an id, or the beginning of an id that no other image has. A name
   *   wins over an id. What is not there is waited for while a hostbox is being built.
   * @throws ImageNotFound, AmbiguousImage, InvalidReference, what is wrong with the image's documents, or why a hostbox
   *   could not be built.
   */
  async find(reference: string): Promise<ImageRecord> {
    const named = (await this.#findByName(reference)) ?? (await this.#findAfterBuild(reference));
    if (named) return named;
    const prefix = ID_PREFIX.exec(reference)?.[1];
    const found =
      prefix === undefined ? [] : (await this.list()).filter((image) => image.id.startsWith(`sha256:${prefix}`));
    const ids = new Set(found.map((image) => image.id));
    if (ids.size > 1) throw new AmbiguousImage(reference, [...ids]);
    if (found[0]) return found[0];
    throw new ImageNotFound(
      displayName(reference),
      (await this.list()).flatMap((image) => image.repoTags),
    );
  }

  /**
   * Unpack the layers that are not unpacked yet.
   * @returns the absolute overlay lowerdirs, topmost first.
   * @throws BlobNotFound, BlobCorrupt, HostileArchive
   */
  async prepare(image: ImageRecord): Promise<string[]> {
    const diffIds = image.config.rootfs.diff_ids;
    await Promise.all(
      diffIds.map((diffId, index) => this.#snapshots.prepare(diffId, this.store, image.layers[index]!.digest)),
    );
    return image.lower;
  }

  /**
   * The same for layers that no image has yet, lowest first: hold the images meanwhile.
   * @throws as `prepare`.
   */
  async prepareLayers(layers: { descriptor: LayerDescriptor; diffId: Digest }[]): Promise<string[]> {
    return lowerdirs(
      await Promise.all(
        layers.map(({ descriptor, diffId }) => this.#snapshots.prepare(diffId, this.store, descriptor.digest)),
      ),
    );
  }

  /** The image `hostbox:latest`: as it is, or built now. Callers at the same time share one build. */
  ensureHostbox(options: HostboxOptions = {}): Promise<ImageRecord> {
    this.#hostbox ??= this.#findByName(HOSTBOX)
      .then(async (image) => image ?? this.add(await buildHostbox(this.store, options), HOSTBOX))
      .then(
        (image) => {
          this.#hostboxFailure = undefined;
          return image;
        },
        (error) => {
          this.#hostboxFailure = error;
          throw error;
        },
      )
      .finally(() => {
        this.#hostbox = undefined;
      });
    return this.#hostbox;
  }

  /**
   * Keep everything that is stored now or later, whether an image has it yet or not, until the function that is returned
   * is called (twice is once). A caller that stores the parts of an image one after the other holds from before the first
   * until after `add`; what is removed meanwhile gives its space back at the end of the last hold.
   */
  hold(): () => void {
    const release = this.#garbage.hold();
    return () => {
      if (release()) void this.#change(() => this.#sweep()).catch(() => {});
    };
  }

  /** Delete those that no image has, once nobody holds them: what a load, a pull or a build that failed has stored. */
  discard(leftovers: Leftovers): Promise<void> {
    return this.#change(async () => {
      this.#garbage.discard(leftovers);
      await this.#sweep();
    });
  }

  /** Delete what a killed process has left and no image has, unless one cannot be read: what that has is not known. */
  async collect(kept: Required<Leftovers>): Promise<void> {
    const images = await this.#listNow();
    if (images.length < (await this.#index.view()).namesOf.size) return;
    await this.discard(await orphansIn(this.store, this.#snapshots, images, kept));
  }

  /**
   * Store a layer and unpack it in one pass over its bytes. Hold the images from before this until it belongs to one.
   * @throws as `Snapshots.receive`
   */
  receiveLayer(source: AsyncIterable<Uint8Array>, expected: PutLayerOptions['expected'] = {}): Promise<StoredLayer> {
    return this.#snapshots.receive(this.store, source, { expected });
  }

  /** Store a layer that nobody may ever run: it is unpacked when it is wanted. @throws as `putLayer` */
  storeLayer(source: AsyncIterable<Uint8Array>): Promise<StoredLayer> {
    return putLayer(this.store, source);
  }

  /**
   * Unpack the layers of a manifest that is in the store and that no image has yet, one after the other.
   * @param done told of each layer that is there, by its diffID, with the bytes of its blob.
   * @throws as `prepare` and `add`
   */
  async unpack(manifest: Digest, done: (diffId: Digest, size: number) => void = () => {}): Promise<void> {
    const { config, layers } = await this.#content(manifest);
    for (const [index, layer] of layers.entries()) {
      const diffId = config.rootfs.diff_ids[index]!;
      await this.#snapshots.prepare(diffId, this.store, layer.digest);
      done(diffId, layer.size);
    }
  }

  /**
   * Make an image of a manifest whose blobs are in the store, and name it.
   * @param reference a name with a tag (`latest` if none), or a name with a digest, which becomes a `repoDigest`.
   * @throws BlobNotFound when a blob is missing, InvalidDocument, InvalidImage, InvalidReference.
   */
  add(descriptor: Descriptor, reference?: string): Promise<ImageRecord> {
    return this.#change(async () => {
      const { mediaType, digest, size } = descriptor;
      const bare = { mediaType, digest, size };
      const { id, layers } = await this.#content(digest);
      await Promise.all(layers.map((layer) => this.store.stat(layer.digest)));
      const name = reference === undefined ? undefined : completeName(reference);
      const view = await this.#index.view();
      const known = name?.includes('@')
        ? undefined
        : await sameImage(
            this.store,
            id,
            [...view.namesOf.keys()].filter((each) => each !== digest),
          );
      const kept = known ?? bare;
      if (!known) await putEntry(this.store, { descriptor: bare });
      const before = name === undefined ? undefined : view.manifestOf.get(name);
      if (name !== undefined) await putEntry(this.store, { descriptor: kept, reference: name });
      if (known) await this.#delete(await this.#record(digest, await this.#index.view()));
      const image = await this.#record(kept.digest, await this.#index.view());
      await this.#removeTwin(image, before);
      return image;
    });
  }

  /** Give the image one more name, taken from any other image that has it. @throws as `find` and `parseReference` do. */
  async tag(image: string, reference: string): Promise<void> {
    const parsed = parseReference(reference);
    if (parsed.digest)
      throw new InvalidReference(
        `a tag cannot be made of the digest reference "${reference}"; leave out the "@sha256:…"`,
      );
    const { manifest } = await this.find(image);
    await this.#change(async () => {
      const { descriptor } = await this.#content(manifest);
      await putEntry(this.store, { descriptor, reference: completeName(reference) });
    });
  }

  /**
   * Take a name away; with its last name, or when asked by id, the image goes too, unless it is in use.
   * @param options.force also an image of several names or with containers that do not run.
   * @param options.users the containers that are made of it, asked at the moment that counts.
   * @throws ImageConflict, and as `find` does.
   */
  async remove(
    reference: string,
    { force = false, users = () => [] }: { force?: boolean; users?: (id: Digest) => ImageUser[] } = {},
  ): Promise<Removed> {
    const { manifest } = await this.find(reference);
    return this.#change(async () => {
      const image = await this.#record(manifest, await this.#index.view());
      const shown = displayName(reference);
      const name = [...image.repoTags, ...image.repoDigests].find((each) => each === shown);
      if (this.#pins.isPinned(image.id))
        throw new ImageConflict(`conflict: unable to delete ${shortId(image.id)} - a container is being made of it`);
      const { untag, isDeleted } = decideRemoval(image, { name, force, users: users(image.id) });
      const untagAll = async () => {
        for (const each of untag) await removeEntry(this.store, { reference: completeName(each) });
      };
      if (!isDeleted) await untagAll();
      else
        await this.#pins.duringRemoval(image.id, async () => {
          await untagAll();
          await this.#delete(image);
        });
      return { untagged: untag, deleted: isDeleted ? [image.id] : [] };
    });
  }

  /**
   * Keep an image from being removed until the function that is returned is called: for the time in which something is
   * made of it that `users` cannot tell of yet. @throws ImageNotFound when it is being removed.
   */
  pin(image: ImageRecord): () => void {
    return this.#pins.pin(image.id);
  }

  async #findAfterBuild(reference: string): Promise<ImageRecord | undefined> {
    await this.#hostbox?.catch(() => {});
    if (this.#hostboxFailure !== undefined && displayName(reference) === HOSTBOX) throw this.#hostboxFailure;
    return this.#findByName(reference);
  }

  /** What had the name before goes if it is the same image under another manifest (its layers are compressed otherwise). */
  async #removeTwin(of: ImageRecord, manifest: Digest | undefined): Promise<void> {
    if (manifest === undefined || manifest === of.manifest) return;
    const twin = await this.#record(manifest, await this.#index.view()).catch(() => undefined);
    if (twin?.id === of.id && twin.repoTags.length + twin.repoDigests.length === 0) await this.#delete(twin);
  }

  /** Forget the image, and delete what no other image has of it, once nobody holds that. */
  async #delete(image: ImageRecord): Promise<void> {
    await removeEntry(this.store, { manifest: image.manifest });
    this.#contents.delete(image.manifest);
    this.#garbage.discard({ blobs: blobsOf(image), diffIds: image.config.rootfs.diff_ids });
    await this.#sweep();
  }

  /** For a caller that may change what is there. */
  async #sweep(): Promise<void> {
    if (this.#garbage.isHeld) return;
    await this.#garbage.sweep(await this.#listNow());
  }

  async #findByName(reference: string): Promise<ImageRecord | undefined> {
    let parsed: ReturnType<typeof parseReference>;
    try {
      const { domain, path, digest, tag } = withDefaultTag(parseReference(reference));
      // Beside a digest a tag says nothing.
      parsed = { domain, path, ...(digest ? { digest } : { tag }) };
    } catch (error) {
      // An id is not a name, but it is not a mistake either.
      if (error instanceof InvalidReference && ID_PREFIX.test(reference)) return undefined;
      throw error;
    }
    const view = await this.#index.view();
    const manifest = view.manifestOf.get(formatReference(parsed));
    if (manifest) return this.#record(manifest, view);
    // Also by its own digest, under any of its names.
    const names = (parsed.digest && view.namesOf.get(parsed.digest)) ?? [];
    const known = names.some((name) => familiarName(parseReference(name)) === familiarName(parsed));
    return known && parsed.digest ? this.#record(parsed.digest, view) : undefined;
  }

  async #record(manifest: Digest, { namesOf }: IndexView): Promise<ImageRecord> {
    const { descriptor, ...content } = await this.#content(manifest);
    const references = (namesOf.get(manifest) ?? []).map(parseReference);
    const familiar = (some: typeof references) => some.map(familiarReference).sort();
    return {
      ...content,
      mediaType: descriptor.mediaType,
      repoTags: familiar(references.filter((reference) => !reference.digest)),
      repoDigests: familiar(references.filter((reference) => reference.digest)),
      lower: lowerdirs(content.config.rootfs.diff_ids.map((diffId) => this.#snapshots.path(diffId))),
    };
  }

  /** Read, verified and validated once in the life of this object: what has a digest does not change. */
  #content(manifest: Digest): Promise<ImageContent> {
    let content = this.#contents.get(manifest);
    if (!content) {
      content = readContent(this.store, manifest);
      this.#contents.set(manifest, content);
      content.catch(() => this.#contents.delete(manifest));
    }
    return content;
  }

  #change<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(change);
    this.#changes = result.catch(() => {});
    return result;
  }
}
