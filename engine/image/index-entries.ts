/**
 * Which images a layout holds: the `manifests` of its index.json. image-layout.md, "index.json file".
 *
 * Several processes may name images at the same moment, and a file that is read, changed and written back loses
 * names. So each entry is a file of its own in index.d/, replaced or removed by one atomic call; index.json is their
 * sum, for other tools to read. Whoever changed an entry writes the sum again until it is the sum of what is there,
 * so the last one to write it has it right; `syncIndex` at start covers a writer that was killed in between.
 */

import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf, hexOf } from './digest.ts';
import { Descriptor, MEDIA_TYPE, parseDocument, REF_NAME } from './documents.ts';
import type { Store } from './store.ts';

/** A manifest and, when `reference` is there, one name for it in its complete form. */
export interface IndexEntry {
  descriptor: Descriptor;
  reference?: string;
}

/** Every image has an entry without a name, so that it is still there once its last name has moved on. */
export async function putEntry(store: Store, entry: IndexEntry): Promise<void> {
  await mkdir(directory(store), { recursive: true });
  const { annotations, ...bare } = entry.descriptor;
  const named = { ...bare, annotations: { ...annotations, ...(entry.reference && { [REF_NAME]: entry.reference }) } };
  await store.replaceFile(entryPath(store, entry), JSON.stringify(named));
  await syncIndex(store);
}

/** Absent entries are passed over. */
export async function removeEntry(store: Store, entry: { reference: string } | { manifest: Digest }): Promise<void> {
  await rm(entryPath(store, entry), { force: true });
  await syncIndex(store);
}

/** The entry of one name, in its complete form. */
export async function entryOf(store: Store, reference: string): Promise<IndexEntry | undefined> {
  return readEntry(entryPath(store, { reference }));
}

/** All entries, sorted by file name. */
export async function readEntries(store: Store): Promise<IndexEntry[]> {
  const names = await readdir(directory(store)).catch(whenMissing([]));
  const entries = await Promise.all(names.sort().map((name) => readEntry(join(directory(store), name))));
  return entries.filter((entry) => entry !== undefined);
}

/**
 * Changes whenever an entry does, also by the hand of another process. Undefined while the last change is so recent
 * (ms) that another one might still get the same time stamp.
 */
export async function entriesVersion(store: Store): Promise<string | undefined> {
  const info = await stat(directory(store), { bigint: true }).catch(whenMissing(undefined));
  if (!info) return 'none';
  return Date.now() - Number(info.mtimeMs) > 50 ? `${info.mtimeNs}` : undefined;
}

/** Make index.json the sum of the entries. */
export async function syncIndex(store: Store): Promise<void> {
  const path = join(store.directory, 'index.json');
  for (;;) {
    const sum = indexOf(await readEntries(store));
    if (sum === (await readFile(path, 'utf8').catch(whenMissing('')))) return;
    await store.replaceFile(path, sum);
  }
}

function indexOf(entries: IndexEntry[]): string {
  const named = new Set(entries.filter((entry) => entry.reference).map((entry) => entry.descriptor.digest));
  const manifests = entries
    .filter((entry) => entry.reference || !named.has(entry.descriptor.digest))
    .map(({ descriptor }) => descriptor);
  return `${JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }, null, 2)}\n`;
}

async function readEntry(path: string): Promise<IndexEntry | undefined> {
  const bytes = await readFile(path).catch(whenMissing(undefined));
  if (!bytes) return undefined;
  const descriptor = parseDocument(Descriptor, bytes, path);
  const reference = descriptor.annotations?.[REF_NAME];
  return { descriptor, ...(reference !== undefined && { reference }) };
}

function entryPath(store: Store, entry: IndexEntry | { reference: string } | { manifest: Digest }): string {
  if ('reference' in entry && entry.reference !== undefined) {
    // A name can be longer than a file name may be, and has slashes.
    return join(directory(store), `name-${hexOf(digestOf(entry.reference))}.json`);
  }
  const manifest = 'manifest' in entry ? entry.manifest : (entry as IndexEntry).descriptor.digest;
  return join(directory(store), `manifest-${hexOf(manifest)}.json`);
}

function directory(store: Store): string {
  return join(store.directory, 'index.d');
}

function whenMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return value;
    throw error;
  };
}
