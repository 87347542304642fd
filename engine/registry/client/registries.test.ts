import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { DebianRegistry, PASSWORD, USER } from '../testing/debian-registry.ts';
import { RecordingRegistry, send } from '../testing/recording-registry.ts';
import type { Credentials } from './credentials.ts';
import { readText } from './refusal.ts';
import { Registries } from './registries.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function debian(options: Parameters<typeof DebianRegistry.start>[0] = {}): Promise<DebianRegistry> {
  const registry = await DebianRegistry.start(options);
  ends.push(() => registry.close());
  return registry;
}

function tags(domain: string, credentials: Credentials = {}, certificates: string[] = []): Promise<string> {
  const registries = new Registries({ certificates });
  ends.push(() => registries.close());
  return registries.during(
    { domain, path: 'some/name' },
    { use: 'pull', credentials },
    async ({ transport, endpoint }) => {
      const step = 'list the tags';
      const answer = await transport({ method: 'GET', path: 'tags/list', step, expect: [200, 404] });
      return `${endpoint.url} ${answer.status} ${await readText(answer, { registry: domain, step })}`;
    },
  );
}

describe.runIf(DebianRegistry.available())("Debian's docker-registry (needs docker-registry)", () => {
  test('is reached without TLS on loopback', async () => {
    const { host } = await debian();
    expect(await tags(host)).toMatch(new RegExp(`^http://${host} 404 .*NAME_UNKNOWN`));
  });

  test('is reached with TLS, its certificate not being trusted on loopback only', async () => {
    const { host } = await debian({ tls: true });
    expect(await tags(host)).toMatch(new RegExp(`^https://${host} 404 `));
  });

  test('a token server and a redirect need a certificate that is trusted, even where the registry needs none', async () => {
    // Not loopback by its name, but reached there.
    const elsewhere = `https://0.0.0.0:${(await debian({ tls: true })).host.split(':')[1]}`;
    for (const [status, headers] of [
      [401, { 'www-authenticate': `Bearer realm="${elsewhere}/token"` }],
      [307, { location: `${elsewhere}/v2/` }],
    ] as const) {
      const registry = await RecordingRegistry.start();
      ends.push(() => registry.close());
      registry.tricks.push((_, response) => {
        send(response, status, '{}', headers);
        return true;
      });
      const failed = tags(registry.host, { username: USER, password: PASSWORD });
      await expect(failed).rejects.toMatchObject({ kind: 'tls' });
    }
  });

  test('a place that it names for an upload is not asked without TLS', async () => {
    const [{ host }, plain] = [await debian({ tls: true }), await RecordingRegistry.start()];
    const registries = new Registries({ certificates: [] });
    ends.push(
      () => registries.close(),
      () => plain.close(),
    );
    const sent = registries.during({ domain: host, path: 'x' }, { use: 'push' }, ({ transport }) =>
      transport({ method: 'PUT', path: `http://${plain.host}/upload`, step: 'push', body: Buffer.from('secret') }),
    );
    await expect(sent).rejects.toThrow(`it redirects from https to http, at ${plain.host}`);
    expect(plain.seen).toEqual([]);
  });

  test('wants a login that is right, whatever characters are in it', async () => {
    const { host } = await debian({ login: true });
    expect(await tags(host, { username: USER, password: PASSWORD })).toContain(' 404 ');
    await expect(tags(host)).rejects.toThrow(
      /cannot list the tags \(registry .*, repository some\/name\): .*wants a login/,
    );
    const wrong = tags(host, { username: USER, password: 'not-this-one' });
    await expect(wrong).rejects.toThrow(/The login is wrong/);
    await expect(wrong).rejects.not.toThrow(/not-this-one/);
  });

  test('takes what is streamed to it, and gives it back', async () => {
    const { host } = await debian();
    const registries = new Registries();
    ends.push(() => registries.close());
    await registries.during({ domain: host, path: 'x' }, { use: 'push' }, async ({ transport }) => {
      const begun = await transport({ method: 'POST', path: 'blobs/uploads/', step: 'begin an upload', expect: [202] });
      await begun.discard();
      async function* body() {
        for (let count = 0; count < 64; count += 1) yield Buffer.alloc(64 * 1024, count);
      }
      const hash = execFileSync('sha256sum', { input: await joined(body()) }).toString();
      const digest = `sha256:${hash.slice(0, 64)}`;
      const location = begun.headers.location!;
      const done = await transport({
        method: 'PUT',
        path: `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`,
        headers: { 'content-type': 'application/octet-stream' },
        body,
        step: 'upload a blob',
        expect: [201],
      });
      await done.discard();
      const blob = await transport({ method: 'GET', path: `blobs/${digest}`, step: 'fetch a blob' });
      let size = 0;
      for await (const chunk of blob.body) size += chunk.length;
      expect(size).toBe(4 * 1024 * 1024);
    });
  });
});

test('a registry that refuses at its door is quoted', async () => {
  const registry = await RecordingRegistry.start();
  ends.push(() => registry.close());
  registry.tricks.push((_, response) => {
    send(response, 403, '{"errors":[{"code":"DENIED","message":"your address is not on the list"}]}');
    return true;
  });
  await expect(tags(registry.host)).rejects.toThrow('access is denied: denied: your address is not on the list');
});

test('a registry that is not there is named, with the step', async () => {
  await expect(tags('127.0.0.1:1')).rejects.toThrow(
    'cannot pull (registry 127.0.0.1:1, repository some/name): 127.0.0.1:1: the connection was refused.',
  );
});

test('a client certificate without its key is refused by name', async () => {
  const directory = fs.mkdtempSync(path.join('/tmp', 'skiff-certs-'));
  ends.push(async () => fs.rmSync(directory, { recursive: true }));
  fs.mkdirSync(path.join(directory, '127.0.0.1:1'));
  fs.writeFileSync(path.join(directory, '127.0.0.1:1', 'client.cert'), '');
  await expect(tags('127.0.0.1:1', {}, [directory])).rejects.toThrow(/client\.cert has no key beside it/);
});

async function joined(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
