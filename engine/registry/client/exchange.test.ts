import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DebianRegistry } from '../testing/debian-registry.ts';
import { RecordingRegistry } from '../testing/recording-registry.ts';
import { Dispatchers } from './dispatchers.ts';
import { exchange } from './exchange.ts';

const ends: (() => unknown)[] = [];
let certificates: string;
beforeEach(() => {
  certificates = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-certs-'));
  ends.push(() => fs.rmSync(certificates, { recursive: true, force: true }));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const end of ends.splice(0).reverse()) await end();
});

/** Asks for `/v2/`, and trusts as little as for a registry elsewhere. */
async function hello(base: string, insecure = false): Promise<number> {
  const dispatchers = new Dispatchers([certificates], () => insecure);
  ends.push(() => dispatchers.close());
  const where = { registry: new URL(base).host, step: 'say hello' };
  const answer = await exchange(dispatchers, { method: 'GET', url: new URL(`${base}/v2/`) }, where);
  await answer.discard();
  return answer.status;
}

function trust(host: string, files: Record<string, string>): void {
  const directory = path.join(certificates, host);
  fs.mkdirSync(directory, { recursive: true });
  for (const [name, from] of Object.entries(files)) fs.copyFileSync(from, path.join(directory, name));
}

describe.runIf(DebianRegistry.available())('TLS (needs docker-registry)', () => {
  async function debian(options: Parameters<typeof DebianRegistry.start>[0]): Promise<DebianRegistry> {
    const registry = await DebianRegistry.start(options);
    ends.push(() => registry.close());
    return registry;
  }

  test('an authority that is not known is told of, with the place for its certificate', async () => {
    const { host } = await debian({ tls: true });
    await expect(hello(`https://${host}`)).rejects.toThrow(
      `cannot say hello (registry ${host}): the certificate of ${host} is signed by an unknown authority`,
    );
    await expect(hello(`https://${host}`)).rejects.toThrow(`certs.d/${host}/ca.crt`);
    expect(await hello(`https://${host}`, true)).toBe(200);
  });

  test('an authority in certs.d is trusted for its own registry, without a new start', async () => {
    const registry = await debian({ tls: true });
    await expect(hello(`https://${registry.host}`)).rejects.toThrow('unknown authority');
    trust('127.0.0.1:1', { 'ca.crt': registry.authority });
    await expect(hello(`https://${registry.host}`)).rejects.toThrow('unknown authority');
    trust(registry.host, { 'ca.crt': registry.authority });
    expect(await hello(`https://${registry.host}`)).toBe(200);
  });

  test('a certificate for a client is shown to the registry that asks for one', async () => {
    const registry = await debian({ tls: true, clients: true });
    trust(registry.host, { 'ca.crt': registry.authority });
    await expect(hello(`https://${registry.host}`)).rejects.toThrow(`(registry ${registry.host})`);
    const file = (name: string) => path.join(registry.directory, name);
    trust(registry.host, { 'client.cert': file('client.cert'), 'client.key': file('client.key') });
    expect(await hello(`https://${registry.host}`)).toBe(200);
  });
});

test('a registry without TLS is told of, with the way out', async () => {
  const registry = await RecordingRegistry.start();
  ends.push(() => registry.close());
  await expect(hello(`https://${registry.host}`)).rejects.toThrow(
    `${registry.host} does not speak TLS. If it is a registry without TLS, start the daemon with --insecure-registry ${registry.host}`,
  );
});

test.each(['SSH-2.0-x\r\n', 'HTTP/1.1 banana\r\n\r\n'])('what is not HTTP is told of: %j', async (greeting) => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(greeting));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  ends.push(() => server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await expect(hello(`http://${host}`)).rejects.toThrow(`${host} does not answer in HTTP`);
});

describe('a proxy', () => {
  async function proxied(): Promise<RecordingRegistry> {
    const proxy = await RecordingRegistry.start();
    ends.push(() => proxy.close());
    vi.stubEnv('HTTP_PROXY', `http://user:secret@${proxy.host}`);
    proxy.tricks.push((_, response) => {
      response.writeHead(200).end('{}');
      return true;
    });
    return proxy;
  }

  test('is asked for what lies elsewhere', async () => {
    const proxy = await proxied();
    expect(await hello('http://registry.invalid')).toBe(200);
    expect(proxy.seen.map(({ url }) => url)).toEqual(['http://registry.invalid/v2/']);
  });

  test('is not asked for loopback, nor for what NO_PROXY names', async () => {
    const proxy = await proxied();
    const registry = await RecordingRegistry.start();
    ends.push(() => registry.close());
    expect(await hello(`http://${registry.host}`)).toBe(200);
    vi.stubEnv('NO_PROXY', 'registry.invalid');
    await expect(hello('http://registry.invalid')).rejects.toThrow('registry.invalid');
    expect(proxy.seen).toEqual([]);
  });

  test('whose address is not a URL is told of, without its password', async () => {
    vi.stubEnv('HTTP_PROXY', 'http://user:secret@:not a port');
    const failed = hello('http://registry.invalid');
    await expect(failed).rejects.toThrow('HTTP_PROXY or HTTPS_PROXY of the daemon is not the URL of a proxy');
    await expect(failed).rejects.not.toThrow('secret');
  });
});
