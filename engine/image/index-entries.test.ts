import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import { MEDIA_TYPE, REF_NAME } from './documents.ts';
import { IndexCache, putEntry, readEntries, removeEntry, syncIndex } from './index-entries.ts';
import { Store } from './store.ts';
import { expectValid, scratchDirectory } from './test-support.ts';

const descriptor = { mediaType: MEDIA_TYPE.manifest, digest: digestOf('manifest'), size: 8 };
const NAME = 'docker.io/library/app:1';

async function emptyStore() {
  const store = await Store.open(scratchDirectory());
  await syncIndex(store);
  return { store, entries: join(store.directory, 'index.d') };
}

const index = (store: Store) => JSON.parse(readFileSync(join(store.directory, 'index.json'), 'utf8'));
const names = (store: Store) =>
  index(store).manifests.map((each: { annotations?: Record<string, string> }) => each.annotations?.[REF_NAME]);

/** What another process does that is killed before it comes to index.json. */
function theirEntry(entries: string, name: string) {
  mkdirSync(entries, { recursive: true });
  writeFileSync(
    join(entries, `${name.replaceAll('/', '-')}.json`),
    JSON.stringify({ ...descriptor, annotations: { [REF_NAME]: name } }),
  );
}

test('index.json of an empty layout is there and valid', async () => {
  const { store } = await emptyStore();
  expectValid('image-index-schema.json', index(store));
  expect(index(store).manifests).toEqual([]);
});

test('an image stands in index.json once for each of its names, or once without any', async () => {
  const { store } = await emptyStore();
  await putEntry(store, { descriptor });
  expect(names(store)).toEqual([undefined]);
  await putEntry(store, { descriptor, reference: NAME });
  expect(names(store)).toEqual([NAME]);
  await putEntry(store, { descriptor, reference: `${NAME}0` });
  expect(names(store).sort()).toEqual([NAME, `${NAME}0`]);
  expectValid('image-index-schema.json', index(store));
  await removeEntry(store, { reference: NAME });
  await removeEntry(store, { reference: `${NAME}0` });
  expect(names(store)).toEqual([undefined]);
  await removeEntry(store, { manifest: descriptor.digest });
  expect(names(store)).toEqual([]);
});

test('annotations of the manifest’s own descriptor stay, its name there does not become ours', async () => {
  const { store } = await emptyStore();
  const annotations = { kept: 'yes', [REF_NAME]: 'as/somebody:else' };
  await putEntry(store, { descriptor: { ...descriptor, annotations } });
  expect(await readEntries(store)).toEqual([{ descriptor: { ...descriptor, annotations: { kept: 'yes' } } }]);
});

test('a name that comes while index.json is being written is in it all the same', async () => {
  const { store, entries } = await emptyStore();
  const replaceFile = store.replaceFile.bind(store);
  let theirs = 0;
  store.replaceFile = async (path, content) => {
    // Their entry comes after our sum was made and before it is written.
    if (path.endsWith('index.json') && theirs++ < 3) theirEntry(entries, `docker.io/library/their:${theirs}`);
    await replaceFile(path, content);
  };
  await putEntry(store, { descriptor, reference: NAME });
  expect(names(store).sort()).toEqual([NAME, ...[1, 2, 3].map((n) => `docker.io/library/their:${n}`)].sort());
});

test('index.json that is missing or behind is put right at start', async () => {
  const { store, entries } = await emptyStore();
  theirEntry(entries, NAME);
  expect(names(store)).toEqual([]);
  await syncIndex(store);
  expect(names(store)).toEqual([NAME]);
  rmSync(join(store.directory, 'index.json'));
  await syncIndex(store);
  expect(names(store)).toEqual([NAME]);
});

test('a damaged entry is an error that names its file', async () => {
  const { store, entries } = await emptyStore();
  theirEntry(entries, 'x');
  writeFileSync(join(entries, 'x.json'), '{"digest":"sha256:../../x"}');
  await expect(readEntries(store)).rejects.toThrow(join(entries, 'x.json'));
});

test('the cache reads again when anybody has changed an entry', async () => {
  const { store, entries } = await emptyStore();
  const cache = new IndexCache(store);
  expect([...(await cache.view()).manifestOf.keys()]).toEqual([]);
  theirEntry(entries, 'one');
  utimesSync(entries, 1000, 1000);
  const view = await cache.view();
  expect([...view.manifestOf.keys()]).toEqual(['one']);
  expect(await cache.view()).toBe(view);
  theirEntry(entries, 'two');
  expect([...(await cache.view()).manifestOf.keys()]).toEqual(['one', 'two']);
});

test('the cache does not trust a time stamp so fresh that the next change could get the same', async () => {
  const { store, entries } = await emptyStore();
  const cache = new IndexCache(store);
  const soon = Date.now() / 1000 + 100;
  theirEntry(entries, 'one');
  utimesSync(entries, soon, soon);
  await cache.view();
  theirEntry(entries, 'two');
  utimesSync(entries, soon, soon);
  expect(statSync(entries).mtimeMs).toBeCloseTo(soon * 1000, 0);
  expect([...(await cache.view()).manifestOf.keys()]).toEqual(['one', 'two']);
});
