import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commitImage } from './commit.ts';
import { MEDIA_TYPE } from './documents.ts';
import { Images } from './images.ts';
import { expectValid, rawTar, scratchDirectory } from './test-support.ts';

const created = new Date('2024-05-06T07:08:09Z');

async function storedLayer(images: Images, name: string) {
  const blob = await images.store.put(rawTar({ name, content: name }));
  return { descriptor: { ...blob, mediaType: MEDIA_TYPE.layer }, diffId: blob.digest };
}

async function base(images: Images) {
  return commitImage(images, {
    parent: undefined,
    layer: await storedLayer(images, 'base'),
    execution: { Env: ['A=b'] },
    createdBy: 'base',
    created,
    reference: 'base',
  });
}

test('an image is its parent, one more layer, another configuration and a line of history', async () => {
  const images = await Images.open(scratchDirectory());
  const parent = await base(images);
  const layer = await storedLayer(images, 'more');
  const image = await commitImage(images, {
    parent,
    layer,
    execution: { Cmd: ['run'] },
    createdBy: 'RUN more',
    comment: 'why',
    author: 'who',
    created,
    reference: 'me/app:1',
  });
  expect(image.repoTags).toEqual(['me/app:1']);
  expect(image.layers).toEqual([...parent.layers, layer.descriptor]);
  expect(image.config).toEqual({
    created: created.toISOString(),
    author: 'who',
    architecture: parent.config.architecture,
    os: 'linux',
    config: { Cmd: ['run'] },
    rootfs: { type: 'layers', diff_ids: [...parent.config.rootfs.diff_ids, layer.diffId] },
    history: [
      { created: created.toISOString(), created_by: 'base' },
      { created: created.toISOString(), created_by: 'RUN more', author: 'who', comment: 'why' },
    ],
  });
  expectValid('config-schema.json', JSON.parse(`${await images.store.read(image.id)}`));
  expectValid('image-manifest-schema.json', JSON.parse(`${await images.store.read(image.manifest)}`));
  const lower = await images.prepare(image);
  expect(lower.map((directory) => readdirSync(directory))).toEqual([['more'], ['base']]);
});

test('a change of the configuration alone adds no layer, and the same commit is the same image', async () => {
  const images = await Images.open(scratchDirectory());
  const parent = await base(images);
  const commit = { parent, layer: undefined, execution: { Cmd: ['x'] }, createdBy: 'CMD x', created };
  const [one, two] = [await commitImage(images, commit), await commitImage(images, commit)];
  expect(one.layers).toEqual(parent.layers);
  expect(one.config.history?.at(-1)).toMatchObject({ empty_layer: true });
  expect(two.id).toBe(one.id);
  expect(two.manifest).toBe(one.manifest);
});

test('what is held stays while its image is removed, and goes when it is let go', async () => {
  const directory = scratchDirectory();
  const images = await Images.open(directory);
  const parent = await base(images);
  await images.prepare(parent);
  const [release, other] = [images.hold(), images.hold()];
  await images.remove('base');
  release();
  release();
  expect(await images.list()).toEqual([]);
  expect(existsSync(parent.lower[0]!)).toBe(true);
  const child = await commitImage(images, { parent, layer: undefined, execution: {}, createdBy: 'late', created });
  other();
  await images.remove('nothing').catch(() => {});
  expect(existsSync(parent.lower[0]!)).toBe(true);
  expect(await images.store.has(parent.layers[0]!.digest)).toBe(true);
  await images.remove(child.id);
  expect(readdirSync(join(directory, 'oci/blobs/sha256'))).toEqual([]);
  expect(existsSync(parent.lower[0]!)).toBe(false);
});
