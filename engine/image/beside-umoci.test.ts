import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import { MEDIA_TYPE } from './documents.ts';
import { applyLayer } from './layer.ts';
import { diffTrees } from './layer-diff.ts';
import { putLayer } from './put-layer.ts';
import { Store } from './store.ts';
import { describeTree, hasProgram, isRoot, run, scratchDirectory } from './test-support.ts';
import { randomTree } from './testdata/random-tree.ts';

/** An OCI layout with one image `made` of these layers. */
async function layoutOf(directory: string, tars: Buffer[]): Promise<void> {
  const store = await Store.open(directory);
  const layers = [];
  for (const tar of tars) layers.push(await putLayer(store, [gzipSync(tar)]));
  const config = await store.put(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const manifest = await store.put(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      config: { mediaType: MEDIA_TYPE.config, ...config },
      layers: layers.map(({ descriptor }) => descriptor),
    }),
  );
  const annotations = { 'org.opencontainers.image.ref.name': 'made' };
  const manifests = [{ mediaType: MEDIA_TYPE.manifest, ...manifest, annotations }];
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}

test('property: umoci unpacks the layers that we made to the tree that we unpack them to', async ({ skip }) => {
  skip(!isRoot, 'needs root: owners and devices');
  skip(!hasProgram('umoci'), 'umoci is not installed: apt-get install umoci');
  await fc.assert(
    fc.asyncProperty(randomTree({ longNames: true }), randomTree({ longNames: true }), async (first, second) => {
      const scratch = scratchDirectory();
      const [empty, before, after, ours] = ['empty', 'before', 'after', 'ours'].map((name) => join(scratch, name)) as [
        string,
        string,
        string,
        string,
      ];
      for (const directory of [empty, before, after, ours]) mkdirSync(directory);
      first.make(before);
      second.make(after);
      const tars = [diffTrees(empty, before), diffTrees(before, after)].map((tar) => Buffer.concat([...tar]));
      await layoutOf(join(scratch, 'layout'), tars);
      run('umoci', ['unpack', '--image', `${join(scratch, 'layout')}:made`, join(scratch, 'bundle')]);
      for (const tar of tars) await applyLayer(Readable.from([tar]), ours, { whiteouts: 'remove' });
      const [theirs, made, wanted] = [join(scratch, 'bundle/rootfs'), ours, after].map(comparable);
      expect(made).toEqual(theirs);
      expect(made).toEqual(wanted);
    }),
    { numRuns: 8 },
  );
});

/** No layer speaks of the root, and deleting from a directory that stays changes its time. */
function comparable(root: string): Record<string, string> {
  const { '.': _, ...rest } = describeTree(root);
  return Object.fromEntries(
    Object.entries(rest).map(([path, facts]) => [path, facts.replace(/^(mode=4\d+ .*) mtime=\d+/, '$1')]),
  );
}

test('umoci’s own layer of a changed bundle is what we make of it', async ({ skip }) => {
  skip(!isRoot, 'needs root: owners and devices');
  skip(!hasProgram('umoci'), 'umoci is not installed: apt-get install umoci');
  const scratch = scratchDirectory();
  const [empty, before, ours] = ['empty', 'before', 'ours'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  for (const directory of [empty, before, ours]) mkdirSync(directory);
  run('sh', ['-c', 'mkdir -p d/e && echo 1 >gone && echo 1 >d/kept && ln d/kept also && ln -s d/kept link'], {
    cwd: before,
  });
  const layout = join(scratch, 'layout');
  await layoutOf(layout, [Buffer.concat([...diffTrees(empty, before)])]);
  const bundle = join(scratch, 'bundle');
  run('umoci', ['unpack', '--image', `${layout}:made`, bundle]);
  // Whole seconds: umoci rounds what it writes to the nearest, and we read the file system's own.
  run(
    'sh',
    [
      '-c',
      'rm gone && rm -r d/e && echo 2 >d/e && chmod 4755 d/kept && mkdir new && mkfifo new/fifo && touch -d @1000000000 d/e new/fifo',
    ],
    { cwd: join(bundle, 'rootfs') },
  );
  run('umoci', ['repack', '--image', `${layout}:changed`, bundle]);
  const read = (digest: string) => readFileSync(join(layout, 'blobs', ...digest.split(':')));
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  const changed = manifests.find((each: { annotations: Record<string, string> }) =>
    Object.values(each.annotations).includes('changed'),
  );
  for (const { digest } of JSON.parse(`${read(changed.digest)}`).layers) {
    expect(digestOf(read(digest))).toBe(digest);
    const tar = run('sh', ['-c', `zcat | base64 -w0`], { input: read(digest) });
    await applyLayer(Readable.from([Buffer.from(tar, 'base64')]), ours, { whiteouts: 'remove' });
  }
  expect(comparable(ours)).toEqual(comparable(join(bundle, 'rootfs')));
});
