/**
 * Which images a layout holds: the `manifests` of its index.json. image-layout.md, "index.json file".
 *
 * Several processes may name images at the same moment, and a file that is read, changed and written back loses
 * names. So each entry is a file of its own in index.d/, replaced or removed by one atomic call; index.json is their
 * sum, for other tools to read. A process that changed an entry writes the sum again until it is the sum of what is there,
 * so the last one to write it has it right; `syncIndex` at start covers a writer that was killed in between.
 */

import { readFileSync } from 'node:fs';
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
  // What the image was called where it came from is not what it is called here.
  const { [REF_NAME]: _, ...annotations } = entry.descriptor.annotations ?? {};
  const named = {
    ...entry.descriptor,
    annotations: { ...annotations, ...(entry.reference && { [REF_NAME]: entry.reference }) },
  };
  store.syncNames();
  store.replaceFile(entryPath(store, entry), JSON.stringify(named));
  await syncIndex(store);
}

/** Absent entries are passed over. */
export async function removeEntry(store: Store, entry: { reference: string } | { manifest: Digest }): Promise<void> {
  await rm(entryPath(store, entry), { force: true });
  await syncIndex(store);
}

/** All entries, sorted by file name. */
export async function readEntries(store: Store): Promise<IndexEntry[]> {
  const names = await readdir(directory(store)).catch(whenMissing([]));
  // Thousands of tiny files: a thread for each would cost ten times the reading.
  return names.sort().flatMap((name) => readEntry(join(directory(store), name)) ?? []);
}

/** The same entries, looked at from both ends. Names are in their complete form. */
export interface IndexView {
  manifestOf: Map<string, Digest>;
  /** Every manifest is a key, also without names. */
  namesOf: Map<Digest, string[]>;
}

/** Keeps the entries in memory for as long as nobody changes them, be it another process. */
export class IndexCache {
  readonly #store: Store;
  #kept: { version: bigint; view: IndexView } | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  async view(): Promise<IndexView> {
    const info = await stat(directory(this.#store), { bigint: true }).catch(whenMissing(undefined));
    if (info && this.#kept?.version === info.mtimeNs) return this.#kept.view;
    const view = viewOf(await readEntries(this.#store));
    // The clock of a file system ticks in milliseconds: a change right after this one could get the same time.
    const settled = info && Date.now() - Number(info.mtimeMs) > CLOCK_TICK_MAX;
    this.#kept = settled ? { version: info.mtimeNs, view } : undefined;
    return view;
  }
}

/** Milliseconds; the coarsest common kernel clock, CONFIG_HZ=100, with room to spare. */
const CLOCK_TICK_MAX = 50;

function viewOf(entries: IndexEntry[]): IndexView {
  const view: IndexView = { manifestOf: new Map(), namesOf: new Map() };
  for (const { descriptor, reference } of entries) {
    const names = view.namesOf.get(descriptor.digest) ?? [];
    view.namesOf.set(descriptor.digest, names);
    if (reference === undefined) continue;
    names.push(reference);
    view.manifestOf.set(reference, descriptor.digest);
  }
  return view;
}

/** Make index.json the sum of the entries. */
export async function syncIndex(store: Store): Promise<void> {
  const path = join(store.directory, 'index.json');
  for (;;) {
    const sum = indexOf(await readEntries(store));
    if (sum === (await readFile(path, 'utf8').catch(whenMissing('')))) return;
    store.replaceFile(path, sum);
  }
}

function indexOf(entries: IndexEntry[]): string {
  const named = new Set(entries.filter((entry) => entry.reference).map((entry) => entry.descriptor.digest));
  const manifests = entries
    .filter((entry) => entry.reference || !named.has(entry.descriptor.digest))
    .map(({ descriptor }) => descriptor);
  return `${JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }, null, 2)}\n`;
}

function readEntry(path: string): IndexEntry | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return whenMissing(undefined)(error as NodeJS.ErrnoException);
  }
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
