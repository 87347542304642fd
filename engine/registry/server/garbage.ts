/**
 * What nothing refers to any more: blobs of a repository that none of its manifests names, blobs that no repository has,
 * uploads that nobody went on with, referrers that were deleted, and directories that are empty.
 *
 * Clients go on pushing meanwhile. Whatever they touch (`store.watch`) is kept this time, and so is what is new: a blob comes
 * before the manifest that names it. Each removal is decided and done in one turn of the event loop.
 */

import { readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Turn } from '../../image/turn.ts';
import type { DiskStore } from './disk-store.ts';
import { partsOf } from './manifest-document.ts';
import { digestOfFile, fileName } from './places.ts';
import { entriesOf } from './uploads.ts';

/** Milliseconds: the clock of a file system may be so much behind ours. */
const CLOCK_LAG = 100;

export interface Collected {
  /** Blobs that are gone from the disk, and their bytes. */
  blobs: number;
  bytes: number;
  uploads: number;
  /** A sentence for each repository that could not be collected. Nothing that it has is removed. */
  faults: string[];
}

/**
 * @param age milliseconds: what came, or was asked for, within that time stays.
 * A manifest that cannot be read is a fault: what it refers to is unknown, so its repository keeps everything.
 * @throws Error if a directory cannot be listed, or a file cannot be removed
 */
export async function collectGarbage(store: DiskStore, age: number, turn: Pauses = new Turn()): Promise<Collected> {
  const before = Date.now() - Math.max(age, CLOCK_LAG);
  const seen = new Set<string>();
  const stopWatching = store.watch((digest) => seen.add(digest));
  try {
    const directories = entriesOf(store.places.repositories);
    const names = directories.map((directory) => store.places.nameOf(directory));
    const uploads = store.uploads.removeIdle(before, names);
    const faults: string[] = [];
    for (const name of names) {
      const unreadable = await forgetUnused(store, name, { before, seen, turn });
      if (unreadable !== undefined) faults.push(`repository ${name}: ${unreadable}`);
    }
    const swept = await sweep(store, names, { before, seen, turn });
    for (const name of names) removeEmpty(store, name);
    return { ...swept, uploads, faults };
  } finally {
    stopWatching();
  }
}

/** Where clients get their turn. */
interface Pauses {
  pass(): Promise<void>;
}

interface Round {
  /** Milliseconds since 1970. */
  before: number;
  /** Digests that clients have touched since the round began. */
  seen: ReadonlySet<string>;
  turn: Pauses;
}

/**
 * Removes a repository's links to blobs that its manifests do not name, and its entries for referrers that are gone.
 * @returns why nothing was removed, if a manifest cannot be read
 */
async function forgetUnused(
  { places }: DiskStore,
  name: string,
  { before, seen, turn }: Round,
): Promise<string | undefined> {
  const used = new Set<string>();
  for (const digest of entriesOf(places.all('manifests', name)).map(digestOfFile)) {
    await turn.pass();
    try {
      for (const part of partsOf(await readFile(places.blob(digest)))) used.add(fileName(part.digest));
    } catch (error) {
      // A manifest that was deleted since it was listed refers to nothing.
      if (statSync(places.manifestLink(name, digest), { throwIfNoEntry: false }) === undefined) continue;
      const { code, message } = error as NodeJS.ErrnoException;
      const what = code === 'ENOENT' ? 'is missing' : `cannot be read: ${message}`;
      return `manifest ${digest} ${what}, so nothing of it was removed. Push it again, or delete it.`;
    }
  }
  for (const file of entriesOf(places.all('blobs', name))) {
    await turn.pass();
    if (!used.has(file) && !seen.has(digestOfFile(file))) removeOld(join(places.all('blobs', name), file), before);
  }
  const referrers = places.all('referrers', name);
  for (const subject of entriesOf(referrers)) {
    for (const file of entriesOf(join(referrers, subject))) {
      await turn.pass();
      const link = places.manifestLink(name, digestOfFile(file));
      if (statSync(link, { throwIfNoEntry: false }) === undefined)
        rmSync(join(referrers, subject, file), { force: true });
    }
  }
}

/** The blobs that no repository has. */
async function sweep({ places }: DiskStore, names: string[], { before, seen, turn }: Round) {
  const linked = new Set<string>();
  for (const name of names) {
    await turn.pass();
    for (const kind of ['blobs', 'manifests'] as const)
      for (const file of entriesOf(places.all(kind, name))) linked.add(digestOfFile(file));
  }
  let [blobs, bytes] = [0, 0];
  for (const algorithm of ['sha256', 'sha512']) {
    for (const hex of entriesOf(places.blobs(algorithm))) {
      await turn.pass();
      const digest = `${algorithm}:${hex}`;
      if (linked.has(digest) || seen.has(digest)) continue;
      const size = removeOld(places.blob(digest), before);
      if (size === undefined) continue;
      blobs += 1;
      bytes += size;
    }
  }
  return { blobs, bytes };
}

/** @returns the size of the file that was removed; undefined if it stays */
function removeOld(path: string, before: number): number | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.mtimeMs >= before) return undefined;
  rmSync(path, { force: true });
  return stat.size;
}

/** From the inside out; what has something in it stays. */
function removeEmpty({ places }: DiskStore, name: string): void {
  const referrers = places.all('referrers', name);
  for (const subject of entriesOf(referrers)) removeIfEmpty(join(referrers, subject));
  for (const kind of ['blobs', 'manifests', 'tags', 'referrers', 'uploads'] as const)
    removeIfEmpty(places.all(kind, name));
  removeIfEmpty(places.repository(name));
}

function removeIfEmpty(directory: string): void {
  try {
    if (readdirSync(directory).length === 0) rmdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
