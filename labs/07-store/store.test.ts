import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Blob } from '../../engine/image/contract/store.ts';
import { eventually, idMap, nonce, openDescriptors } from '../../grader/harness/evidence.ts';
import { cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from '../../grader/harness/files.ts';
import { draw } from '../../grader/harness/random.ts';
import { SubjectError } from '../../grader/harness/subject-error.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';
import { type SystemCall, traceSyscalls } from '../../grader/harness/trace-syscalls.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject({ patience: 20_000 });
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const digestOf = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const hexOf = (digest: string) => digest.slice('sha256:'.length);
const anyDigest = () => digestOf(draw.bytes(16));
/** Bytes that nobody has written before. */
const anyContent = (most = 5000) => Buffer.concat([draw.bytes(16), draw.bytes(draw.int(0, most))]);

/** A directory in the subject's scratch, and how the judge looks into it. */
function storeAt(root: string) {
  const outside = join(subject.outsidePath(subject.scratch), root.slice(subject.scratch.length + 1));
  return {
    root,
    outside,
    put: (content: Uint8Array, chunk = draw.int(1, 2000), expected: Partial<Blob> = {}) =>
      subject.call('put', root, content, chunk, expected) as Promise<Blob>,
    blobs: () => readdirSync(join(outside, 'blobs/sha256')).sort(),
    blob: (digest: string) => join(outside, 'blobs/sha256', hexOf(digest)),
    /** The digest of what stands under the name of a blob. */
    digestAt: (digest: string) => digestOf(readFileSync(join(outside, 'blobs/sha256', hexOf(digest)))),
    /** Every file but the blobs: the marker, and whatever is being written. */
    others: () =>
      (readdirSync(outside, { recursive: true }) as string[])
        .filter((name) => !name.startsWith('blobs/') && lstatSync(join(outside, name)).isFile())
        .sort(),
    /** A blob that the module had no part in. */
    place: async (content: Uint8Array) => {
      const digest = digestOf(content);
      await subject.call('writeFile', root, `blobs/sha256/${hexOf(digest)}`, content);
      return digest;
    },
    damage: (digest: string, how: 'flip' | 'size', at: number) =>
      subject.call('damage', `${root}/blobs/sha256/${hexOf(digest)}`, how, at),
  };
}

const anyRoot = () => `${subject.scratch}/${nonce()}`;

/** A store that the module has opened. */
async function newStore() {
  const root = anyRoot();
  await subject.call('openLayout', root);
  return storeAt(root);
}

/** A store that the judge has made, for reading alone. */
async function givenStore() {
  const root = anyRoot();
  await subject.call('makeStore', root);
  return storeAt(root);
}

/** The call has to throw, and of its own accord. */
async function refused(what: string, name: string, ...args: unknown[]): Promise<Error> {
  const outcome = await subject.call(name, ...args).catch((error: Error) => error);
  if (!(outcome instanceof Error)) throw new Error(`${what}: ${name}() should throw, and it returned instead.`);
  if (!(outcome instanceof SubjectError) || outcome.name === 'NotImplemented') throw outcome;
  return outcome;
}

const descriptors = () => Object.keys(openDescriptors(subject.pid)).length;

/** Closing may be on its way when a call has answered. */
async function expectDescriptors(count: number): Promise<void> {
  await eventually(
    () => (descriptors() <= count ? true : null),
    `The process should have ${count} open descriptors, as before; it has ${descriptors()}: ` +
      `${Object.values(openDescriptors(subject.pid)).join(', ')} (/proc/${subject.pid}/fd).`,
  );
}

describe('names', () => {
  const expectPath = async (root: string, digest: string) =>
    expect(await subject.call('blobPath', root, digest), `the path of ${digest}`).toBe(
      `${root}/blobs/sha256/${hexOf(digest)}`,
    );

  test('task 1: a digest becomes a path below blobs/sha256', async () => {
    for (let round = 0; round < 5; round++) await expectPath(`/${draw.word()}/${draw.word()}`, anyDigest());
  });

  test('task 1: everything that is not a digest is refused', async () => {
    const hex = hexOf(anyDigest());
    const at = draw.int(0, 63);
    const withAt = (text: string) => hex.slice(0, at) + text + hex.slice(at + text.length);
    const strange: [string, string][] = [
      ['', 'an empty text'],
      [hex, 'digits without an algorithm'],
      [`sha256:${hex.slice(1)}`, '63 digits'],
      [`sha256:${hex}${draw.pick([...'0123456789abcdef'])}`, '65 digits'],
      [`sha256:${hex.slice(1)}${draw.pick([...'ABCDEF'])}`, 'a capital digit: one blob would have two names'],
      [`sha512:${hex}`, 'another algorithm'],
      [`sha512:${hex}${hex}`, 'a whole digest of another algorithm'],
      [`sha256:${hex}\n`, 'a newline at the end'],
      [`\nsha256:${hex}`, 'a newline at the beginning'],
      [`${draw.word()}\nsha256:${hex}`, 'a line before the digest'],
      [`sha256:${hex}\n${draw.word()}`, 'a line after the digest'],
      [`sha256:${'../'.repeat(draw.int(5, 20))}etc/${draw.word()}`, 'a path that climbs'],
      [`sha256:${withAt('/').slice(0, 64)}`, 'a slash'],
      [`sha256:${hex.slice(0, 61)}/..`, 'a path of 64 characters'],
      [`SHA256:${hex}`, 'the algorithm in capitals'],
      [`sha256:${hex.slice(1)}${draw.pick([...'ghijklmnopqrstuvwxyz'])}`, 'a letter that is not a digit'],
      [`sha256:${hex.slice(1)}\0`, 'a NUL'],
      [`sha256:${hex.slice(1)}\u0661`, 'an Arabic digit'],
      [` sha256:${hex}`, 'a blank at the beginning'],
      [`sha256:${hex} `, 'a blank at the end'],
      [`sha256::${hex.slice(1)}`, 'a second colon'],
    ];
    for (const [digest, what] of draw.some(strange)) {
      await refused(`${what} (${JSON.stringify(digest)})`, 'blobPath', `/${draw.word()}`, digest);
      await expectPath(`/${draw.word()}`, anyDigest());
    }
  });
});

describe('writing', () => {
  const markerOf = (store: { outside: string }) => readFileSync(join(store.outside, 'oci-layout'), 'utf8');

  test('task 2: an opened layout names its version, and keeps what it holds', async () => {
    const store = storeAt(`${anyRoot()}/${draw.word()}`);
    await subject.call('openLayout', store.root);
    expect(JSON.parse(markerOf(store)), 'oci-layout').toEqual({ imageLayoutVersion: '1.0.0' });
    const digest = await store.place(anyContent());
    const kept = { 'index.json': `{"schemaVersion":2,"manifests":[]} ${nonce()}`, [`${draw.word(12)}.txt`]: nonce() };
    for (const [name, text] of Object.entries(kept))
      await subject.call('writeFile', store.root, name, Buffer.from(text));
    for (let times = 0; times < 2; times++) await subject.call('openLayout', store.root);
    expect(store.blobs()).toEqual([hexOf(digest)]);
    expect(store.digestAt(digest)).toBe(digest);
    for (const [name, text] of Object.entries(kept))
      expect(readFileSync(join(store.outside, name), 'utf8'), name).toBe(text);
  });

  test('task 2: a layout of another version is refused, and left as it is', async () => {
    const store = await newStore();
    const version = `${draw.int(1, 9)}.${draw.int(1, 9)}.${draw.int(0, 9)}`;
    for (const marker of [`{"imageLayoutVersion":"${version}"}`, '{}', '', nonce()]) {
      await subject.call('writeFile', store.root, 'oci-layout', Buffer.from(marker));
      await refused(`oci-layout with ${JSON.stringify(marker)}`, 'openLayout', store.root);
      expect(markerOf(store), 'oci-layout').toBe(marker);
    }
  });

  test('task 2: a blob holds its bytes, under the name of their digest', async () => {
    const store = await newStore();
    const sizes = [0, 1, 999, draw.int(1000, 70_000), 300_000];
    for (const size of sizes) {
      const content = draw.bytes(size);
      const digest = digestOf(content);
      const chunk = Math.max(1, Math.ceil(size / draw.int(1, 50)));
      expect(await store.put(content, chunk), `${size} bytes in chunks of ${chunk}`).toEqual({ digest, size });
      expect(store.digestAt(digest), `${size} bytes in chunks of ${chunk}`).toBe(digest);
    }
    expect(store.blobs()).toHaveLength(sizes.length);
    expect(store.others(), 'the files beside the blobs').toEqual(['oci-layout']);
  });

  test('task 2: a blob that is not finished has no name', async () => {
    const store = await newStore();
    const [one, other] = [anyContent(), anyContent()];
    const whole = Buffer.concat([one, other]);
    await subject.call('begin', store.root, 'slow');
    expect(await subject.call('add', 'slow', one), 'the size so far').toBe(one.length);
    expect(store.blobs(), 'half written').toEqual([]);
    expect(await subject.call('add', 'slow', other), 'the size so far').toBe(whole.length);
    expect(store.blobs(), 'written and not finished').toEqual([]);
    expect(await subject.call('finish', 'slow')).toEqual({ digest: digestOf(whole), size: whole.length });
    expect(store.blobs(), 'finished and not published').toEqual([]);
    await subject.call('publish', 'slow');
    expect(store.blobs(), 'published').toEqual([hexOf(digestOf(whole))]);
  });

  test('task 2: two writers of the same blob both succeed', async () => {
    const store = await newStore();
    const [one, other] = [anyContent(), anyContent()];
    const whole = Buffer.concat([one, other]);
    const blob = { digest: digestOf(whole), size: whole.length };
    for (const name of ['a', 'b']) await subject.call('begin', store.root, name);
    for (const name of draw.some(['a', 'b'])) await subject.call('add', name, one);
    const [first, second] = draw.some(['a', 'b']);
    await subject.call('add', first!, other);
    expect(await subject.call('finish', first!)).toEqual(blob);
    await subject.call('publish', first!);
    expect(store.digestAt(blob.digest)).toBe(blob.digest);
    await subject.call('add', second!, other);
    expect(await subject.call('finish', second!)).toEqual(blob);
    await subject.call('publish', second!);
    expect(store.digestAt(blob.digest)).toBe(blob.digest);
    expect({ blobs: store.blobs(), others: store.others() }).toEqual({
      blobs: [hexOf(blob.digest)],
      others: ['oci-layout'],
    });
  });

  test('task 2: an abandoned blob leaves no file and no open descriptor', async () => {
    const store = await newStore();
    await store.put(anyContent());
    const before = descriptors();
    for (let round = 0; round < 5; round++) {
      await subject.call('begin', store.root, 'given up');
      await subject.call('add', 'given up', anyContent());
      if (draw.boolean()) await subject.call('finish', 'given up');
      for (let times = 0; times < 2; times++) await subject.call('abandon', 'given up');
      await store.put(anyContent());
    }
    expect(store.others(), 'the files beside the blobs').toEqual(['oci-layout']);
    expect(store.blobs()).toHaveLength(6);
    await expectDescriptors(before);
  });

  test('task 2: abandon does not remove a blob that was published', async () => {
    const store = await newStore();
    const content = anyContent();
    await subject.call('begin', store.root, 'done');
    await subject.call('add', 'done', content);
    await subject.call('finish', 'done');
    await subject.call('publish', 'done');
    for (let times = 0; times < 2; times++) await subject.call('abandon', 'done');
    expect(store.blobs(), 'after publish and abandon').toEqual([hexOf(digestOf(content))]);
    expect(store.digestAt(digestOf(content))).toBe(digestOf(content));
  });

  test('task 2: finish answers the same again, and nothing can be added after it', async () => {
    const store = await newStore();
    const content = anyContent();
    const blob = { digest: digestOf(content), size: content.length };
    await subject.call('begin', store.root, 'finished');
    await subject.call('add', 'finished', content);
    for (let times = 0; times < 3; times++)
      expect(await subject.call('finish', 'finished'), `finish, call ${times + 1}`).toEqual(blob);
    await refused('a write after finish', 'add', 'finished', anyContent());
    expect(await subject.call('finish', 'finished'), 'finish after the refused write').toEqual(blob);
    await subject.call('publish', 'finished');
    expect(store.digestAt(blob.digest)).toBe(blob.digest);
  });

  test('task 2: what a killed writer has left is removed when the store is opened again', async () => {
    const store = await newStore();
    const before = store.others();
    await subject.call('startNeighbour', 'killed');
    await subject.call('inNeighbour', 'killed', 'begin', store.root);
    await subject.call('inNeighbour', 'killed', 'add', anyContent().toString('base64'));
    await subject.call('killNeighbour', 'killed');
    expect(store.blobs(), 'the blobs after the writer was killed').toEqual([]);
    await subject.call('openLayout', store.root);
    expect(store.others(), 'the files beside the blobs, after openLayout').toEqual(before);
    const { digest } = await store.put(anyContent());
    expect(store.digestAt(digest)).toBe(digest);
  });

  test('task 2: what a living process is writing is kept when the store is opened again', async () => {
    const store = await newStore();
    const content = ['own', 'other'].map(() => [anyContent(), anyContent()] as const);
    const [[own, own2], [other, other2]] = content as [(typeof content)[0], (typeof content)[0]];
    await subject.call('begin', store.root, 'own');
    await subject.call('add', 'own', own);
    await subject.call('startNeighbour', 'writes');
    await subject.call('inNeighbour', 'writes', 'begin', store.root);
    await subject.call('inNeighbour', 'writes', 'add', other.toString('base64'));
    await subject.call('openLayout', store.root);
    const user = anotherUser();
    if (user !== undefined) {
      // kill(2) answers EPERM there for a process that is very much alive.
      await subject.call('openToAll', store.root);
      await subject.call('startNeighbour', 'another user', user);
      await subject.call('inNeighbour', 'another user', 'openLayout', store.root);
      await subject.call('killNeighbour', 'another user');
    }
    await subject.call('add', 'own', own2);
    const ownBlob = (await subject.call('finish', 'own')) as Blob;
    await subject.call('publish', 'own');
    await subject.call('inNeighbour', 'writes', 'add', other2.toString('base64'));
    const otherBlob = (await subject.call('inNeighbour', 'writes', 'end')) as Blob;
    await subject.call('killNeighbour', 'writes');
    expect([ownBlob.digest, otherBlob.digest]).toEqual([
      digestOf(Buffer.concat([own, own2])),
      digestOf(Buffer.concat([other, other2])),
    ]);
    for (const { digest } of [ownBlob, otherBlob]) expect(store.digestAt(digest)).toBe(digest);
  });

  test('task 2: the bytes are on the disk before they have their name', async () => {
    const store = await newStore();
    // Loading parts of a module when they are first needed also asks things of the disk.
    await store.put(anyContent());
    // A sync that is not awaited is in time now and then, so once is not enough.
    const contents = Array.from({ length: 12 }, () => anyContent());
    const { calls } = await traceSyscalls(subject, async () => {
      for (const content of contents) await store.put(content);
    });
    for (const content of contents) {
      expect(store.digestAt(digestOf(content))).toBe(digestOf(content));
      expectSynced(calls, hexOf(digestOf(content)));
    }
  });

  test('task 2: other tools can read the store', async () => {
    const store = await newStore();
    const layers = [nonce(), nonce()];
    const { manifest, put } = image(layers);
    for (const content of draw.some(put)) await store.put(Buffer.from(content));
    const index = {
      schemaVersion: 2,
      manifests: [{ ...descriptor(manifest, 'manifest'), annotations: { 'org.opencontainers.image.ref.name': 'box' } }],
    };
    await subject.call('writeFile', store.root, 'index.json', Buffer.from(JSON.stringify(index)));
    for (const content of put) expect(store.digestAt(digestOf(content))).toBe(digestOf(content));
    if (!hasSkopeo()) return;
    // A path below /proc/PID/root is not one that another program would follow.
    const copy = mkdtempSync(join(tmpdir(), 'skiff-lab-store-'));
    onTestFinished(() => rmSync(copy, { recursive: true }));
    cpSync(store.outside, copy, { recursive: true });
    const said = execFileSync('skopeo', ['inspect', `oci:${copy}:box`], { encoding: 'utf8', timeout: 60_000 });
    expect(JSON.parse(said).Layers).toEqual(layers.map(digestOf));
  });
});

/** @param calls in the order in which they ended. @param name of the blob. */
function expectSynced(calls: SystemCall[], name: string): void {
  const done = calls.filter(({ result }) => result >= 0);
  const end = done.findIndex(({ to }) => to?.endsWith(`/sha256/${name}`));
  if (end < 0)
    throw new Error(
      'The blob should get its name by rename(2) or link(2), when it is complete; the kernel saw neither.',
    );
  // A file may have had several names on its way.
  const names = new Set([done[end]!.path]);
  for (const { path, to } of done.slice(0, end).reverse()) if (to !== undefined && names.has(to)) names.add(path);
  const about = done.filter(
    ({ call, path, to }) => names.has(path) || names.has(to ?? '') || call === 'sync' || call === 'syncfs',
  );
  const named = about.indexOf(done[end]!);
  const lastWrite = about.findLastIndex(({ call }) => call === 'write' || call === 'truncate');
  const synced = about.findIndex(({ call }, at) => at > lastWrite && /sync/.test(call));
  if (lastWrite < named && synced >= 0 && synced < named) return;
  const lines = about.map(
    ({ call, path, to }) => `  ${call} ${shortened(path)}${to === undefined ? '' : ` → ${shortened(to)}`}`,
  );
  throw new Error(
    'fsync(2) or fdatasync(2) of the file should have returned after its last write, and before rename(2) gives it its ' +
      `name. The kernel saw, in the order in which the calls ended:\n${lines.join('\n')}`,
  );
}

const shortened = (path: string) => path.split('/').slice(-2).join('/');

/** A user of the sandbox that may not signal the subject; undefined where the sandbox has one user only. */
function anotherUser(): number | undefined {
  if (!subject.scratch.startsWith('/slot')) return undefined;
  const map = idMap(subject.pid, 'uid');
  const user = 1000;
  return map.some(({ containerID, size }) => containerID <= user && user < containerID + size) ? user : undefined;
}

describe('reading', () => {
  const readsAs = (store: { root: string }, digest: string, content: Uint8Array, most = 1 << 20) =>
    subject.call('readsAs', store.root, digest, most, content);

  test('task 3: the bytes of a blob are read', async () => {
    const store = await givenStore();
    for (const size of [0, draw.int(1, 5000), 100_000]) {
      const content = draw.bytes(size);
      const digest = await store.place(content);
      expect(await readsAs(store, digest, content), `${size} bytes are read as they are`).toBe(true);
      expect(await readsAs(store, digest, content, size), `${size} bytes of at most ${size}`).toBe(true);
    }
  });

  test('task 3: a blob that is not in the store is BlobNotFound', async () => {
    const store = await givenStore();
    const content = anyContent();
    const digest = await store.place(content);
    const error = await refused('a blob that is not in the store', 'readBlob', store.root, anyDigest(), 10);
    expect(error.name).toBe('BlobNotFound');
    await refused('a path instead of a digest', 'readBlob', store.root, 'sha256:../../oci-layout', 100);
    expect(await readsAs(store, digest, content)).toBe(true);
  });

  test('task 3: a damaged blob is BlobCorrupt', async () => {
    const store = await givenStore();
    for (let round = 0; round < 6; round++) {
      const content = anyContent();
      const { length } = content;
      const digest = await store.place(content);
      expect(await readsAs(store, digest, content), 'before it is damaged').toBe(true);
      const [how, at] = draw.pick([
        ['flip', draw.int(0, length - 1)],
        ['size', draw.int(0, length - 1)],
        ['size', length + 1],
      ] as const);
      await store.damage(digest, how, at);
      const what = how === 'flip' ? `byte ${at} of ${length} flipped` : `${at} instead of ${length} bytes`;
      const error = await refused(`a blob with ${what}`, 'readBlob', store.root, digest, 1 << 20);
      expect(error.name, what).toBe('BlobCorrupt');
    }
  });

  test('task 3: a damaged blob is whole after it was written again', async () => {
    const store = await newStore();
    const content = anyContent();
    const { digest } = await store.put(content);
    for (const [how, at] of [
      ['flip', draw.int(0, content.length - 1)],
      ['size', draw.int(0, content.length - 1)],
    ] as const) {
      await store.damage(digest, how, at);
      expect(await store.put(content)).toEqual({ digest, size: content.length });
      expect(store.digestAt(digest), 'the digest of what is written again').toBe(digest);
      expect(await readsAs(store, digest, content)).toBe(true);
    }
  });

  test('task 3: a blob of more than `most` bytes is BlobCorrupt, and is not read', async () => {
    const store = await givenStore();
    const content = anyContent();
    const { length } = content;
    const digest = await store.place(content);
    const error = await refused(`${length} of at most ${length - 1} bytes`, 'readBlob', store.root, digest, length - 1);
    expect(error.name).toBe('BlobCorrupt');
    expect(await readsAs(store, digest, content, length)).toBe(true);
    // Bytes that are on no disk: to read them takes no more than time and memory.
    const size = draw.int(100, 200) * 2 ** 20;
    await store.damage(digest, 'size', size);
    const before = bytesRead();
    const tooLarge = await refused(`${size} of at most ${length} bytes`, 'readBlob', store.root, digest, length);
    expect(tooLarge.name).toBe('BlobCorrupt');
    const read = bytesRead() - before;
    // NaN where the kernel does not say.
    if (read > 2 ** 24)
      throw new Error(
        `A blob of ${size} bytes should be refused before it is read; the process read ${read} bytes (rchar in /proc/${subject.pid}/io).`,
      );
    await store.damage(digest, 'size', 40 * 2 ** 30);
    expect((await refused(`40 GiB of at most ${length} bytes`, 'readBlob', store.root, digest, length)).name).toBe(
      'BlobCorrupt',
    );
  });

  test('task 3: a refused read leaves no descriptor open', async () => {
    const store = await givenStore();
    const contents = Array.from({ length: 5 }, () => anyContent());
    const digests: string[] = [];
    for (const content of contents) digests.push(await store.place(content));
    expect(await readsAs(store, digests[0]!, contents[0]!)).toBe(true);
    const before = descriptors();
    for (const [index, digest] of digests.entries()) {
      const { length } = contents[index]!;
      expect(await readsAs(store, digest, contents[index]!)).toBe(true);
      await refused('a blob that is too large', 'readBlob', store.root, digest, length - 1);
      await store.damage(digest, 'flip', draw.int(0, length - 1));
      await refused('a damaged blob', 'readBlob', store.root, digest, length);
    }
    await expectDescriptors(before);
  });

  test('task 3: a blob that is not what was expected gets no name', async () => {
    const store = await newStore();
    const content = anyContent();
    const digest = digestOf(content);
    const size = content.length;
    const wrong: Partial<Blob>[] = [
      { digest: anyDigest() },
      { size: size - 1 },
      { size: size + 1 },
      { size: 0 },
      { digest, size: size + draw.int(1, 100) },
      { digest: anyDigest(), size },
    ];
    for (const expected of draw.some(wrong)) {
      const error = await refused(`expected ${JSON.stringify(expected)}`, 'put', store.root, content, 400, expected);
      expect(error.name, JSON.stringify(expected)).toBe('BlobCorrupt');
    }
    expect({ blobs: store.blobs(), others: store.others() }).toEqual({ blobs: [], others: ['oci-layout'] });
    for (const expected of [{}, { digest }, { size }, { digest, size }])
      expect(await store.put(content, 400, expected)).toEqual({ digest, size });
    expect(store.digestAt(digest)).toBe(digest);
  });

  test('task 3: finish compares again each time it is asked', async () => {
    const store = await newStore();
    const content = anyContent();
    const blob = { digest: digestOf(content), size: content.length };
    await subject.call('begin', store.root, 'asked again');
    await subject.call('add', 'asked again', content);
    expect(await subject.call('finish', 'asked again', draw.pick([{}, blob]))).toEqual(blob);
    for (const expected of [{ digest: anyDigest() }, { size: blob.size + 1 }]) {
      const error = await refused(`finish again, with ${JSON.stringify(expected)}`, 'finish', 'asked again', expected);
      expect(error.name).toBe('BlobCorrupt');
      expect(await subject.call('finish', 'asked again', blob)).toEqual(blob);
    }
    await subject.call('abandon', 'asked again');
  });
});

/** Bytes that the subject has read by now, of whatever; NaN where the judge may not know. proc_pid_io(5). */
function bytesRead(): number {
  try {
    const text = readFileSync(`/proc/${subject.pid}/io`, 'utf8');
    return Number(/^rchar: (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
  } catch {
    return Number.NaN;
  }
}

describe('garbage', () => {
  const find = (present: string[], roots: string[], documents: Record<string, string>) =>
    subject.call('garbageOf', present, roots, documents);
  const documentsOf = (...texts: string[]) => Object.fromEntries(texts.map((text) => [digestOf(text), text]));
  const words = (least: number, most: number) => Array.from({ length: draw.int(least, most) }, nonce);
  const index = (...manifests: [string, 'manifest' | 'index'][]) =>
    JSON.stringify({
      schemaVersion: 2,
      manifests: manifests.map(([text, kind]) => descriptor(text, kind)),
      [nonce()]: 0,
    });

  /** All of `kept` and `stray` are present; the answer must be `stray`, in the order of `present`. */
  async function expectGarbage(kept: string[], stray: string[], roots: string[], documents: string[]): Promise<void> {
    const present = draw.some([...new Set([...kept, ...stray])]).map(digestOf);
    const strays = new Set(stray.map(digestOf));
    expect(await find(present, roots.map(digestOf), documentsOf(...documents))).toEqual(
      present.filter((digest) => strays.has(digest)),
    );
  }

  test('task 4: the blobs of an image stay, and all others are returned in the order of `present`', async () => {
    for (let round = 0; round < 3; round++) {
      const box = image(words(1, 6));
      const stray = words(2, 8);
      await expectGarbage(box.put, stray, [box.manifest], [box.manifest]);
      await expectGarbage([], [...box.put, ...stray], [], [box.manifest]);
    }
  });

  test('task 4: a layer that two images share is garbage when both are gone', async () => {
    const base = words(1, 3);
    const [box, bag] = [image([...base, ...words(1, 3)]), image([...base, ...words(1, 3)])];
    const documents = [box.manifest, bag.manifest];
    const stray = words(1, 3);
    await expectGarbage([...box.put, ...bag.put], stray, draw.some(documents), documents);
    const onlyBox = box.put.filter((text) => !bag.put.includes(text));
    await expectGarbage(bag.put, [...onlyBox, ...stray], [bag.manifest], documents);
    await expectGarbage([], [...new Set([...box.put, ...bag.put]), ...stray], [], documents);
  });

  test('task 4: an index keeps its manifests, and what they name', async () => {
    const [arm, amd, riscv] = [image(words(1, 3)), image(words(1, 3)), image(words(1, 3))];
    const inmost = index([riscv.manifest, 'manifest']);
    const inner = index([amd.manifest, 'manifest'], [inmost, 'index']);
    const outer = index([arm.manifest, 'manifest'], [inner, 'index']);
    const kept = [...arm.put, ...amd.put, ...riscv.put, inmost, inner, outer];
    const documents = [arm.manifest, amd.manifest, riscv.manifest, inmost, inner, outer];
    const stray = words(2, 5);
    await expectGarbage(kept, stray, [outer], documents);
    await expectGarbage(riscv.put.concat(inmost), [...stray, outer, ...arm.put], [inmost], documents);
  });

  test('task 4: a manifest of an index that is not present is passed over', async () => {
    const here = image(words(1, 3));
    const outer = index(
      ...draw.some<[string, 'manifest']>([
        [nonce(), 'manifest'],
        [here.manifest, 'manifest'],
        [nonce(), 'manifest'],
      ]),
    );
    const stray = words(2, 5);
    await expectGarbage([...here.put, outer], stray, [outer], [here.manifest, outer]);
  });

  test('task 4: a document that is named many times is followed once', async () => {
    const box = image(words(1, 3));
    const ladder = [box.manifest];
    const steps = draw.int(30, 60);
    while (ladder.length <= steps) {
      const next: [string, 'manifest' | 'index'] = [ladder.at(-1)!, ladder.length === 1 ? 'manifest' : 'index'];
      ladder.push(index(next, next));
    }
    await expectGarbage([...box.put, ...ladder], words(2, 5), [ladder.at(-1)!], ladder);
  });

  test('task 4: a manifest that another one names as a layer keeps what it names', async () => {
    const inner = image(words(1, 3));
    const pretender = image(draw.some([...words(0, 2), inner.manifest]));
    const both = [pretender.manifest, inner.manifest];
    const kept = [...pretender.put, ...inner.put];
    for (const order of [both, both.toReversed()]) {
      const outer = index(...order.map((text): [string, 'manifest'] => [text, 'manifest']));
      await expectGarbage([...kept, outer], words(2, 5), [outer], [...both, outer]);
      await expectGarbage(kept, words(2, 5), order, both);
    }
    await expectGarbage(pretender.put, words(2, 5), [pretender.manifest], [pretender.manifest]);
  });

  test('task 4: when a document cannot be read, nothing is called garbage', async () => {
    const [box, bag] = [image(words(1, 3)), image(words(1, 3))];
    const outer = index([box.manifest, 'manifest'], [bag.manifest, 'manifest']);
    const kept = [...box.put, ...bag.put, outer];
    const stray = words(2, 4);
    const documents = [box.manifest, bag.manifest, outer];
    await expectGarbage(kept, stray, [outer], documents);
    const present = draw.some([...kept, ...stray]).map(digestOf);
    const without = (text: string) => documentsOf(...documents.filter((each) => each !== text));
    const lost = draw.pick([box.manifest, bag.manifest]);
    const ask = (what: string, roots: string[], known: Record<string, string>) =>
      refused(what, 'garbageOf', present, roots.map(digestOf), known);
    await ask('a root that cannot be read', [box.manifest], without(box.manifest));
    await ask('an index that cannot be read', [outer], without(outer));
    await ask('a manifest of an index, present, that cannot be read', [outer], without(lost));
    await ask('a manifest that is not JSON', [outer], { ...without(lost), [digestOf(lost)]: lost.slice(0, -9) });
    await expectGarbage(kept, stray, [outer], documents);
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
  // Asked by running it: a directory of PATH may be one that this user cannot look into.
  return spawnSync('skopeo', ['--version']).error === undefined;
}
