/** All images of one engine, as the container room and the API see them. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, shortId } from './digest.ts';
import type { Descriptor, ImageConfig, LayerDescriptor } from './documents.ts';
import { Garbage } from './garbage.ts';
import { buildHostbox, HOSTBOX, type HostboxOptions } from './hostbox.ts';
import { type ImageContent, readContent } from './image-content.ts';
import { AmbiguousImage, ImageConflict, ImageNotFound } from './image-errors.ts';
import { IndexCache, type IndexView, putEntry, removeEntry, syncIndex } from './index-entries.ts';
import {
  familiarName,
  familiarReference,
  formatReference,
  InvalidReference,
  parseReference,
  withDefaultTag,
} from './reference.ts';
import { Snapshots } from './snapshots.ts';
import { Store } from './store.ts';

export interface ImageRecord {
  /** The digest of its configuration. */
  id: Digest;
  /** The digest of its manifest. */
  manifest: Digest;
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

  private constructor(store: Store, snapshots: Snapshots) {
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
    return new Images(store, await Snapshots.open(join(directory, 'snapshots')));
  }

  /**
   * Newest first. An image with damaged or missing documents is left out; `find` tells what is wrong with it. Waits for
   * a hostbox that is being built.
   */
  async list(): Promise<ImageRecord[]> {
    await this.#hostbox?.catch(() => {});
    return this.#listNow();
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
   * is called (twice is once). Whoever stores the parts of an image one after the other holds from before the first
   * until after `add`; what is removed meanwhile gives its space back at the end of the last hold.
   */
  hold(): () => void {
    const release = this.#garbage.hold();
    return () => {
      if (release()) void this.#change(() => this.#sweep()).catch(() => {});
    };
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
      const { layers } = await this.#content(digest);
      await Promise.all(layers.map((layer) => this.store.stat(layer.digest)));
      await putEntry(this.store, { descriptor: bare });
      if (reference !== undefined) await putEntry(this.store, { descriptor: bare, reference: completeName(reference) });
      return this.#record(digest, await this.#index.view());
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
   * Take a name away; with its last name, or when asked by id, the image goes too. Whether containers use it is for
   * the caller to ask first.
   * @param options.force also by an id that has several names.
   * @param options.keepLayers leave the data in place, for containers that still run on it.
   * @throws ImageConflict, and as `find` does.
   */
  async remove(reference: string, options: { force?: boolean; keepLayers?: boolean } = {}): Promise<Removed> {
    const image = await this.find(reference);
    return this.#change(async () => {
      const names = [...image.repoTags, ...image.repoDigests];
      const name = names.find((each) => each === displayName(reference));
      const stays = name !== undefined && image.repoTags.some((tag) => tag !== name);
      if (name === undefined && image.repoTags.length > 1 && !options.force) {
        throw new ImageConflict(
          `conflict: unable to delete ${shortId(image.id)} (must be forced) - image has the names ${image.repoTags.join(', ')}`,
        );
      }
      const untagged = stays ? [name] : names;
      for (const each of untagged) await removeEntry(this.store, { reference: completeName(each) });
      if (stays) return { untagged, deleted: [] };
      await removeEntry(this.store, { manifest: image.manifest });
      if (!options.keepLayers) await this.#discard(image);
      return { untagged, deleted: [image.id] };
    });
  }

  async #findAfterBuild(reference: string): Promise<ImageRecord | undefined> {
    await this.#hostbox?.catch(() => {});
    if (this.#hostboxFailure !== undefined && displayName(reference) === HOSTBOX) throw this.#hostboxFailure;
    return this.#findByName(reference);
  }

  /** Delete the blobs and snapshots of an image that no other image has, once nobody holds them. */
  async #discard(image: ImageRecord): Promise<void> {
    this.#contents.delete(image.manifest);
    this.#garbage.discard(image);
    await this.#sweep();
  }

  /** For whoever may change what is there. */
  async #sweep(): Promise<void> {
    if (this.#garbage.isHeld) return;
    await this.#garbage.sweep(await this.#listNow());
  }

  async #findByName(reference: string): Promise<ImageRecord | undefined> {
    let parsed: ReturnType<typeof parseReference>;
    try {
      parsed = withDefaultTag(parseReference(reference));
    } catch (error) {
      // An id is no name, but is no mistake either.
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
    const { descriptor: _, ...content } = await this.#content(manifest);
    const references = (namesOf.get(manifest) ?? []).map(parseReference);
    const familiar = (some: typeof references) => some.map(familiarReference).sort();
    return {
      ...content,
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

/** For the store: with its domain and its tag. */
function completeName(reference: string): string {
  return formatReference(withDefaultTag(parseReference(reference)));
}

/** As `repoTags` has it; what is no name (an id) stays as it is. */
function displayName(reference: string): string {
  try {
    return familiarReference(withDefaultTag(parseReference(reference)));
  } catch {
    return reference;
  }
}

/**
 * Topmost first. The kernel refuses a directory that stands twice; the lower one of two equal layers has nothing that
 * the upper one does not bring again.
 */
function lowerdirs(paths: string[]): string[] {
  return [...new Set(paths.reverse())];
}
