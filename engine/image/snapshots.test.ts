import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mount, umount } from '#kernel/mounts';
import { type Digest, digestOf } from './digest.ts';
import { Snapshots } from './snapshots.ts';
import { Store } from './store.ts';
import { hasProgram, isRoot, type RawEntry, rawTar, run, scratchDirectory } from './test-support.ts';

async function room() {
  const directory = scratchDirectory();
  return {
    directory: join(directory, 'snapshots'),
    store: await Store.open(join(directory, 'oci')),
    snapshots: await Snapshots.open(join(directory, 'snapshots')),
  };
}

async function layer(store: Store, ...entries: RawEntry[]): Promise<Digest> {
  return (await store.put(rawTar(...entries))).digest;
}

const left = (directory: string) => readdirSync(directory).filter((name) => name !== 'scratch');

test('a layer is unpacked once, however many ask for it at the same time', async () => {
  const { store, snapshots, directory } = await room();
  const digest = await layer(store, { name: 'a', content: 'x' });
  const other = await Snapshots.open(directory);
  const paths = await Promise.all(
    [snapshots, other, snapshots, other].map((each) => each.prepare(digest, store, digest)),
  );
  expect(new Set(paths)).toEqual(new Set([snapshots.path(digest)]));
  expect(readFileSync(join(paths[0]!, 'a'), 'utf8')).toBe('x');
  expect(readdirSync(join(directory, 'scratch'))).toEqual([]);

  // Now that it is there, the blob is not looked at any more.
  writeFileSync(store.path(digest), 'damaged');
  expect(await snapshots.prepare(digest, store, digest)).toBe(paths[0]);
});

test.each([
  ['gzip', (tar: Buffer) => gzipSync(tar)],
  [
    'several gzip members',
    (tar: Buffer) => Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
  ],
])('a layer compressed with %s is stored by the digest of its tar', async (_, compress) => {
  const { store, snapshots } = await room();
  const tar = rawTar({ name: 'a', content: 'x' });
  const blob = await store.put(compress(tar));
  const path = await snapshots.prepare(digestOf(tar), store, blob.digest);
  expect(readFileSync(join(path, 'a'), 'utf8')).toBe('x');
});

test('a layer compressed with zstd is read, in one frame or several', async ({ skip }) => {
  skip(!hasProgram('zstd'), 'zstd is not installed: apt-get install zstd');
  const { store, snapshots, directory } = await room();
  const tar = rawTar({ name: 'a', content: 'x'.repeat(300_000) });
  const frame = (part: Buffer) => execFileSync('zstd', ['-qc'], { input: part });
  // A skippable frame, as zstd:chunked has them, is passed over. RFC 8878, section 3.1.2.
  const skippable = Buffer.from('502a4d1804000000deadbeef', 'hex');
  for (const blobOf of [
    frame(tar),
    Buffer.concat([frame(tar.subarray(0, 700)), skippable, frame(tar.subarray(700)), skippable]),
  ]) {
    const blob = await store.put(blobOf);
    const path = await snapshots.prepare(digestOf(tar), store, blob.digest);
    expect(readFileSync(join(path, 'a'), 'utf8')).toHaveLength(300_000);
    await snapshots.remove(digestOf(tar));
  }
  expect(readdirSync(join(directory, 'scratch'))).toEqual([]);
});

test.each<[string, (tar: Buffer) => Buffer, RegExp]>([
  ['is not the one its image names', () => rawTar({ name: 'b', content: 'x' }), /but its image says/],
  ['climbs out', () => rawTar({ name: '../b', content: 'x' }), /climbs/],
  ['is damaged gzip', (tar) => Buffer.concat([gzipSync(tar).subarray(0, 40), Buffer.alloc(40, 1)]), /./],
  ['is cut off', (tar) => gzipSync(tar).subarray(0, -20), /unexpected end/],
  ['is not a tar', () => Buffer.alloc(4000, 'no'), /tar/],
])('a layer that %s is refused and leaves nothing', async (_, blobOf, message) => {
  const { store, snapshots, directory } = await room();
  const tar = rawTar({ name: 'a', content: 'x'.repeat(3000) });
  const blob = await store.put(blobOf(tar));
  await expect(snapshots.prepare(digestOf(tar), store, blob.digest)).rejects.toThrow(message);
  expect(left(directory)).toEqual([]);
  expect(readdirSync(join(directory, 'scratch'))).toEqual([]);
});

test('a removed layer is gone, and can be unpacked again', async () => {
  const { store, snapshots, directory } = await room();
  const digest = await layer(store, { name: 'a', content: 'x' });
  await snapshots.prepare(digest, store, digest);
  await snapshots.remove(digest);
  await snapshots.remove(digest);
  expect(left(directory)).toEqual([]);
  await snapshots.prepare(digest, store, digest);
  expect(left(directory)).toHaveLength(1);
});

describe.skipIf(!isRoot)('as overlay lowerdirs (needs root)', () => {
  test('the kernel hides what the upper layers’ whiteouts and opaque directories hide', async () => {
    const { store, snapshots, directory } = await room();
    const layers = [
      await layer(
        store,
        { name: 'gone', content: '1' },
        { name: 'kept', content: '1' },
        { name: 'opaque/old', content: '1' },
        { name: 'merged/old', content: '1' },
        { name: 'replaced/old', content: '1' },
      ),
      await layer(
        store,
        { name: '.wh.gone' },
        { name: 'opaque/', type: '5', mode: 0o755 },
        { name: 'opaque/.wh..wh..opq' },
        { name: 'opaque/new', content: '2' },
        { name: 'merged/new', content: '2' },
        { name: '.wh.replaced' },
        { name: 'replaced/', type: '5', mode: 0o755 },
        { name: 'replaced/new', content: '2' },
      ),
    ];
    const lower = await Promise.all(layers.map((digest) => snapshots.prepare(digest, store, digest)));
    const root = join(directory, '../root');
    mkdirSync(root);
    mount({ source: 'overlay', target: root, type: 'overlay', data: `lowerdir=${lower.reverse().join(':')}` });
    onTestFinished(() => umount(root));
    expect(
      run('find', ['.', '-mindepth', '1', '-printf', '%P\n'], { cwd: root }).split('\n').filter(Boolean).sort(),
    ).toEqual(['kept', 'merged', 'merged/new', 'merged/old', 'opaque', 'opaque/new', 'replaced', 'replaced/new']);
  });
});
