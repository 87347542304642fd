import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type PushProgress, type PushRequest, push } from './client/push-with-progress.ts';
import { Registries } from './client/registries.ts';
import type { PushDescriptor } from './contract/push.ts';
import { digestOf, type Fault, type Seen, UploadRegistry } from './testing/upload-registry.ts';

const MIB = 1024 * 1024;
let registry: UploadRegistry;
let registries: Registries;
let contents: Map<string, Buffer>;
beforeEach(async () => {
  registry = await UploadRegistry.start();
  registries = new Registries();
  contents = new Map();
});
afterEach(async () => {
  await registries.close();
  await registry.close();
});

function put(content: Buffer | string, mediaType = 'application/octet-stream'): PushDescriptor {
  const bytes = Buffer.from(content);
  const digest = digestOf(bytes);
  contents.set(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

function image(...layers: (Buffer | string)[]): PushDescriptor {
  return put(JSON.stringify({ config: put('{}'), layers: layers.map((layer) => put(layer)) }), MANIFEST);
}

/** Bytes that differ from place to place. */
function bytes(size: number, seed = 1): Buffer {
  const all = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) all.writeUInt32LE((at * 2654435761 + seed) >>> 0, at);
  return all;
}

interface Options extends Partial<PushRequest> {
  mounts?: string[];
  password?: string;
}

async function pushed(manifest: PushDescriptor, { mounts = [], password, ...options }: Options = {}) {
  const progress: PushProgress[] = [];
  const source: PushRequest['source'] = {
    document: async (digest) => contents.get(digest)!,
    mounts: () => mounts,
    read: async function* (digest, from, length) {
      const all = contents.get(digest)!.subarray(from, from + length);
      for (let at = 0; at < all.length; at += 65_536) yield all.subarray(at, at + 65_536);
    },
  };
  const credentials = password === undefined ? {} : { username: 'ada', password };
  await registries.during({ domain: registry.host, path: 'x' }, { use: 'push', credentials }, ({ transport }) =>
    push({
      transport,
      source,
      manifest,
      tag: 'latest',
      retryDelay: 1,
      onProgress: (each) => progress.push(each),
      ...options,
    }),
  );
  return progress;
}

/** The fault for the first so many requests of a kind. */
function first(count: number, method: string, path: RegExp, fault: Fault) {
  let left = count;
  registry.fault = (request: Seen) => {
    if (left === 0 || request.method !== method || !path.test(request.path)) return undefined;
    left -= 1;
    return fault;
  };
}

const sent = (method: string) => registry.seen.filter((each) => each.method === method);

describe('order', () => {
  test('every blob is there before the manifest, which comes byte for byte with its type', async () => {
    const manifest = image('one', 'two', 'three');
    await pushed(manifest);
    expect(registry.lines.at(-1)).toBe('PUT x/manifests/latest');
    expect(registry.seen.at(-1)?.headers['content-type']).toBe(MANIFEST);
    expect(registry.manifests.get('latest')).toEqual(contents.get(manifest.digest));
    expect([...registry.blobs.values()].map(String).sort()).toEqual(['one', 'three', 'two', '{}']);
  });

  test('a blob that is named several times is sent once', async () => {
    await pushed(image('same', 'same', '{}'));
    expect(sent('PUT').filter(({ path }) => path.includes('blobs')).length).toBe(2);
  });

  test('the manifests of an index come before it; those that are there are not sent', async () => {
    const [a, b] = [image('a'), image('b')];
    const index = put(JSON.stringify({ manifests: [a, b] }), INDEX);
    registry.manifests.set(a.digest, contents.get(a.digest)!);
    await pushed(index);
    const puts = registry.lines.filter((line) => line.startsWith('PUT x/manifests'));
    expect(puts).toEqual([`PUT x/manifests/${b.digest}`, 'PUT x/manifests/latest']);
    expect(registry.blobs.has(digestOf(Buffer.from('a')))).toBe(false);
  });

  test('without a tag the manifest gets its digest as its name', async () => {
    const manifest = image('a');
    await pushed(manifest, { tag: undefined });
    expect(registry.lines.at(-1)).toBe(`PUT x/manifests/${manifest.digest}`);
  });

  test('so many blobs as it may are on their way at once, and no more', async () => {
    let [now, most] = [0, 0];
    const release: (() => void)[] = [];
    registry.fault = async ({ method }) => {
      if (method === 'PUT') now -= 1;
      if (method !== 'POST') return undefined;
      now += 1;
      most = Math.max(most, now);
      await new Promise<void>((resolve) => {
        release.push(resolve);
        // The third of them lets all go on: with fewer at once the test would wait for ever.
        if (release.length % 3 === 0 || release.length > 9) for (const each of release) each();
      });
      return undefined;
    };
    await pushed(image(...Array.from({ length: 8 }, (_, n) => `layer ${n}`)), { concurrency: 3 });
    expect(most).toBe(3);
  });
});

describe('what need not be sent', () => {
  test('a blob that the repository has', async () => {
    const manifest = image('here', 'not here');
    registry.blobs.set(digestOf(Buffer.from('here')), Buffer.from('here'));
    const progress = await pushed(manifest);
    expect(sent('POST').length).toBe(2);
    expect(progress.find(({ blob, state }) => blob.size === 4 && state === 'exists')).toBeDefined();
  });

  test('a blob that the registry mounts', async () => {
    registry.mounts = true;
    const progress = await pushed(image('layer'), { mounts: ['some/where', 'else'] });
    expect(sent('PATCH').length + sent('PUT').length).toBe(1);
    expect(progress.at(-1)).toMatchObject({ state: 'mounted', from: 'some/where' });
    expect(registry.lines).toContainEqual(expect.stringMatching(/^POST x\/blobs\/uploads\/\?mount=sha256.*from=some/));
  });

  test('a registry that does not mount has begun an upload, which is used', async () => {
    await pushed(image('layer'), { mounts: ['a', 'b'] });
    expect(sent('POST').length).toBe(2);
    expect(registry.uploads.size).toBe(0);
  });

  test.each([401, 403])('a mount that is refused with %s is an ordinary upload', async (status) => {
    registry.fault = ({ path }) => (path.includes('mount=') ? { status } : undefined);
    await pushed(image('layer'), { mounts: ['secret'] });
    expect(registry.blobs.size).toBe(2);
  });
});

describe('an upload', () => {
  test('of no more than a request carries is one PUT', async () => {
    await pushed(image(bytes(MIB)), { chunkSize: MIB });
    expect(sent('PATCH')).toEqual([]);
    expect(sent('PUT').find(({ headers }) => headers['content-length'] === String(MIB))).toBeDefined();
  });

  test('of more is chunks in order, the last of them with the digest', async () => {
    await pushed(image(bytes(2.5 * MIB)), { chunkSize: MIB });
    const ranges = [...sent('PATCH'), ...sent('PUT')].map(({ headers }) => headers['content-range']).filter(Boolean);
    expect(ranges).toEqual([`0-${MIB - 1}`, `${MIB}-${2 * MIB - 1}`, `${2 * MIB}-${2.5 * MIB - 1}`]);
    expect(registry.blobs.size).toBe(2);
  });

  test('of nothing is a blob of no bytes', async () => {
    await pushed(image(''));
    expect(registry.blobs.get(digestOf(Buffer.alloc(0)))).toEqual(Buffer.alloc(0));
  });

  test('keeps to the least size of chunks that the registry asks for', async () => {
    registry.uploadHeaders = { 'OCI-Chunk-Min-Length': String(2 * MIB) };
    await pushed(image(bytes(3 * MIB)), { chunkSize: MIB });
    expect(sent('PATCH').map(({ headers }) => headers['content-length'])).toEqual([String(2 * MIB)]);
  });

  test('goes on where the registry stopped when the connection breaks', async () => {
    first(2, 'PUT', /blobs/, { cutAfter: 1.5 * MIB });
    await pushed(image(bytes(4 * MIB)), { concurrency: 1 });
    expect(registry.received).toBeLessThan(4.1 * MIB);
    expect([...registry.blobs.values()].some((blob) => blob.equals(bytes(4 * MIB)))).toBe(true);
  });

  test('goes on in the middle of a chunk, too', async () => {
    first(1, 'PATCH', /state=1048576/, { cutAfter: 1000 });
    await pushed(image(bytes(3 * MIB)), { chunkSize: MIB });
    expect(registry.received).toBeLessThan(3.1 * MIB);
    expect(registry.blobs.size).toBe(2);
  });

  test('begins anew when the registry has forgotten it', async () => {
    let cut = false;
    registry.fault = ({ method, headers }) => {
      if (cut || method !== 'PUT' || headers['content-length'] !== String(MIB)) return undefined;
      cut = true;
      registry.uploads.clear();
      return { cutAfter: 1000 };
    };
    await pushed(image(bytes(MIB)));
    expect(registry.blobs.size).toBe(2);
  });

  test('is over when only the answer was lost', async () => {
    let cut = false;
    registry.fault = ({ method, headers }) => {
      if (cut || method !== 'PUT' || headers['content-length'] !== String(MIB)) return undefined;
      cut = true;
      return { cutAnswer: true };
    };
    await pushed(image(bytes(MIB)));
    expect(registry.received).toBeLessThan(1.1 * MIB);
  });

  test('asks where to go on when a chunk does not fit', async () => {
    first(1, 'PATCH', /./, { status: 416 });
    await pushed(image(bytes(3 * MIB)), { chunkSize: MIB });
    expect(registry.blobs.size).toBe(2);
  });

  test('comes in smaller chunks when the registry takes less at once', async () => {
    registry.fault = ({ headers }) => (Number(headers['content-length']) > 2 * MIB ? { status: 413 } : undefined);
    await pushed(image(bytes(6 * MIB)), { chunkSize: 8 * MIB });
    expect(sent('PATCH').filter(({ headers }) => headers['content-length'] === String(2 * MIB)).length).toBe(2);
    expect(registry.blobs.size).toBe(2);
  });

  test.each([429, 500, 503])('is tried again after a %s', async (status) => {
    first(2, 'PUT', /blobs/, { status });
    await pushed(image('layer'));
    expect(registry.blobs.size).toBe(2);
  });

  test('ends after five failures that bring no byte further, and is cancelled', async () => {
    registry.fault = ({ method, path }) => (method === 'PUT' && path.includes('blobs') ? { status: 500 } : undefined);
    await expect(pushed(image('layer'), { concurrency: 1 })).rejects.toThrow(/cannot push the blob sha256:.* 500/);
    expect(sent('PUT').length).toBe(5);
    expect(registry.uploads.size).toBe(0);
    expect(registry.manifests.size).toBe(0);
  });

  test('ends at once when it is refused', async () => {
    first(1, 'PUT', /blobs/, { status: 403 });
    await expect(pushed(image('layer'), { concurrency: 1 })).rejects.toThrow(/denied/);
    expect(sent('PUT').length).toBe(1);
  });

  test('tells how far it is', async () => {
    const progress = await pushed(image(bytes(MIB)), { concurrency: 1 });
    const own = progress.filter(({ blob }) => blob.size === MIB);
    expect(own[0]?.state).toBe('waiting');
    expect(own.at(-1)?.state).toBe('pushed');
    expect(own.filter(({ state }) => state === 'pushing').at(-1)?.sent).toBe(MIB);
  });
});

describe('an end', () => {
  test('one failure ends the other uploads, which are cancelled, and no manifest is sent', async () => {
    const stopped = new Map<string, () => void>();
    registry.fault = async ({ method, headers, path }) => {
      if (method !== 'PUT') return undefined;
      if (headers['content-length'] === '5') return { status: 403 };
      await new Promise<void>((resolve) => stopped.set(path, resolve));
      return { cutAfter: 0 };
    };
    await expect(pushed(image('layer', bytes(MIB)))).rejects.toThrow(/denied/);
    for (const resolve of stopped.values()) resolve();
    expect(sent('DELETE').length).toBeGreaterThanOrEqual(2);
    expect(registry.uploads.size).toBe(0);
    expect(registry.manifests.size).toBe(0);
  });

  test('a client that goes away ends it, and the upload is cancelled', async () => {
    const gone = new AbortController();
    registry.fault = async ({ method }) => {
      if (method === 'PUT') gone.abort(new Error('gone'));
      return undefined;
    };
    await expect(pushed(image(bytes(8 * MIB)), { signal: gone.signal })).rejects.toThrow();
    expect(registry.uploads.size).toBe(0);
    expect(registry.manifests.size).toBe(0);
  });

  test('an upload without a place to go on is the registry’s fault', async () => {
    registry.fault = ({ method }) => (method === 'POST' ? { status: 202 } : undefined);
    await expect(pushed(image('layer'))).rejects.toThrow(/no Location/);
  });

  test('a manifest that got another digest is not pushed', async () => {
    registry.fault = ({ path }) =>
      path.includes('manifests') ? { status: 201, headers: { 'Docker-Content-Digest': 'sha256:other' } } : undefined;
    await expect(pushed(image('layer'))).rejects.toThrow(/gave the manifest latest the digest sha256:other/);
  });
});

test('a password does not follow an upload to another host', async () => {
  const elsewhere = await UploadRegistry.start();
  try {
    registry.uploadOrigin = `http://${elsewhere.host}`;
    registry.fault = ({ headers }) =>
      headers.authorization === undefined
        ? { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' } }
        : undefined;
    elsewhere.fault = () => ({ status: 201 });
    const manifest = image('layer');
    await pushed(manifest, { password: 'secret' });
    expect(registry.seen.some(({ headers }) => headers.authorization?.startsWith('Basic '))).toBe(true);
    expect(elsewhere.seen.length).toBe(2);
    for (const { headers } of elsewhere.seen) expect(headers.authorization).toBeUndefined();
  } finally {
    await elsewhere.close();
  }
});
