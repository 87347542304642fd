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
import { partsOf } from '../manifest-document.ts';
import type { DiskStore } from './disk-store.ts';
import { digestOfFile, fileName } from './places.ts';
import { entriesOf } from './uploads.ts';

/** Milliseconds: the clock of a file system may be so much behind ours. */
const CLOCK_LAG = 100;

export interface Collected {
  /** Blobs that are gone from the disk, and their bytes. */
  blobs: number;
  bytes: number;
  uploads: number;
}

/**
 * @param age milliseconds: what came, or was asked for, within that time stays.
 * @throws Error when a manifest cannot be read: what it refers to is unknown then, so nothing of its repository goes.
 */
export async function collectGarbage(store: DiskStore, age: number, turn: Pauses = new Turn()): Promise<Collected> {
  const before = Date.now() - Math.max(age, CLOCK_LAG);
  const seen = new Set<string>();
  const stopWatching = store.watch((digest) => seen.add(digest));
  try {
    const directories = entriesOf(store.places.repositories);
    const names = directories.map((directory) => store.places.nameOf(directory));
    const uploads = store.uploads.removeIdle(before, names);
    for (const name of names) await forgetUnused(store, name, { before, seen, turn });
    const swept = await sweep(store, names, { before, seen, turn });
    for (const name of names) removeEmpty(store, name);
    return { ...swept, uploads };
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

/** A repository's links to blobs that its manifests do not name, and its entries for referrers that are gone. */
async function forgetUnused({ places }: DiskStore, name: string, { before, seen, turn }: Round): Promise<void> {
  const used = new Set<string>();
  for (const file of entriesOf(places.all('manifests', name))) {
    await turn.pass();
    const bytes = await readFile(places.blob(digestOfFile(file))).catch(
      goneIfUnlinked(places.manifestLink(name, digestOfFile(file))),
    );
    if (bytes !== undefined) for (const { digest } of partsOf(bytes)) used.add(fileName(digest));
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

/** A manifest that was deleted since it was listed refers to nothing. */
function goneIfUnlinked(link: string): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (error.code !== 'ENOENT' || statSync(link, { throwIfNoEntry: false }) !== undefined) throw error;
    return undefined;
  };
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
