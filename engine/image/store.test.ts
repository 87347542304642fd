import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, truncateSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { type Digest, digestOf, hexOf } from './digest.ts';
import { DOCUMENT_SIZE_MAX } from './documents.ts';
import { BlobCorrupt, BlobNotFound, Store } from './store.ts';
import { expectValid, scratchDirectory, startProgram } from './test-support.ts';

const blobs = (directory: string) => readdirSync(join(directory, 'blobs/sha256'));
const scratch = (directory: string) => readdirSync(join(directory, 'scratch'));

test('a new store is an OCI image layout', async () => {
  const directory = join(scratchDirectory(), 'deep/store');
  await Store.open(directory);
  expectValid('image-layout-schema.json', JSON.parse(readFileSync(join(directory, 'oci-layout'), 'utf8')));
});

test('a layout of another version is refused and left alone', async () => {
  const directory = scratchDirectory();
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"9.9.9"}');
  await expect(Store.open(directory)).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
  expect(readFileSync(join(directory, 'oci-layout'), 'utf8')).toContain('9.9.9');
});

test('a blob is found under its digest, and stored once', async () => {
  const directory = scratchDirectory();
  const store = await Store.open(directory);
  const blob = await store.put('ahoy');
  expect(blob).toEqual({ digest: digestOf('ahoy'), size: 4 });
  expect(await store.put(Readable.from([Buffer.from('ah'), Buffer.from('oy')]))).toEqual(blob);
  expect(`${await store.read(blob.digest)}`).toBe('ahoy');
  expect(blobs(directory)).toEqual([hexOf(blob.digest)]);
  expect(scratch(directory)).toEqual([]);
});

test.each([
  ['other bytes', { digest: digestOf('other') }],
  ['a smaller size', { size: 3 }],
  ['a larger size', { size: 5 }],
])('content that was announced with %s is refused, and nothing of it stays', async (_, expected) => {
  const directory = scratchDirectory();
  const store = await Store.open(directory);
  await expect(store.put('ahoy', expected)).rejects.toBeInstanceOf(BlobCorrupt);
  expect(blobs(directory)).toEqual([]);
  expect(scratch(directory)).toEqual([]);
});

test('an endless sender is cut off at the size it announced', async () => {
  const directory = scratchDirectory();
  const store = await Store.open(directory);
  let sent = 0;
  const endless = Readable.from(
    (function* () {
      for (;;) {
        sent += 65_536;
        yield Buffer.alloc(65_536);
      }
    })(),
  );
  await expect(store.put(endless, { size: 100_000 })).rejects.toBeInstanceOf(BlobCorrupt);
  expect(sent).toBeLessThan(10_000_000);
  expect(endless.destroyed).toBe(true);
  expect(scratch(directory)).toEqual([]);
});

test('a source that breaks off leaves nothing', async () => {
  const directory = scratchDirectory();
  const store = await Store.open(directory);
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from('half');
      throw new Error('connection lost');
    })(),
  );
  await expect(store.put(broken)).rejects.toThrow('connection lost');
  expect([...blobs(directory), ...scratch(directory)]).toEqual([]);
});

test('a document that was changed on disk is not read', async () => {
  const directory = scratchDirectory();
  const store = await Store.open(directory);
  const { digest } = await store.put('{"a":1}');
  writeFileSync(store.path(digest), '{"a":2}');
  await expect(store.read(digest)).rejects.toThrow(/is damaged/);
});

test('storing a damaged blob again heals it', async () => {
  const store = await Store.open(scratchDirectory());
  const { digest } = await store.put('{"a":1}');
  writeFileSync(store.path(digest), '{"a":2}');
  await store.put('{"a":1}');
  expect(`${await store.read(digest)}`).toBe('{"a":1}');
});

test('a source that has failed before it is asked for anything fails the blob, not the process', async () => {
  const directory = scratchDirectory();
  const store = await Store.open(directory);
  const source = new Readable({ read() {} });
  const stored = store.put(source);
  source.destroy(new Error('client gone'));
  await expect(stored).rejects.toThrow('client gone');
  expect(scratch(directory)).toEqual([]);
});

test('a document larger than any may be is not read into memory', async () => {
  const store = await Store.open(scratchDirectory());
  const { digest } = await store.put('x');
  truncateSync(store.path(digest), DOCUMENT_SIZE_MAX + 1);
  await expect(store.read(digest)).rejects.toThrow(/at most/);
});

test('a missing blob is named together with the way out', async () => {
  const store = await Store.open(scratchDirectory());
  await expect(store.read(digestOf('never'))).rejects.toThrow(BlobNotFound);
  await expect(store.stream(digestOf('never'))).rejects.toThrow(/pull or load/);
  expect(await store.has(digestOf('never'))).toBe(false);
});

test('twenty writers of the same blob at once store it once and whole', async () => {
  const directory = scratchDirectory();
  const store = await Store.open(directory);
  const content = Buffer.alloc(300_000, 'abc');
  const stored = await Promise.all(Array.from({ length: 20 }, () => store.put(Readable.from([content, content]))));
  expect(new Set(stored.map((blob) => blob.digest)).size).toBe(1);
  expect(await store.read(stored[0]!.digest)).toEqual(Buffer.concat([content, content]));
  expect(scratch(directory)).toEqual([]);
});

test('a writer killed in the middle leaves no blob, and the next to open the store sweeps its leavings', async () => {
  const directory = scratchDirectory();
  await Store.open(directory);
  const appeared = watch(join(directory, 'scratch'));
  const { child, ended } = startProgram('put-stdin.ts', [directory]);
  child.stdin.write(Buffer.alloc(2_000_000));
  await once(appeared, 'change');
  appeared.close();
  child.kill('SIGKILL');
  expect((await ended).signal).toBe('SIGKILL');
  expect(blobs(directory)).toEqual([]);
  expect(scratch(directory)).toHaveLength(1);

  await Store.open(directory);
  expect(scratch(directory)).toEqual([]);
});

test('what a living writer is at is not swept away by another process that opens the store', async () => {
  const directory = scratchDirectory();
  await Store.open(directory);
  const appeared = watch(join(directory, 'scratch'));
  const { child, ended } = startProgram('put-stdin.ts', [directory]);
  child.stdin.write('first half, ');
  await once(appeared, 'change');
  appeared.close();
  const store = await Store.open(directory);
  expect(scratch(directory)).toHaveLength(1);
  child.stdin.end('second half');
  expect((await ended).code).toBe(0);
  expect(`${await store.read(digestOf('first half, second half'))}`).toBe('first half, second half');
  expect(existsSync(store.path(digestOf('first half, ') as Digest))).toBe(false);
});
