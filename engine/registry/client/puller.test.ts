import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Images } from '../../image/images.ts';
import { parseReference } from '../../image/reference.ts';
import type { PullEvent } from '../contract/pull.ts';
import { RecordingRegistry, send, type Trick } from '../testing/recording-registry.ts';
import {
  addImage,
  addIndex,
  addManifest,
  type Descriptor,
  digestOf,
  type ImageOptions,
} from '../testing/test-image.ts';
import type { Credentials } from './credentials.ts';
import { Puller, type PullRequest } from './puller.ts';
import { Registries } from './registries.ts';

let directory: string;
let registry: RecordingRegistry;
let registries: Registries;
let images: Images;
let puller: Puller;

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-pull-'));
  registry = await RecordingRegistry.start();
  registries = new Registries({ certificates: [] });
  images = await Images.open(directory);
  puller = new Puller(images, registries);
});
afterEach(async () => {
  await registries.close();
  await registry.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Bytes that gzip cannot make smaller. */
function noise(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed + 1;
  for (let at = 0; at < size; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

async function offer(options: Partial<ImageOptions> = {}, tag = 'some/name:latest'): Promise<Descriptor> {
  const layers: Record<string, Buffer>[] = [{ 'a.bin': noise(1 << 20, 1) }, { 'b.bin': noise(1 << 20, 2) }];
  const image = await addImage(registry.content, { layers, ...options });
  registry.tags.set(tag, image);
  return image;
}

function layersOf({ digest }: Descriptor): Descriptor[] {
  return JSON.parse(registry.content.manifests.get(digest)!.bytes.toString()).layers;
}

function pull(options: Partial<Omit<PullRequest, 'reference'>> & { name?: string } = {}) {
  const { name = 'some/name', ...rest } = options;
  const reference = parseReference(`${registry.host}/${name}`);
  return puller.pull({ reference, signal: new AbortController().signal, ...rest });
}

/** Nothing of any image is left. */
async function expectNothing(): Promise<void> {
  expect(await images.list()).toEqual([]);
  expect(await images.store.list()).toEqual([]);
  expect(fs.readdirSync(path.join(directory, 'oci/scratch'))).toEqual([]);
  expect(fs.readdirSync(path.join(directory, 'snapshots')).filter((name) => name !== 'scratch')).toEqual([]);
  expect(fs.readdirSync(path.join(directory, 'snapshots/scratch'))).toEqual([]);
}

const forPath =
  (part: string, trick: Trick): Trick =>
  (request, response, times) =>
    (request.url ?? '').includes(part) ? trick(request, response, times) : false;

describe('a connection that breaks', () => {
  test('goes on where it was, with a Range request', async () => {
    const image = await offer();
    const [layer] = layersOf(image);
    const half = Math.floor(layer!.size / 2);
    registry.tricks.push(
      forPath(layer!.digest, (_, response, times) => {
        if (times > 1) return false;
        response.writeHead(200, { 'content-length': layer!.size });
        response.write(registry.content.blobs.get(layer!.digest)!.subarray(0, half), () => response.destroy());
        return true;
      }),
    );
    const events: PullEvent[] = [];
    await pull({ onEvent: (event) => events.push(event) });
    const ranges = registry.requests(layer!.digest).map(({ headers }) => headers.range);
    expect(ranges).toHaveLength(2);
    expect(ranges[0]).toBeUndefined();
    expect(Number(/^bytes=(\d+)-$/.exec(ranges[1]!)![1])).toBeGreaterThan(0);
    expect(events).toContainEqual({ type: 'retrying', digest: layer!.digest, seconds: 1 });
  });

  test('goes on from the beginning where the registry does not know ranges', async () => {
    const image = await offer();
    const [layer] = layersOf(image);
    const bytes = registry.content.blobs.get(layer!.digest)!;
    registry.tricks.push(
      forPath(layer!.digest, (_, response, times) => {
        response.writeHead(200, { 'content-length': bytes.length });
        if (times > 2) response.end(bytes);
        else response.write(bytes.subarray(0, 300_000 * times), () => response.destroy());
        return true;
      }),
    );
    expect((await pull()).image.manifest).toBe(image.digest);
  });

  test('a range that begins elsewhere is refused', async () => {
    const [layer] = layersOf(await offer());
    const bytes = registry.content.blobs.get(layer!.digest)!;
    registry.tricks.push(
      forPath(layer!.digest, (_, response, times) => {
        if (times === 1) {
          response.writeHead(200, { 'content-length': bytes.length });
          response.write(bytes.subarray(0, 300_000), () => response.destroy());
        } else send(response, 206, bytes.subarray(900_000), { 'content-range': `bytes 900000-${bytes.length - 1}/*` });
        return true;
      }),
    );
    await expect(pull()).rejects.toThrow(/goes on elsewhere/);
    await expectNothing();
  });

  test('that breaks again and again without a byte ends the pull', async () => {
    const [layer] = layersOf(await offer());
    registry.tricks.push(
      forPath(layer!.digest, (_, response) => {
        response.writeHead(200, { 'content-length': layer!.size });
        response.flushHeaders();
        setImmediate(() => response.destroy());
        return true;
      }),
    );
    puller = new Puller(images, registries, { firstWait: 1 });
    await expect(pull()).rejects.toThrow(
      `cannot fetch the layer ${layer!.digest} (registry ${registry.host}, repository some/name): ${registry.host}: the connection broke`,
    );
    expect(registry.requests(layer!.digest)).toHaveLength(5);
  });
});

test('the first layer that fails ends the others at once', async () => {
  const [first, second] = layersOf(await offer());
  let hasBegun = () => {};
  const begun = new Promise<void>((resolve) => {
    hasBegun = resolve;
  });
  let hasEnded = () => {};
  const ended = new Promise<void>((resolve) => {
    hasEnded = resolve;
  });
  registry.tricks.push(
    forPath(first!.digest, async (_, response) => {
      await begun;
      send(response, 403, '{}');
      return true;
    }),
    forPath(second!.digest, (_, response) => {
      // Never more than its first byte.
      response.on('close', hasEnded);
      response.writeHead(200, { 'content-length': second!.size });
      response.write(registry.content.blobs.get(second!.digest)!.subarray(0, 1), () => hasBegun());
      return true;
    }),
  );
  await expect(pull()).rejects.toThrow(`cannot fetch the layer ${first!.digest}`);
  await ended;
  await expectNothing();
});

describe('a registry that lies', () => {
  const lies: [name: string, lie: (layer: Descriptor, bytes: Buffer) => Buffer, message: RegExp][] = [
    [
      'about the digest of a layer',
      (_, bytes) => Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8, 7)]),
      /use the layer/,
    ],
    ['about its size: more comes', (_, bytes) => Buffer.concat([bytes, bytes]), /the registry says it has \d+ bytes/],
    ['about its content: it is not compressed as it says', (layer) => Buffer.alloc(layer.size, 'x'), /use the layer/],
  ];
  test.each(lies)('%s is named, and nothing is left', async (_, lie, message) => {
    const [layer] = layersOf(await offer());
    registry.content.blobs.set(layer!.digest, lie(layer!, registry.content.blobs.get(layer!.digest)!));
    const failed = pull();
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toThrow(layer!.digest);
    await expectNothing();
  });

  test('about its size without saying so is found out while the bytes come', async () => {
    const [layer] = layersOf(await offer());
    const bytes = registry.content.blobs.get(layer!.digest)!;
    registry.tricks.push(
      forPath(layer!.digest, (_, response) => {
        response.writeHead(200);
        response.end(Buffer.concat([bytes, Buffer.from('more')]));
        return true;
      }),
    );
    await expect(pull()).rejects.toThrow(`more than the ${layer!.size} bytes come that it should have`);
    await expectNothing();
  });

  test('about the uncompressed layer is named', async () => {
    const digest = digestOf(Buffer.from('another'));
    await offer({ document: (config) => ({ ...config, rootfs: { type: 'layers', diff_ids: [digest, digest] } }) });
    await expect(pull()).rejects.toThrow(/use the layer sha256:.*unpacks to sha256:.*but its image says/);
    await expectNothing();
  });

  test('about the digest of a manifest is named', async () => {
    const image = await offer();
    const { mediaType, bytes } = registry.content.manifests.get(image.digest)!;
    registry.content.manifests.set(image.digest, { mediaType, bytes: Buffer.concat([bytes, Buffer.from(' ')]) });
    await expect(pull()).rejects.toThrow(/cannot fetch the manifest latest .* its bytes have the digest/);
    await expect(pull({ name: `some/name@${image.digest}` })).rejects.toThrow(/its bytes have the digest/);
    await expectNothing();
  });

  test('about its configuration is named', async () => {
    const image = await offer();
    const { config } = JSON.parse(registry.content.manifests.get(image.digest)!.bytes.toString());
    registry.content.blobs.set(config.digest, Buffer.alloc(config.size, '{'));
    await expect(pull()).rejects.toThrow(`cannot fetch the configuration ${config.digest}`);
    await expectNothing();
  });
});

describe('what is refused by name', () => {
  const manifest = (bytes: string, mediaType: string) => {
    registry.tags.set('some/name:latest', addManifest(registry.content, Buffer.from(bytes), mediaType));
  };
  const OCI = 'application/vnd.oci.image.manifest.v1+json';
  const INDEX = 'application/vnd.oci.image.index.v1+json';

  test('a page of HTML', async () => {
    manifest('<html>welcome</html>', 'text/html; charset=utf-8');
    await expect(pull()).rejects.toThrow('it sends a page of HTML instead of a manifest');
  });
  test('a manifest that is not JSON', async () => {
    manifest('}', OCI);
    await expect(pull()).rejects.toThrow('is not JSON');
  });
  test('schema 1', async () => {
    manifest('{"schemaVersion":1,"name":"x"}', 'application/vnd.docker.distribution.manifest.v1+prettyjws');
    await expect(pull()).rejects.toThrow('its manifest is of schema 1');
  });
  test('an artifact', async () => {
    const config = { mediaType: 'application/vnd.example.chart', digest: digestOf(Buffer.from('{}')), size: 2 };
    manifest(JSON.stringify({ schemaVersion: 2, config, layers: [] }), OCI);
    await expect(pull()).rejects.toThrow(
      'it is not an image but an artifact of the type application/vnd.example.chart',
    );
  });
  test('a foreign layer', async () => {
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    await offer({ manifest: (made) => ({ ...made, layers: made.layers.map((layer) => ({ ...layer, mediaType })) }) });
    await expect(pull()).rejects.toThrow(/its layer sha256:[0-9a-f]{64} is foreign/);
  });
  test('a type that differs inside and outside', async () => {
    manifest(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] }), OCI);
    await expect(pull()).rejects.toThrow(`it is sent as ${OCI} and calls itself "${INDEX}"`);
  });
  test('an index that names itself', async () => {
    const name = digestOf(Buffer.from('self'));
    const platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: INDEX, digest: name, size: 300, platform }] }).padEnd(
        300,
      ),
    );
    registry.content.manifests.set(name, { mediaType: INDEX, bytes });
    registry.tags.set('some/name:latest', addManifest(registry.content, bytes, INDEX));
    await expect(pull()).rejects.toThrow(`cannot fetch the manifest ${name}`);
  });
  test('indexes inside of indexes without end', async () => {
    let inner = await offer();
    const platform = inner.platform!;
    for (let depth = 0; depth < 5; depth += 1) inner = { ...addIndex(registry.content, [inner]), platform };
    registry.tags.set('some/name:latest', inner);
    await expect(pull()).rejects.toThrow('indexes deep');
  });
  test('an image for another system', async () => {
    await offer({ os: 'windows' });
    await expect(pull()).rejects.toThrow('the image is for windows');
  });
  test('a configuration that is not JSON', async () => {
    await offer({ document: () => 'just text' });
    await expect(pull()).rejects.toThrow(/use the configuration sha256:/);
  });
  test('a configuration that would speak to the terminal', async () => {
    const Labels = { '\u001b]0;TITLE\u0007\u001b[2J': 5 };
    await offer({ document: (config) => ({ ...config, config: { Labels } }) });
    const failed = pull();
    await expect(failed).rejects.toThrow(']0;TITLE');
    await expect(failed).rejects.not.toThrow(/\p{Cc}/u);
  });
  test('a configuration with another number of layers', async () => {
    await offer({ document: (config) => ({ ...config, rootfs: { type: 'layers', diff_ids: [] } }) });
    await expect(pull()).rejects.toThrow('it names 0 layers, and the manifest 2');
  });
  test('a tag that vanishes during the pull', async () => {
    const [layer] = layersOf(await offer());
    registry.content.blobs.delete(layer!.digest);
    await expect(pull()).rejects.toThrow(`cannot fetch the layer ${layer!.digest}`);
  });
  afterEach(expectNothing);
});

describe('two pulls', () => {
  /** Holds all layers back until it is told to go on. */
  async function heldBack() {
    const image = await offer();
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    let asked = () => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    registry.tricks.push(
      forPath('/blobs/', async (request) => {
        if (!layersOf(image).some(({ digest }) => request.url!.includes(digest))) return false;
        asked();
        await opened;
        return false;
      }),
    );
    return { image, open, isAsked };
  }

  test('of the same image download each layer once', async () => {
    const { image, open, isAsked } = await heldBack();
    registry.tags.set('some/name:other', image);
    const both = [pull(), pull({ name: 'some/name:other' })];
    await isAsked;
    open();
    const [first, second] = await Promise.all(both);
    expect(second!.image.id).toBe(first!.image.id);
    for (const { digest } of layersOf(image)) expect(registry.requests(digest)).toHaveLength(1);
    expect((await images.find(first!.image.id)).repoTags).toHaveLength(2);
  });

  test('do not end with each other', async () => {
    const { image, open, isAsked } = await heldBack();
    const client = new AbortController();
    const stopped = pull({ signal: client.signal });
    stopped.catch(() => {});
    await isAsked;
    let isWaiting = () => {};
    const waits = new Promise<void>((resolve) => {
      isWaiting = resolve;
    });
    const second = pull({ onEvent: ({ type }) => type === 'layers' && setImmediate(isWaiting) });
    await waits;
    client.abort(new Error('the client has gone'));
    await expect(stopped).rejects.toThrow('the client has gone');
    open();
    expect((await second).image.manifest).toBe(image.digest);
    for (const { digest } of layersOf(image)) expect(registry.requests(digest)).toHaveLength(1);
  });

  test('a client that goes away stops its pull, and leaves nothing', async () => {
    const { isAsked } = await heldBack();
    const client = new AbortController();
    const stopped = pull({ signal: client.signal });
    stopped.catch(() => {});
    await isAsked;
    client.abort(new Error('the client has gone'));
    await expect(stopped).rejects.toThrow('the client has gone');
    await expectNothing();
  });
});

test.skipIf(process.getuid?.() !== 0)('a disk that fills is told of, with the step, and nothing is left', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', directory]);
  try {
    images = await Images.open(directory);
    puller = new Puller(images, registries);
    await offer({ layers: [{ 'a.bin': noise(1 << 20, 1) }, { 'b.bin': noise(4 << 20, 2) }] });
    await expect(pull()).rejects.toThrow(
      `cannot store the image (registry ${registry.host}, repository some/name): no space left on the disk of ${directory}`,
    );
    await expectNothing();
  } finally {
    execFileSync('umount', [directory]);
  }
});

test('of two pulls that share a layer, one does not fail with the registry of the other', async () => {
  const other = await RecordingRegistry.start();
  try {
    const image = await offer();
    const [layer] = layersOf(image);
    other.content = { ...registry.content, blobs: new Map(registry.content.blobs) };
    other.tags.set('some/name:latest', image);
    let isAsked = () => {};
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    let fail = () => {};
    const failing = new Promise<void>((resolve) => {
      fail = resolve;
    });
    registry.tricks.push(
      forPath(layer!.digest, async (_, response) => {
        isAsked();
        await failing;
        send(response, 404, '{}');
        return true;
      }),
    );
    const first = pull();
    first.catch(() => {});
    await asked;
    const second = puller.pull({
      reference: parseReference(`${other.host}/some/name`),
      signal: new AbortController().signal,
      onEvent: ({ type }) => type === 'layers' && setImmediate(fail),
    });
    await expect(first).rejects.toThrow(`cannot fetch the layer ${layer!.digest} (registry ${registry.host}`);
    expect((await second).image.manifest).toBe(image.digest);
  } finally {
    await other.close();
  }
});

describe('what was complete when a pull was broken off', () => {
  /** Lets the first layer through, and ends the pull at the second. */
  async function brokenOff(): Promise<[first: Descriptor, second: Descriptor]> {
    const [first, second] = layersOf(await offer());
    const client = new AbortController();
    let isDone = () => {};
    const done = new Promise<void>((resolve) => {
      isDone = resolve;
    });
    registry.tricks.push(
      forPath(second!.digest, async (_, response, times) => {
        if (times > 1) return false;
        await done;
        client.abort(new Error('the client has gone'));
        response.destroy();
        return true;
      }),
    );
    const broken = pull({
      signal: client.signal,
      onEvent: (event) => event.type === 'done' && event.digest === first!.digest && isDone(),
    });
    await expect(broken).rejects.toThrow('the client has gone');
    return [first!, second!];
  }

  test('is not fetched again, also after a new start', async () => {
    const [first, second] = await brokenOff();
    expect(await images.list()).toEqual([]);
    images = await Images.open(directory);
    puller = new Puller(images, registries);
    await images.collect(puller.kept());
    await pull();
    expect(registry.requests(first.digest)).toHaveLength(1);
    expect(registry.requests(second.digest)).toHaveLength(2);
    expect(puller.kept()).toEqual({ blobs: [], diffIds: [] });
  });

  test('holds nothing back when its list cannot be read', async () => {
    await offer();
    const kept = path.join(directory, 'kept-layers');
    const failed = pull({ onEvent: ({ type }) => type === 'layers' && fs.rmSync(kept, { recursive: true }) });
    await expect(failed).rejects.toThrow('kept-layers');
    fs.mkdirSync(kept);
    const { digest } = await images.store.put('left');
    await images.discard({ blobs: [digest] });
    expect(await images.store.has(digest)).toBe(false);
  });

  test('goes when it is given up', async () => {
    await brokenOff();
    expect(await images.store.list()).toHaveLength(1);
    await puller.forget();
    await expectNothing();
  });

  test('goes after a day', async () => {
    const [first] = await brokenOff();
    const file = path.join(directory, 'kept-layers', first.digest.slice('sha256:'.length));
    const old = new Date(Date.now() - 25 * 3600 * 1000);
    fs.utimesSync(file, old, old);
    await expect(pull({ name: 'some/nothing' })).rejects.toThrow('not found');
    await expectNothing();
  });
});

describe('logins', () => {
  const credentials: Credentials = { username: 'ada', password: 'secret, "quoted"' };
  const basic = `Basic ${Buffer.from('ada:secret, "quoted"').toString('base64')}`;

  test('do not follow a redirect to another host', async () => {
    const image = await offer();
    const elsewhere = await RecordingRegistry.start();
    try {
      elsewhere.content = registry.content;
      registry.tricks.push((request, response) => {
        if (request.headers.authorization !== basic) {
          send(response, 401, '{}', { 'www-authenticate': 'Basic realm="a, b"' });
          return true;
        }
        if (!request.url!.includes('/blobs/')) return false;
        response.writeHead(307, { location: `http://${elsewhere.host}${request.url}` }).end();
        return true;
      });
      await pull({ credentials });
      expect(elsewhere.requests('/blobs/')).toHaveLength(3);
      for (const { headers } of elsewhere.seen) expect(headers).not.toHaveProperty('authorization');
      for (const { digest } of layersOf(image)) expect(registry.requests(digest)[0]!.headers.authorization).toBe(basic);
    } finally {
      await elsewhere.close();
    }
  });

  /** Asks for a token, and takes the one that the server below gives. */
  function bearer(realm: string, expires?: number): Trick {
    return (request, response) => {
      const url = new URL(request.url!, 'http://x');
      if (url.pathname === '/token') {
        const token = { token: 'a.token', ...(expires !== undefined && { expires_in: expires }) };
        send(response, 200, JSON.stringify(token));
        return true;
      }
      if (request.headers.authorization === 'Bearer a.token') return false;
      const challenge = `Digest realm="x", nonce="y, z", Bearer realm="${realm}",service="a, b",scope="repository:some/name:pull", Basic realm=x`;
      send(response, 401, '{}', { 'www-authenticate': challenge });
      return true;
    };
  }

  test('buy one token for all requests of several pulls', async () => {
    await offer();
    registry.tricks.push(bearer(`http://${registry.host}/token`, 300));
    await pull({ credentials });
    await pull({ credentials });
    const asked = registry.requests('/token');
    expect(asked).toHaveLength(1);
    expect(asked[0]!.headers.authorization).toBe(basic);
    const query = new URL(asked[0]!.url, 'http://x').searchParams;
    expect(query.getAll('scope')).toEqual(['repository:some/name:pull']);
    expect(query.get('service')).toBe('a, b');
    const others = registry.seen.filter(({ url }) => !url.startsWith('/token'));
    expect(others.filter(({ headers }) => headers.authorization === basic)).toEqual([]);
  });

  test('a token server that never ends its answer holds nobody: the pull ends with its client', async () => {
    let hasAsked = () => {};
    const asked = new Promise<void>((resolve) => {
      hasAsked = resolve;
    });
    registry.tricks.push(
      forPath('/token', (_, response) => {
        response.writeHead(200);
        response.write(' ', () => hasAsked());
        return true;
      }),
      (_, response) => {
        const challenge = `Bearer realm="http://${registry.host}/token",service="x"`;
        send(response, 401, '{}', { 'www-authenticate': challenge });
        return true;
      },
    );
    const clients = [new AbortController(), new AbortController()];
    const pulls = clients.map(({ signal }) => pull({ signal }));
    for (const each of pulls) each.catch(() => {});
    await asked;
    for (const [index, client] of clients.entries()) {
      client.abort(new Error('the client has gone'));
      await expect(pulls[index]).rejects.toThrow('it is not wanted any more');
    }
    // Nothing is held any more, so what is removed goes.
    const { digest } = await images.store.put('left');
    await images.discard({ blobs: [digest] });
    expect(await images.store.list()).toEqual([]);
  });

  test('a token that is not taken any more is bought again', async () => {
    await offer();
    let taken = 0;
    registry.tricks.push(
      (request, response) => {
        if (!/\/blobs\//.test(request.url!) || taken > 0) return false;
        taken += 1;
        send(response, 401, '{}', { 'www-authenticate': `Bearer realm="http://${registry.host}/token"` });
        return true;
      },
      bearer(`http://${registry.host}/token`, 300),
    );
    await pull({ credentials });
    expect(registry.requests('/token').length).toBeGreaterThan(1);
  });

  test('an identity token is exchanged, and sent to the token server only', async () => {
    await offer();
    registry.tricks.push(bearer(`http://${registry.host}/token`));
    await pull({ credentials: { identityToken: 'identity' } });
    expect(registry.requests('/token')[0]!.method).toBe('POST');
    expect(JSON.stringify(registry.seen)).not.toContain('identity');
  });

  test.each(['ftp://x/token', 'no URL', ''])('a token server at "%s" is refused', async (realm) => {
    await offer();
    registry.tricks.push(bearer(realm));
    const failed = pull({ credentials });
    await expect(failed).rejects.toThrow(/token server/);
    await expect(failed).rejects.not.toThrow(/secret/);
  });

  test('are in no error', async () => {
    registry.tricks.push((_, response) => {
      send(response, 401, JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'no\u001b[31m' }] }), {
        'www-authenticate': 'Basic realm=x',
      });
      return true;
    });
    const error = await pull({ credentials }).catch((each: Error) => each);
    expect(String(error)).toMatch(/unauthorized: no \[31m\. The login is wrong/);
    expect(JSON.stringify(error) + String(error)).not.toMatch(/secret|YWRh/);
  });
});

describe('a registry that wants us to wait', () => {
  test('gets its time', async () => {
    await offer();
    registry.tricks.push(
      forPath('/manifests/', (_, response, times) => {
        if (times > 2) return false;
        send(response, times === 1 ? 429 : 503, '{}', { 'retry-after': '0' });
        return true;
      }),
    );
    await pull();
    expect(registry.requests('/manifests/latest')).toHaveLength(3);
  });

  test('for too long is told of', async () => {
    registry.tricks.push(
      forPath('/manifests/', (_, response) => {
        send(response, 429, '{}', { 'retry-after': '3600' });
        return true;
      }),
    );
    await expect(pull()).rejects.toThrow(/too many requests \(429\)\. Try again in 3600 seconds/);
    expect(registry.requests('/manifests/latest')).toHaveLength(1);
  });
});

test('redirects without end are refused', async () => {
  registry.tricks.push(
    forPath('/manifests/', (request, response) => {
      response.writeHead(302, { location: request.url! }).end();
      return true;
    }),
  );
  await expect(pull()).rejects.toThrow('it redirects more than 10 times');
});

test.each(['file:///etc/passwd', 'ftp://x/y', 'http://'])('a redirect to %s is refused', async (location) => {
  registry.tricks.push(
    forPath('/manifests/', (_, response) => {
      response.writeHead(302, { location }).end();
      return true;
    }),
  );
  await expect(pull()).rejects.toThrow(/it redirects to/);
});

test('a mirror is asked first, without the login, and what it lacks comes from elsewhere', async () => {
  const mirror = await RecordingRegistry.start();
  await registries.close();
  registries = new Registries({ certificates: [], mirrors: [`http://${mirror.host}`, `http://${registry.host}`] });
  puller = new Puller(images, registries);
  try {
    const image = await offer({}, 'library/app:latest');
    const reference = parseReference('app:latest');
    const pulled = await puller.pull({
      reference,
      credentials: { username: 'a' },
      signal: new AbortController().signal,
    });
    expect(pulled.image.repoTags).toEqual(['app:latest']);
    expect(pulled.digest).toBe(image.digest);
    expect(mirror.requests('/v2/library/app/manifests/latest')).toHaveLength(1);
    for (const { headers } of [...mirror.seen, ...registry.seen]) expect(headers).not.toHaveProperty('authorization');
  } finally {
    await mirror.close();
  }
});
