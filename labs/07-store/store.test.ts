import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Blob } from '../../engine/image/contract/store.ts';
import { nonce, openDescriptors } from '../../grader/harness/evidence.ts';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from '../../grader/harness/files.ts';
import { SubjectError } from '../../grader/harness/subject-error.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const digestOf = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const hexOf = (digest: string) => digest.slice('sha256:'.length);

/** A store that the plank has opened. */
async function newStore() {
  const root = `${subject.scratch}/${nonce()}`;
  await subject.call('openLayout', root);
  const outside = join(subject.outsidePath(subject.scratch), root.slice(subject.scratch.length + 1));
  return {
    root,
    outside,
    put: (content: Uint8Array, chunk = 1000, expected: Partial<Blob> = {}) =>
      subject.call('put', root, content, chunk, expected) as Promise<Blob>,
    blobs: () => readdirSync(join(outside, 'blobs/sha256')).sort(),
    blob: (digest: string) => join(outside, 'blobs/sha256', hexOf(digest)),
    /** Every file that is no blob: the marker, and whatever is being written. */
    others: () =>
      (readdirSync(outside, { recursive: true }) as string[])
        .filter((name) => statSync(join(outside, name)).isFile() && !name.startsWith('blobs/'))
        .sort(),
  };
}

/** The call has to throw, and of its own accord. */
async function refused(what: string, name: string, ...args: unknown[]): Promise<Error> {
  const outcome = await subject.call(name, ...args).catch((error: Error) => error);
  if (!(outcome instanceof Error)) throw new Error(`${what}: ${name}() should throw, and answered instead.`);
  if (!(outcome instanceof SubjectError) || outcome.name === 'NotImplemented') throw outcome;
  return outcome;
}

describe('names', () => {
  test('task 1: a digest is a path below blobs', async () => {
    const digest = digestOf('hello');
    expect(await subject.call('blobPath', '/store', digest)).toBe(`/store/blobs/sha256/${hexOf(digest)}`);
  });

  test('task 1: nothing else is', async () => {
    const hex = hexOf(digestOf('hello'));
    const strange = [
      ['', 'nothing'],
      [hex, 'no algorithm'],
      [`sha256:${hex.slice(1)}`, '63 digits'],
      [`sha256:${hex}0`, '65 digits'],
      [`sha256:${hex.toUpperCase()}`, 'capitals: two names for one blob'],
      [`sha512:${hex}`, 'another algorithm'],
      [`sha256:${hex}\n`, 'a newline at the end'],
      [`\nsha256:${hex}`, 'a newline before it'],
      [`sha256:../../../../../../../../../../../../../../../../../../../etc/passwd`, 'a path that climbs'],
      [`sha256:/${hex.slice(1)}`, 'a slash'],
      [`sha256:${hex.slice(0, 61)}/..`, 'a path of 64 characters'],
      [`SHA256:${hex}`, 'the algorithm in capitals'],
      [`sha256:${hex.slice(1)}g`, 'a letter that is no digit'],
      [`sha256:${hex.slice(1)}\0`, 'a NUL'],
    ] as const;
    for (const [digest, what] of strange) await refused(what, 'blobPath', '/store', digest);
  });
});

describe('writing', () => {
  test('task 2: an open layout says what it is, and keeps what it has', async () => {
    const store = await newStore();
    expect(JSON.parse(readFileSync(join(store.outside, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
    const { digest } = await store.put(Buffer.from('kept'));
    await subject.call('openTwice', store.root);
    expect(store.blobs()).toEqual([hexOf(digest)]);
    const other = `${subject.scratch}/${nonce()}`;
    await subject.call('makeLayout', other, '{"imageLayoutVersion":"2.0.0"}');
    await refused('a layout of version 2', 'openLayout', other);
    const outside = join(subject.outsidePath(subject.scratch), other.slice(subject.scratch.length + 1));
    expect(readFileSync(join(outside, 'oci-layout'), 'utf8'), 'as it was').toContain('2.0.0');
  });

  test('task 2: a blob has its bytes, and the name of its bytes', async () => {
    const store = await newStore();
    for (const [size, chunk] of [
      [0, 1],
      [1, 1],
      [999, 1000],
      [70_000, 333],
      [300_000, 65_536],
    ] as const) {
      const content = randomBytes(size);
      const digest = digestOf(content);
      expect(await store.put(content, chunk), `${size} bytes`).toEqual({ digest, size });
      expect(digestOf(readFileSync(store.blob(digest))), `${size} bytes`).toBe(digest);
    }
    expect(store.blobs()).toHaveLength(5);
    expect(store.others(), 'nothing is left beside the blobs').toEqual(['oci-layout']);
  });

  test('task 2: until it is whole there is no such blob', async () => {
    const store = await newStore();
    await subject.call('begin', store.root, 'slow');
    expect(await subject.call('add', 'slow', Buffer.from('half of '))).toBe(8);
    expect(store.blobs()).toEqual([]);
    expect(await subject.call('add', 'slow', Buffer.from('a blob'))).toBe(14);
    expect(store.blobs()).toEqual([]);
    expect(await subject.call('end', 'slow')).toEqual({ digest: digestOf('half of a blob'), size: 14 });
    expect(store.blobs()).toEqual([hexOf(digestOf('half of a blob'))]);
  });

  test('task 2: two write the same blob at the same time', async () => {
    const store = await newStore();
    for (const name of ['one', 'other']) await subject.call('begin', store.root, name);
    for (const name of ['one', 'other']) await subject.call('add', name, Buffer.from('the same '));
    await subject.call('add', 'one', Buffer.from('bytes'));
    await subject.call('end', 'one');
    await subject.call('add', 'other', Buffer.from('bytes'));
    await subject.call('end', 'other');
    const digest = digestOf('the same bytes');
    expect(readFileSync(store.blob(digest), 'utf8')).toBe('the same bytes');
    expect([store.blobs(), store.others()]).toEqual([[hexOf(digest)], ['oci-layout']]);
  });

  test('task 2: what was given up leaves nothing, on the disk or open', async () => {
    const store = await newStore();
    const before = Object.keys(openDescriptors(subject.pid)).length;
    for (let round = 0; round < 5; round++) {
      await subject.call('begin', store.root, 'given up');
      await subject.call('add', 'given up', randomBytes(5000));
      await subject.call('abandon', 'given up');
      await subject.call('abandon', 'given up');
      await store.put(randomBytes(10));
    }
    expect(store.others()).toEqual(['oci-layout']);
    expect(store.blobs()).toHaveLength(5);
    expect(Object.keys(openDescriptors(subject.pid)).length, 'open descriptors').toBe(before);
  });

  test('task 2: whoever is killed leaves no blob, and the next opening clears up after him alone', async () => {
    const store = await newStore();
    await subject.call('begin', store.root, 'alive');
    await subject.call('add', 'alive', Buffer.from('still '));
    const whileOneWrites = store.others();
    expect(await subject.call('writeAndDie', store.root, randomBytes(5000))).toEqual({ signal: 'SIGKILL' });
    expect(store.blobs()).toEqual([]);
    expect(store.others().length, 'the killed writer had begun a file').toBe(whileOneWrites.length + 1);
    await subject.call('openLayout', store.root);
    expect(store.others(), 'after opening it again').toEqual(whileOneWrites);
    await subject.call('add', 'alive', Buffer.from('here'));
    expect(await subject.call('end', 'alive')).toMatchObject({ digest: digestOf('still here') });
    expect(readFileSync(store.blob(digestOf('still here')), 'utf8')).toBe('still here');
  });

  test('task 2: the bytes are on the disk before they have their name', async () => {
    const store = await newStore();
    const order = (await subject.call('orderOf', store.root, randomBytes(5000))) as string[];
    expect(order.slice(0, 2), 'what was asked of the disk, in its order').toEqual(['sync', 'name']);
  });

  test('task 2: other tools can read it', async () => {
    const store = await newStore();
    const { manifest, put } = image(['one', 'two']);
    for (const content of put) await store.put(Buffer.from(content));
    const index = {
      schemaVersion: 2,
      manifests: [{ ...descriptor(manifest, 'manifest'), annotations: { 'org.opencontainers.image.ref.name': 'box' } }],
    };
    await subject.call('writeIndex', store.root, JSON.stringify(index));
    for (const { digest } of index.manifests) expect(existsSync(store.blob(digest))).toBe(true);
    if (!hasSkopeo()) return;
    // A path below /proc/PID/root is not one that another program would follow.
    const copy = mkdtempSync(join(tmpdir(), 'skiff-lab-store-'));
    onTestFinished(() => rmSync(copy, { recursive: true }));
    cpSync(store.outside, copy, { recursive: true });
    const said = execFileSync('skopeo', ['inspect', `oci:${copy}:box`], { encoding: 'utf8' });
    expect(JSON.parse(said).Layers).toEqual(['one', 'two'].map(digestOf));
  });
});

describe('reading', () => {
  const read = (store: { root: string }, digest: string, most = 1 << 20) =>
    subject.call('readBlob', store.root, digest, most);

  test('task 3: what was written is read', async () => {
    const store = await newStore();
    for (const content of [randomBytes(0), randomBytes(100_000)]) {
      const { digest } = await store.put(content);
      expect(Buffer.from((await read(store, digest)) as Uint8Array).equals(content)).toBe(true);
    }
    expect((await refused('a blob that is not there', 'readBlob', store.root, digestOf('nobody'), 10)).name).toBe(
      'BlobNotFound',
    );
    await refused('no digest', 'readBlob', store.root, 'sha256:../../oci-layout', 10);
  });

  test('task 3: damaged bytes are not given out, and written again they are whole', async () => {
    const store = await newStore();
    const content = randomBytes(5000);
    const { digest } = await store.put(content);
    for (const damage of ['flip', 'cut', 'grow'] as const) {
      await subject.call('damage', `${store.root}/blobs/sha256/${hexOf(digest)}`, damage);
      const error = await refused(`a blob with damage (${damage})`, 'readBlob', store.root, digest, 1 << 20);
      expect(error.name, damage).toBe('BlobCorrupt');
      await store.put(content);
      expect(Buffer.from((await read(store, digest)) as Uint8Array).equals(content), `after ${damage}`).toBe(true);
    }
  });

  test('task 3: what is too large is refused before it is read', async () => {
    const store = await newStore();
    const { digest } = await store.put(randomBytes(5000));
    expect((await refused('5000 bytes of at most 4999', 'readBlob', store.root, digest, 4999)).name).toBe(
      'BlobCorrupt',
    );
    expect(((await read(store, digest, 5000)) as Uint8Array).length).toBe(5000);
    // Forty gigabytes that are on no disk.
    await subject.call('damage', `${store.root}/blobs/sha256/${hexOf(digest)}`, 'huge');
    expect((await refused('40 GB of at most 5000 bytes', 'readBlob', store.root, digest, 5000)).name).toBe(
      'BlobCorrupt',
    );
  });

  test('task 3: what is not what was expected gets no name', async () => {
    const store = await newStore();
    const content = Buffer.from('what came');
    const wrong: Partial<Blob>[] = [
      { digest: digestOf('what was promised') },
      { size: 8 },
      { size: 10 },
      { digest: digestOf(content), size: 1 },
    ];
    for (const expected of wrong) {
      const error = await refused(JSON.stringify(expected), 'put', store.root, content, 4, expected);
      expect(error.name, JSON.stringify(expected)).toBe('BlobCorrupt');
    }
    expect([store.blobs(), store.others()]).toEqual([[], ['oci-layout']]);
    expect(await store.put(content, 4, { digest: digestOf(content), size: 9 })).toEqual({
      digest: digestOf(content),
      size: 9,
    });
  });
});

describe('garbage', () => {
  const find = (present: string[], roots: string[], documents: Record<string, string>) =>
    subject.call('garbageOf', present, roots, documents);
  const documentsOf = (...texts: string[]) => Object.fromEntries(texts.map((text) => [digestOf(text), text]));

  test('task 4: what an image has stays, and the rest is named in its order', async () => {
    const box = image(['one', 'two']);
    const present = ['stray', 'one', box.config, 'other stray', 'two', box.manifest].map(digestOf);
    expect(await find(present, [digestOf(box.manifest)], documentsOf(box.manifest))).toEqual([
      digestOf('stray'),
      digestOf('other stray'),
    ]);
    expect(await find(present, [], {})).toEqual(present);
  });

  test('task 4: a layer that two images have goes with the last of them', async () => {
    const [box, bag] = [image(['base', 'one']), image(['base', 'two'])];
    const present = ['base', 'one', 'two'].map(digestOf);
    const documents = documentsOf(box.manifest, bag.manifest);
    expect(
      await find(
        present,
        [box, bag].map(({ manifest }) => digestOf(manifest)),
        documents,
      ),
    ).toEqual([]);
    expect(await find(present, [digestOf(bag.manifest)], documents)).toEqual([digestOf('one')]);
  });

  test('task 4: an index has its images, and theirs; those of other platforms may be missing', async () => {
    const [arm, amd] = [image(['arm']), image(['amd'])];
    const inner = JSON.stringify({ schemaVersion: 2, manifests: [descriptor(amd.manifest, 'manifest')] });
    const outer = JSON.stringify({
      schemaVersion: 2,
      manifests: [descriptor(arm.manifest, 'manifest'), descriptor(inner, 'index'), descriptor('not here', 'manifest')],
    });
    const present = ['stray', 'arm', 'amd', arm.config, amd.config, arm.manifest, amd.manifest, inner, outer].map(
      digestOf,
    );
    expect(await find(present, [digestOf(outer)], documentsOf(arm.manifest, amd.manifest, inner, outer))).toEqual([
      digestOf('stray'),
    ]);
  });

  test('task 4: when a document cannot be read nothing is garbage', async () => {
    const box = image(['one']);
    const index = JSON.stringify({ schemaVersion: 2, manifests: [descriptor(box.manifest, 'manifest')] });
    const present = ['one', 'stray', box.manifest, index].map(digestOf);
    await refused('a root that cannot be read', 'garbageOf', present, [digestOf(box.manifest)], {});
    await refused(
      'a manifest of an index that is present and cannot be read',
      'garbageOf',
      present,
      [digestOf(index)],
      documentsOf(index),
    );
    await refused('a manifest that is no JSON', 'garbageOf', present, [digestOf(box.manifest)], {
      [digestOf(box.manifest)]: '{"layers":',
    });
  });
});

function descriptor(content: string, kind: 'manifest' | 'index' | 'config' | 'layer') {
  const mediaType =
    kind === 'layer' ? 'application/vnd.oci.image.layer.v1.tar' : `application/vnd.oci.image.${kind}.v1+json`;
  return { mediaType, digest: digestOf(content), size: Buffer.byteLength(content) };
}

/** The documents of an image whose layers are these texts. `put` is everything that a store of it has. */
function image(layers: string[]) {
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor(config, 'config'),
    layers: layers.map((layer) => descriptor(layer, 'layer')),
  });
  return { config, manifest, put: [...layers, config, manifest] };
}

function hasSkopeo(): boolean {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, 'skopeo')));
}
