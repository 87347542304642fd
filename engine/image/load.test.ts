import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import { Images } from './images.ts';
import { loadArchive } from './load.ts';
import { imagesToSave, saveArchive } from './save.ts';
import { bytesOf, type RawEntry, rawTar, scratchDirectory } from './test-support.ts';

const layer = rawTar({ name: 'file', content: 'x'.repeat(100_000) });

/** `docker save`'s archive of one image whose layers are the same. */
function dockerArchive({
  diffId = digestOf(layer),
  layers = ['layer.tar'],
  config = '',
  manifest = '',
  more = [] as RawEntry[],
} = {}): Buffer {
  const document = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(() => diffId) },
  };
  const list = [{ Config: 'config.json', RepoTags: ['app:1'], Layers: layers }];
  return rawTar(
    { name: 'layer.tar', content: layer },
    ...more,
    { name: 'config.json', content: config || JSON.stringify(document) },
    { name: 'manifest.json', content: manifest || JSON.stringify(list) },
  );
}

const load = (images: Images, archive: Buffer) => loadArchive(images, Readable.from([archive], { objectMode: false }));

const left = (directory: string) =>
  ['oci/blobs/sha256', 'snapshots'].flatMap((each) =>
    readdirSync(join(directory, each)).filter((name) => name !== 'scratch'),
  );

test('what is saved and loaded elsewhere is the same image, and loading it again changes nothing', async () => {
  const [here, there] = [await Images.open(scratchDirectory()), scratchDirectory()];
  const [{ image } = { image: undefined }] = await load(here, dockerArchive());
  const archive = await bytesOf(await saveArchive(here, await imagesToSave(here, ['app:1'])));
  const images = await Images.open(there);
  const [first] = await load(images, archive);
  expect(first?.image.id).toBe(image!.id);
  expect(first?.image.manifest).toBe(image!.manifest);
  const stored = left(there);
  await load(images, archive);
  expect(left(there)).toEqual(stored);
  expect(await bytesOf(await saveArchive(images, await imagesToSave(images, ['app:1'])))).toEqual(archive);
});

test('the same archive from two clients at once is one image', async () => {
  const images = await Images.open(scratchDirectory());
  const loaded = await Promise.all([load(images, dockerArchive()), load(images, dockerArchive())]);
  expect(new Set(loaded.flat().map(({ image }) => image.id)).size).toBe(1);
  expect(await images.list()).toHaveLength(1);
});

test('a link stands for a layer that is there twice, as old versions of Docker wrote them', async () => {
  const images = await Images.open(scratchDirectory());
  const more = [{ name: 'second/layer.tar', type: '2', linkname: '../layer.tar' }];
  const [loaded] = await load(images, dockerArchive({ layers: ['layer.tar', 'second/layer.tar'], more }));
  expect(loaded?.image.config.rootfs.diff_ids).toEqual([digestOf(layer), digestOf(layer)]);
});

describe('refused, and nothing of it is left:', () => {
  const broken = dockerArchive();
  broken[5000]! ^= 1;
  const link = (linkname: string) => [{ name: 'link.tar', type: '2', linkname }];
  test.each<[string, RegExp, Buffer]>([
    ['an archive that is cut off in a layer', /cut off/, dockerArchive().subarray(0, 50_000)],
    [
      'an archive that is cut off before its manifest',
      /neither manifest.json, index.json nor repositories/,
      dockerArchive().subarray(0, 512 * 200),
    ],
    ['a layer with a bit that is wrong', /unpacks to/, broken],
    ['a layer that its configuration does not name', /unpacks to/, dockerArchive({ diffId: digestOf('other') })],
    ['a configuration that is not JSON', /config.json is not JSON/, dockerArchive({ config: '{"architecture": ' })],
    ['a layer that lies outside', /is not in it/, dockerArchive({ layers: ['../../../../etc/passwd'] })],
    ['a layer with an absolute name', /is not in it/, dockerArchive({ layers: ['/etc/passwd'] })],
    [
      'a link that leads outside',
      /is not in it/,
      dockerArchive({ layers: ['link.tar'], more: link('../../../../etc/passwd') }),
    ],
    ['a link to itself', /is not in it/, dockerArchive({ layers: ['link.tar'], more: link('link.tar') })],
    [
      'a manifest that is deeply nested',
      /nested more than 64 deep/,
      dockerArchive({ manifest: '['.repeat(1_000_000) + ']'.repeat(1_000_000) }),
    ],
    ['a manifest of a size that none has', /too large/, dockerArchive({ manifest: `[${' '.repeat(5 << 20)}]` })],
    [
      'more images than anybody saves',
      /Too big/,
      dockerArchive({ manifest: `[${'{"Config":"config.json"},'.repeat(1000)}{}]` }),
    ],
    ['no tar', /cut off/, Buffer.from('hello')],
    ['nothing', /is empty/, Buffer.alloc(0)],
  ])('%s', async (_, message, archive) => {
    const directory = scratchDirectory();
    const images = await Images.open(directory);
    await expect(load(images, archive)).rejects.toThrow(message);
    expect(left(directory)).toEqual([]);
    expect(await images.list()).toEqual([]);
    await load(images, dockerArchive());
    expect(await images.list()).toHaveLength(1);
  });

  test('a client that goes in the middle', async () => {
    const directory = scratchDirectory();
    const images = await Images.open(directory);
    async function* half() {
      yield dockerArchive().subarray(0, 60_000);
      throw new Error('aborted');
    }
    await expect(loadArchive(images, half())).rejects.toThrow('aborted');
    expect(left(directory)).toEqual([]);
  });
});
