import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mount, umount } from '#kernel/mounts';
import { type Digest, digestOf, hexOf } from './digest.ts';
import { type ImageConfig, type Manifest, MEDIA_TYPE, REF_NAME } from './documents.ts';
import { Images } from './images.ts';
import { Snapshots } from './snapshots.ts';
import { expectValid, isRoot, rawTar, run, scratchDirectory, startProgram } from './test-support.ts';

/** An image of one small layer; `name` makes it different from others. */
async function addImage(images: Images, name: string, reference?: string, layerName = name) {
  const layer = await images.store.put(rawTar({ name: layerName, content: layerName }));
  const config: ImageConfig = {
    created: '2020-01-01T00:00:00Z',
    architecture: 'amd64',
    os: 'linux',
    author: name,
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { mediaType: MEDIA_TYPE.config, ...(await images.store.put(JSON.stringify(config))) },
    layers: [{ mediaType: MEDIA_TYPE.layer, ...layer }],
  };
  const descriptor = { mediaType: MEDIA_TYPE.manifest, ...(await images.store.put(JSON.stringify(manifest))) };
  return images.add(descriptor, reference);
}

const indexOf = (directory: string) => JSON.parse(readFileSync(join(directory, 'oci/index.json'), 'utf8'));
const namesIn = (directory: string): (string | undefined)[] =>
  indexOf(directory).manifests.map((each: { annotations?: Record<string, string> }) => each.annotations?.[REF_NAME]);
const blobs = (directory: string) => readdirSync(join(directory, 'oci/blobs/sha256'));

describe('an image is found', () => {
  test('by each way of writing its name and its id', async () => {
    const images = await Images.open(scratchDirectory());
    const image = await addImage(images, 'a', 'me/app:1');
    await addImage(images, 'b', 'me/app');
    const hex = hexOf(image.id);
    for (const reference of [
      'me/app:1',
      'docker.io/me/app:1',
      `me/app@${image.manifest}`,
      `me/app:1@${image.manifest}`,
      image.id,
      hex,
      hex.slice(0, 12),
      `sha256:${hex.slice(0, 12)}`,
    ]) {
      expect((await images.find(reference)).id, reference).toBe(image.id);
    }
    expect((await images.find('me/app')).repoTags).toEqual(['me/app:latest']);
  });

  test('by a digest under which a registry knows it', async () => {
    const images = await Images.open(scratchDirectory());
    const digest = digestOf('as the registry has it');
    const image = await addImage(images, 'a', `example.com/app@${digest}`);
    expect(image.repoDigests).toEqual([`example.com/app@${digest}`]);
    expect(image.repoTags).toEqual([]);
    expect((await images.find(`example.com/app@${digest}`)).id).toBe(image.id);
  });

  test('not by what only looks like it, and the message says what there is', async () => {
    const images = await Images.open(scratchDirectory());
    await expect(images.find('none')).rejects.toThrow('No such image: none:latest (there are none yet)');
    const image = await addImage(images, 'a', 'app');
    await expect(images.find('other')).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
      message: 'No such image: other:latest (there are app:latest)',
    });
    for (const reference of [
      'app:2',
      'me/app',
      `other@${image.manifest}`,
      `app@${digestOf('other')}`,
      digestOf('other'),
    ]) {
      await expect(images.find(reference), reference).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    }
    await expect(images.find('../../etc/passwd')).rejects.toMatchObject({ code: 'REFERENCE_INVALID' });
    await expect(images.find('')).rejects.toMatchObject({ code: 'REFERENCE_INVALID' });
  });

  test('not by the beginning of an id that two images have; a name of that form wins', async () => {
    const images = await Images.open(scratchDirectory());
    // Seventeen ids: two begin with the same digit.
    const ids = (await Promise.all(Array.from({ length: 17 }, (_, i) => addImage(images, `image ${i}`)))).map(
      (each) => each.id,
    );
    const digits = ids.map((id) => hexOf(id)[0]!);
    const twice = digits.find((digit, i) => digits.indexOf(digit) !== i)!;
    await expect(images.find(twice)).rejects.toMatchObject({ code: 'IMAGE_AMBIGUOUS' });
    await images.tag(ids[0]!, twice);
    expect((await images.find(twice)).id).toBe(ids[0]);
  });
});

test('a name that moves on leaves the old image without a name', async () => {
  const directory = scratchDirectory();
  const images = await Images.open(directory);
  const first = await addImage(images, 'first', 'app');
  const second = await addImage(images, 'second', 'app');
  expect((await images.find('app')).id).toBe(second.id);
  const listed = await images.list();
  expect(listed.map((image) => [image.id, image.repoTags])).toEqual(
    expect.arrayContaining([
      [first.id, []],
      [second.id, ['app:latest']],
    ]),
  );
  expectValid('image-index-schema.json', indexOf(directory));
  expect(namesIn(directory).sort()).toEqual(['docker.io/library/app:latest', undefined]);
});

test('images are listed newest first, and what another process named is seen', async () => {
  const directory = scratchDirectory();
  const images = await Images.open(directory);
  const old = await addImage(images, 'old', 'old');
  expect((await images.list()).map((image) => image.id)).toEqual([old.id]);
  const { ended } = startProgram('name-images.ts', [directory, 'theirs', '1']);
  expect((await ended).code).toBe(0);
  const [newest, oldest] = await images.list();
  expect(newest?.repoTags).toEqual(['hostbox:latest', 'theirs:0']);
  expect(oldest?.id).toBe(old.id);
});

test('three processes that name images at the same time lose no name, in the list or in index.json', async () => {
  const directory = scratchDirectory();
  const programs = ['a', 'b', 'c'].map((prefix) => startProgram('name-images.ts', [directory, prefix, '8']));
  for (const { ended } of programs) expect(await ended).toEqual({ code: 0, signal: null });
  const expected = [
    'hostbox:latest',
    ...['a', 'b', 'c'].flatMap((prefix) => Array.from({ length: 8 }, (_, i) => `${prefix}:${i}`)),
  ];
  const images = await Images.open(directory);
  expect((await images.find('hostbox')).repoTags).toEqual(expected.sort());
  expect(namesIn(directory).sort()).toEqual(expected.map((name) => `docker.io/library/${name}`).sort());
});

test('a process killed while naming loses nothing that it had finished, and the next one puts index.json right', async () => {
  const directory = scratchDirectory();
  for (const round of [1, 2, 3]) {
    const { child, ended } = startProgram('name-images.ts', [directory, `round${round}`, '1000']);
    const named: string[] = [];
    const lines = createInterface(child.stdout).on('line', (line) => {
      named.push(line);
      if (named.length === round * 3) child.kill('SIGKILL');
    });
    await Promise.all([once(lines, 'close'), ended]);
    const images = await Images.open(directory);
    const { repoTags } = await images.find('hostbox');
    expect(repoTags).toEqual(expect.arrayContaining(named));
    expect(namesIn(directory).sort()).toEqual(repoTags.map((tag) => `docker.io/library/${tag}`).sort());
    expect(readdirSync(join(directory, 'oci/scratch'))).toEqual([]);
    for (const blob of blobs(directory)) {
      expect(hexOf(digestOf(readFileSync(join(directory, 'oci/blobs/sha256', blob))))).toBe(blob);
    }
  }
});

test('a request for hostbox while it is being built is answered, and none waits for ever', async () => {
  const images = await Images.open(scratchDirectory());
  const other = await addImage(images, 'a', 'app');
  const building = images.ensureHostbox();
  const [found, listed, removed] = await Promise.all([images.find('hostbox'), images.list(), images.remove('app')]);
  expect(found.id).toBe((await building).id);
  expect(listed.map((image) => image.repoTags[0])).toContain('hostbox:latest');
  expect(removed.deleted).toEqual([other.id]);
  await images.remove('hostbox');
  await expect(images.find('hostbox')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
});

describe('removing', () => {
  test('one of two names keeps the image; the last one takes it and its data away', async () => {
    const directory = scratchDirectory();
    const images = await Images.open(directory);
    const image = await addImage(images, 'a', 'app:1');
    await images.prepare(image);
    await images.tag(image.id, 'app:2');
    expect(await images.remove('app:1')).toEqual({ untagged: ['app:1'], deleted: [] });
    expect((await images.find('app:2')).id).toBe(image.id);
    expect(await images.remove('app:2')).toEqual({ untagged: ['app:2'], deleted: [image.id] });
    expect(await images.list()).toEqual([]);
    expect(blobs(directory)).toEqual([]);
    expect(existsSync(image.lower[0]!)).toBe(false);
    expect(indexOf(directory).manifests).toEqual([]);
  });

  test('leaves the layer that another image shares', async () => {
    const directory = scratchDirectory();
    const images = await Images.open(directory);
    const one = await addImage(images, 'one', 'one', 'shared');
    const two = await addImage(images, 'two', 'two', 'shared');
    await images.prepare(one);
    expect((await images.remove(one.id)).deleted).toEqual([one.id]);
    expect(existsSync(two.lower[0]!)).toBe(true);
    expect(blobs(directory).sort()).toEqual(
      [two.id, two.manifest, two.config.rootfs.diff_ids[0] as Digest].map(hexOf).sort(),
    );
  });

  test('by the id of an image with several names has to be forced', async () => {
    const images = await Images.open(scratchDirectory());
    const image = await addImage(images, 'a', 'app:1');
    await images.tag('app:1', 'other');
    await expect(images.remove(image.id)).rejects.toMatchObject({ code: 'IMAGE_CONFLICT' });
    expect((await images.remove(image.id, { force: true })).untagged.sort()).toEqual(['app:1', 'other:latest']);
  });

  test('takes the names of an image in use when forced, and leaves it to its containers', async () => {
    const directory = scratchDirectory();
    const images = await Images.open(directory);
    const image = await addImage(images, 'a', 'app');
    await images.prepare(image);
    const users = () => [{ id: 'f'.repeat(64), running: false }];
    await expect(images.remove('app', { users })).rejects.toThrow(
      /"app:latest" \(must force\) - container f{12} is using/,
    );
    await expect(images.remove(image.id, { users })).rejects.toThrow(/must be forced.* stopped container f{12}/);
    expect(await images.remove('app', { users, force: true })).toEqual({ untagged: ['app:latest'], deleted: [] });
    expect(existsSync(image.lower[0]!)).toBe(true);
    const running = () => [{ id: 'f'.repeat(64), running: true }];
    await expect(images.remove(image.id, { users: running, force: true })).rejects.toThrow(/cannot be forced/);
    expect(await images.remove(image.id)).toEqual({ untagged: [], deleted: [image.id] });
  });

  test('waits for nobody but refuses what a container is being made of', async () => {
    const images = await Images.open(scratchDirectory());
    const image = await addImage(images, 'a', 'app');
    const unpin = images.pin(image);
    await expect(images.remove('app', { force: true })).rejects.toMatchObject({ code: 'IMAGE_CONFLICT' });
    unpin();
    const removing = images.remove('app');
    await expect(removing.then(() => images.find(image.id))).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  test('what is not there is an error', async () => {
    const images = await Images.open(scratchDirectory());
    await expect(images.remove('app')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });
});

describe('an image that is damaged', () => {
  test('is refused when a blob of it is missing', async () => {
    const directory = scratchDirectory();
    const images = await Images.open(directory);
    const image = await addImage(images, 'a');
    rmSync(images.store.path(image.config.rootfs.diff_ids[0]!));
    const descriptor = { mediaType: MEDIA_TYPE.manifest, ...(await images.store.stat(image.manifest)) };
    await expect(images.add(descriptor, 'app')).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(images.find('app')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  test('does not hide the others, and says what is wrong when it is asked for', async () => {
    const directory = scratchDirectory();
    const bad = await addImage(await Images.open(directory), 'bad', 'bad');
    const images = await Images.open(directory);
    const good = await addImage(images, 'good', 'good');
    writeFileSync(images.store.path(bad.id), '{}');
    expect((await images.list()).map((image) => image.id)).toEqual([good.id]);
    await expect(images.find('bad')).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  });

  test.each<[string, (manifest: Manifest) => unknown]>([
    [
      'more layers than its configuration names',
      (manifest) => ({ ...manifest, layers: [...manifest.layers, ...manifest.layers] }),
    ],
    [
      'a digest that is a path',
      (manifest) => ({ ...manifest, config: { ...manifest.config, digest: 'sha256:../../../etc/passwd' } }),
    ],
    [
      'a layer of an unknown kind',
      (manifest) => ({ ...manifest, layers: [{ ...manifest.layers[0], mediaType: 'text/html' }] }),
    ],
    ['a negative size', (manifest) => ({ ...manifest, layers: [{ ...manifest.layers[0], size: -1 }] })],
    ['another schema version', (manifest) => ({ ...manifest, schemaVersion: 1 })],
    ['no layers at all', ({ layers: _, ...manifest }) => manifest],
  ])('is not added: %s', async (_, damage) => {
    const images = await Images.open(scratchDirectory());
    const image = await addImage(images, 'a', 'app');
    const manifest = damage(JSON.parse(`${await images.store.read(image.manifest)}`));
    const descriptor = { mediaType: MEDIA_TYPE.manifest, ...(await images.store.put(JSON.stringify(manifest))) };
    await expect(images.add(descriptor, 'bad')).rejects.toMatchObject({
      code: expect.stringMatching(/^(DOCUMENT|IMAGE)_INVALID$/),
    });
    expect(await images.list()).toHaveLength(1);
  });
});

test.skipIf(!isRoot)(
  'a full disk is a sentence with the way out, and leaves nothing half made (needs root)',
  async () => {
    const directory = scratchDirectory();
    mount({ source: 'tmpfs', target: directory, type: 'tmpfs', data: 'size=3m' });
    onTestFinished(() => umount(directory));
    const images = await Images.open(directory);
    // Packing: the disk is smaller than the programs. Unpacking: it takes the blob, but not the files as well.
    await expect(images.ensureHostbox({ variant: 'coreutils' })).rejects.toMatchObject({
      code: 'ENOSPC',
      message: expect.stringMatching(/no space left on the disk of .*--root/),
    });
    expect(blobs(directory)).toEqual([]);
    const layer = await images.store.put(rawTar({ name: 'a', content: Buffer.alloc(2_000_000, 'x') }));
    const snapshots = await Snapshots.open(join(directory, 'snapshots'));
    await expect(snapshots.prepare(layer.digest, images.store, layer.digest)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(readdirSync(join(directory, 'oci/scratch'))).toEqual([]);
    expect(readdirSync(join(directory, 'snapshots'))).toEqual(['scratch']);
    expect(readdirSync(join(directory, 'snapshots/scratch'))).toEqual([]);
  },
);

test('a layer that an image has twice is one lowerdir, the topmost', async () => {
  const images = await Images.open(scratchDirectory());
  const [a, b] = [await images.store.put(rawTar({ name: 'a' })), await images.store.put(rawTar({ name: 'b' }))];
  const layers = [a, b, a];
  const config = await images.store.put(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
    }),
  );
  const manifest = await images.store.put(
    JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: MEDIA_TYPE.config, ...config },
      layers: layers.map((layer) => ({ mediaType: MEDIA_TYPE.layer, ...layer })),
    }),
  );
  const image = await images.add({ mediaType: MEDIA_TYPE.manifest, ...manifest }, 'twice');
  expect(image.lower.map((path) => path.slice(-64))).toEqual([hexOf(a.digest), hexOf(b.digest)]);
  expect(await images.prepare(image)).toEqual(image.lower);
});

test('opening puts index.json right for other tools, whatever was killed before', async () => {
  const directory = scratchDirectory();
  await addImage(await Images.open(directory), 'a', 'app');
  rmSync(join(directory, 'oci/index.json'));
  await Images.open(directory);
  expect(namesIn(directory)).toEqual(['docker.io/library/app:latest']);
});

test('a tag with a digest is refused', async () => {
  const images = await Images.open(scratchDirectory());
  const image = await addImage(images, 'a', 'app');
  await expect(images.tag('app', `other@${image.manifest}`)).rejects.toMatchObject({ code: 'REFERENCE_INVALID' });
});

test('everything is below the one directory, which can be moved', async () => {
  const directory = scratchDirectory();
  const images = await Images.open(join(directory, 'here'));
  const image = await addImage(images, 'a', 'app');
  await images.prepare(image);
  run('mv', [join(directory, 'here'), join(directory, 'there')]);
  const moved = await (await Images.open(join(directory, 'there'))).find('app');
  expect(existsSync(join(moved.lower[0]!, 'a'))).toBe(true);
});
