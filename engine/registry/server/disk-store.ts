/**
 * The store of a registry on disk.
 *
 * What has to be read and changed in one step is done in one turn of the event loop, with nothing awaited in between: the
 * server is one process, and holds its directory locked against others. Whatever appears does so by rename, so a crash
 * leaves a file whole or not there. The order makes the rest: a blob before its link, a manifest before its tags.
 */

import { closeSync, constants, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Needed, NewManifest, Referrer, RegistryStore, StoredManifest, Upload } from '#contract/registry';
import { openLayout } from '#store';
import { explainFullDisk, scratchPath } from '../../image/scratch.ts';
import { Turn } from '../../image/turn.ts';
import { blobRange } from './blob-range.ts';
import { isDigest } from './names.ts';
import { digestOfFile, Places } from './places.ts';
import { entriesOf, openInDirectory, Uploads } from './uploads.ts';

/** Milliseconds. */
const TOUCH_AFTER = 3600_000;

export class DiskStore implements RegistryStore {
  readonly places: Places;
  readonly uploads: Uploads;
  readonly #watchers = new Set<(digest: string) => void>();

  /** @throws Error when the directory cannot be made, or holds an image layout of another version. */
  constructor(directory: string) {
    this.places = new Places(directory);
    openLayout(directory);
    mkdirSync(this.places.blobs('sha512'), { recursive: true });
    mkdirSync(this.places.repositories, { recursive: true });
    this.uploads = new Uploads(this.places, (repository, digest) => this.#link(repository, digest));
  }

  /** Be told of each blob that a client asks for, pushes, mounts or needs, in that very turn. @returns the way to end it */
  watch(watcher: (digest: string) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  repositories(): string[] {
    return entriesOf(this.places.repositories)
      .map((directory) => this.places.nameOf(directory))
      .filter((name) => this.hasRepository(name))
      .sort();
  }

  hasRepository(repository: string): boolean {
    return exists(this.places.all('blobs', repository)) || exists(this.places.all('manifests', repository));
  }

  blobSize(repository: string, digest: string): number | undefined {
    const link = this.places.blobLink(repository, digest);
    const stat = statSync(link, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    for (const watcher of this.#watchers) watcher(digest);
    // A client that learns that it is here does not push it again: to garbage collection it is as good as new.
    if (Date.now() - stat.mtimeMs > TOUCH_AFTER) renew(link);
    return sizeOf(this.places.blob(digest));
  }

  readBlob(digest: string, start: number, end: number): AsyncIterable<Uint8Array> {
    return blobRange(this.places.blob(digest), start, end);
  }

  mountBlob(digest: string, from: string, to: string): boolean {
    if (this.blobSize(from, digest) === undefined) return false;
    this.#link(to, digest);
    return true;
  }

  deleteBlob(repository: string, digest: string): boolean {
    return removed(this.places.blobLink(repository, digest));
  }

  beginUpload(repository: string, algorithm: string): string {
    return this.uploads.begin(repository, algorithm);
  }

  uploadSize(repository: string, id: string): number | undefined {
    return this.uploads.size(repository, id);
  }

  withUpload<T>(repository: string, id: string, use: (upload: Upload) => Promise<T>): Promise<T | undefined> {
    return this.uploads.use(repository, id, use);
  }

  manifest(repository: string, reference: string): StoredManifest | undefined {
    const digest = reference.includes(':') ? reference : textOf(this.places.tag(repository, reference));
    if (digest === undefined || !isDigest(digest)) return undefined;
    const mediaType = textOf(this.places.manifestLink(repository, digest));
    const bytes = unlessMissing(() => readFileSync(this.places.blob(digest)));
    // Also if only its blob is missing: the client can push it again.
    return mediaType === undefined || bytes === undefined ? undefined : { digest, mediaType, bytes };
  }

  async putManifest(repository: string, manifest: NewManifest): Promise<Needed[]> {
    const { digest, mediaType, bytes, needs, tags, subject } = manifest;
    const { places } = this;
    // Everything is on the disk before the first name appears.
    const parts: [place: string, content: Uint8Array | string][] = [
      [places.blob(digest), bytes],
      [places.manifestLink(repository, digest), mediaType],
      ...(subject === undefined ? [] : [this.#referrerPart(repository, digest, subject)]),
      ...[...new Set(tags)].map((tag): [string, string] => [places.tag(repository, tag), digest]),
    ];
    const written: string[] = [];
    try {
      const scratch = await everyOne(parts.map(([, content]) => this.#write(content, written)));
      const missing = needs.filter((need) => !this.#has(repository, need));
      if (missing.length > 0) return missing;
      parts.forEach(([place], at) => {
        moveTo(scratch[at]!, place);
      });
    } catch (error) {
      throw explainFullDisk(error, places.root);
    } finally {
      for (const path of written) rmSync(path, { force: true });
    }
    await everyOne(this.#directories(repository, parts).map(syncDirectory));
    return [];
  }

  /** Those that have got names since the first blob of a manifest was pushed. */
  #directories(repository: string, parts: [place: string, content: unknown][]): string[] {
    const { places } = this;
    const blobs = [places.blobs('sha256'), places.blobs('sha512'), places.all('blobs', repository)];
    const above = [places.repository(repository), places.repositories];
    return [...new Set([...blobs, ...parts.map(([place]) => dirname(place)), ...above])];
  }

  #referrerPart(
    repository: string,
    digest: string,
    { digest: subject, referrer }: NonNullable<NewManifest['subject']>,
  ): [place: string, content: string] {
    return [this.places.referrer(repository, subject, digest), JSON.stringify(referrer)];
  }

  #has(repository: string, { digest, size, kind }: Needed): boolean {
    if (kind === 'blob') return this.blobSize(repository, digest) === size;
    return exists(this.places.manifestLink(repository, digest)) && sizeOf(this.places.blob(digest)) === size;
  }

  deleteManifest(repository: string, digest: string): boolean {
    const { places } = this;
    if (!exists(places.manifestLink(repository, digest))) return false;
    for (const tag of this.tags(repository)) {
      if (textOf(places.tag(repository, tag)) === digest) rmSync(places.tag(repository, tag), { force: true });
    }
    return removed(places.manifestLink(repository, digest));
  }

  deleteTag(repository: string, tag: string): boolean {
    return removed(this.places.tag(repository, tag));
  }

  tags(repository: string): string[] {
    return entriesOf(this.places.all('tags', repository));
  }

  async *referrers(repository: string, subject: string, after: string): AsyncGenerator<Referrer> {
    const turn = new Turn();
    for (const digest of entriesOf(this.places.referrers(repository, subject)).map(digestOfFile)) {
      if (digest <= after) continue;
      await turn.pass();
      // What was deleted stays on the list until garbage is collected.
      if (!exists(this.places.manifestLink(repository, digest))) continue;
      const text = textOf(this.places.referrer(repository, subject, digest));
      if (text !== undefined) yield JSON.parse(text) as Referrer;
    }
  }

  /** The client is told that the blob is here from now on: a link that is there already is as good as new. */
  #link(repository: string, digest: string): void {
    for (const watcher of this.#watchers) watcher(digest);
    // open(2): O_TRUNC sets the time of a file, also if it is empty already.
    closeSync(openInDirectory(this.places.blobLink(repository, digest), 'w'));
  }

  async #write(content: Uint8Array | string, written: string[]): Promise<string> {
    const path = scratchPath(this.places.scratch);
    written.push(path);
    const file = await open(path, 'wx', 0o644);
    try {
      await file.writeFile(content);
      await file.datasync();
    } finally {
      await file.close();
    }
    return path;
  }
}

/** Unlike Promise.all, it waits for all of them before it throws: nothing goes on behind the caller's back. */
async function everyOne<T>(work: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

function moveTo(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(to), { recursive: true });
    renameSync(from, to);
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

/** A hint, so it does not matter on a disk that cannot be written to. */
function renew(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {}
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function removed(path: string): boolean {
  const there = exists(path);
  rmSync(path, { force: true });
  return there;
}

function textOf(path: string): string | undefined {
  return unlessMissing(() => readFileSync(path, 'utf8'));
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Make new names last a power cut. fsync(2): a file's own fsync does not cover its name. */
async function syncDirectory(directory: string): Promise<void> {
  const file = await open(directory, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  try {
    await file?.sync();
  } finally {
    await file?.close();
  }
}
