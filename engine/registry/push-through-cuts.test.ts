import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { push } from './client/push-with-progress.ts';
import { Registries } from './client/registries.ts';
import { DebianRegistry } from './testing/debian-registry.ts';
import { startOurRegistry } from './testing/our-registry.ts';
import { digestOf } from './testing/upload-registry.ts';

const MIB = 1024 * 1024;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const REGISTRIES: Record<string, () => Promise<{ host: string }>> = {
  ...(DebianRegistry.available() && {
    'docker-registry': async () => {
      const registry = await DebianRegistry.start();
      ends.push(() => registry.close());
      return registry;
    },
  }),
  'our own registry': async () => {
    const registry = await startOurRegistry();
    ends.push(() => registry.stop());
    return registry;
  },
};

/** A way to the registry on which the first connections break after so many bytes, each. */
async function cutting(host: string, cuts: number[]): Promise<{ host: string; bytes: () => number }> {
  let bytes = 0;
  const server = net.createServer((client) => {
    const [address, port] = host.split(':');
    const target = net.connect(Number(port), address);
    let own = 0;
    client.on('data', (chunk) => {
      own += chunk.length;
      bytes += chunk.length;
      target.write(chunk);
      if (own < (cuts[0] ?? Number.POSITIVE_INFINITY)) return;
      cuts.shift();
      client.pause();
      // The client learns of the break when the registry has read what came before it, and has hung up: what is still on
      // its way when the client asks how far it got would be sent twice.
      target.removeAllListeners('data').resume();
      target.prependOnceListener('close', () => client.destroy());
      target.end();
    });
    target.on('data', (chunk) => client.write(chunk));
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.end());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(async () => server.close());
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, bytes: () => bytes };
}

describe.each(Object.keys(REGISTRIES))('a push to %s over connections that break', (kind) => {
  test.each([
    ['one request', 64 * MIB],
    ['chunks', 4 * MIB],
  ])('gets there whole, in %s', async (_form, chunkSize) => {
    const { host } = await REGISTRIES[kind]!();
    const cutter = await cutting(host, [5 * MIB, 3 * MIB, 9 * MIB]);
    const layer = randomBytes(24 * MIB);
    const parts = new Map([layer, Buffer.from('{}')].map((each) => [digestOf(each), each]));
    const [layers, config] = [...parts].map(([digest, { length }]) => ({ mediaType: 'x/y', digest, size: length }));
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layers] }));
    const registries = new Registries();
    ends.push(() => registries.close());
    await registries.during({ domain: cutter.host, path: 'x' }, { use: 'push' }, ({ transport }) =>
      push({
        transport,
        source: {
          document: async () => manifest,
          mounts: () => [],
          read: async function* (digest, from, length) {
            const all = parts.get(digest)!.subarray(from, from + length);
            for (let at = 0; at < all.length; at += 256 * 1024) yield all.subarray(at, at + 256 * 1024);
          },
        },
        manifest: { mediaType, digest: digestOf(manifest), size: manifest.length },
        tag: 'latest',
        chunkSize,
      }),
    );
    const stored = await fetch(`http://${host}/v2/x/blobs/${digestOf(layer)}`);
    expect(digestOf(Buffer.from(await stored.arrayBuffer()))).toBe(digestOf(layer));
    expect((await fetch(`http://${host}/v2/x/manifests/latest`, { headers: { Accept: mediaType } })).status).toBe(200);
    // Ours goes on where the connection broke; docker-registry 2.8 forgets the upload then, and is sent it anew.
    if (kind === 'our own registry') expect(cutter.bytes()).toBeLessThan(26 * MIB);
  });
});
