import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { HostileArchive } from './confine.ts';
import { type Digest, digestOf } from './digest.ts';
import { putLayer } from './put-layer.ts';
import { BlobCorrupt, Store } from './store.ts';
import { rawTar, scratchDirectory } from './test-support.ts';

const tar = rawTar({ name: 'a', content: 'x'.repeat(3000) });
const pieces = (whole: Buffer) =>
  Readable.from(
    Array.from({ length: Math.ceil(whole.length / 700) }, (_, i) => whole.subarray(i * 700, (i + 1) * 700)),
  );

async function store(): Promise<Store> {
  return Store.open(join(scratchDirectory(), 'oci'));
}

function left(store: Store): string[] {
  return [...readdirSync(join(store.directory, 'blobs/sha256')), ...readdirSync(join(store.directory, 'scratch'))];
}

test.each([
  ['as it is', tar, 'application/vnd.oci.image.layer.v1.tar'],
  ['compressed', gzipSync(tar), 'application/vnd.oci.image.layer.v1.tar+gzip'],
  [
    'compressed, with bytes after its end',
    Buffer.concat([gzipSync(tar), Buffer.alloc(5000)]),
    'application/vnd.oci.image.layer.v1.tar+gzip',
  ],
])('a layer %s is stored as it comes, and known by its digest and its diffID', async (_, blob, mediaType) => {
  const target = await store();
  const consumed: Buffer[] = [];
  const layer = await putLayer(target, pieces(blob), {
    consume: async (source) => {
      for await (const chunk of source) consumed.push(chunk);
    },
  });
  expect(layer).toEqual({
    descriptor: { mediaType, digest: digestOf(blob), size: blob.length },
    diffId: digestOf(tar),
    tarSize: tar.length,
  });
  expect(readFileSync(target.path(layer.descriptor.digest))).toEqual(blob);
  expect(Buffer.concat(consumed)).toEqual(tar);
});

test('a consumer that stops early still gets the whole layer stored', async () => {
  const target = await store();
  const layer = await putLayer(target, pieces(gzipSync(tar)), {
    consume: async (source) => void (await source[Symbol.asyncIterator]().next()),
  });
  expect(layer.diffId).toBe(digestOf(tar));
});

const other = digestOf('something else') as Digest;
test.each([
  ['another digest', { digest: other }],
  ['another diffID', { diffId: other }],
  ['a smaller size', { size: 10 }],
  ['a larger size', { size: 1_000_000 }],
])('a layer with %s than expected is refused and leaves nothing', async (_, expected) => {
  const target = await store();
  for (const blob of [tar, gzipSync(tar)]) {
    await expect(putLayer(target, pieces(blob), { expected })).rejects.toThrow(BlobCorrupt);
    expect(left(target)).toEqual([]);
  }
});

test.each([
  ['the consumer', { consume: () => Promise.reject(new Error('no room')) }, tar, 'no room'],
  [
    'the consumer of a compressed layer',
    { consume: () => Promise.reject(new Error('no room')) },
    gzipSync(tar),
    'no room',
  ],
  ['decompression', {}, gzipSync(tar).subarray(0, -20), 'unexpected end of file'],
])('when %s fails, nothing is left', async (_, options, blob, message) => {
  const target = await store();
  await expect(putLayer(target, pieces(blob), options)).rejects.toThrow(message);
  expect(left(target)).toEqual([]);
});

test('when the source fails, it is with its own error, and nothing is left', async () => {
  const target = await store();
  for (const blob of [tar, gzipSync(tar)]) {
    const broken = (async function* () {
      yield blob.subarray(0, 60);
      throw new Error('connection lost');
    })();
    await expect(putLayer(target, broken)).rejects.toThrow('connection lost');
    expect(left(target)).toEqual([]);
  }
});

test('a compression bomb is refused long before its end', async () => {
  const target = await store();
  const bomb = gzipSync(Buffer.alloc(64 << 20));
  const putting = putLayer(target, pieces(bomb), { limits: { free: 1 << 20, ratio: 100 } });
  await expect(putting).rejects.toThrow(HostileArchive);
  await expect(putting).rejects.toThrow(/compressed bytes expand to more than/);
  expect(left(target)).toEqual([]);
  // What is small may be all zeros.
  await putLayer(target, pieces(bomb), { limits: { free: 65 << 20 } });
});
