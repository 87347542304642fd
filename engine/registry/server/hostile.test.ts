/** Clients that mean ill, or are just slow, disturb no other. */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { ask, pushImage, sha256 } from '../testing/ask.ts';
import { type OurRegistry, startOurRegistry } from '../testing/our-registry.ts';

let registry: OurRegistry;

beforeAll(async () => {
  registry = await startOurRegistry();
  await pushImage(registry.url, 'good', 'one');
});

afterAll(async () => {
  await registry?.stop();
});

async function connect(): Promise<net.Socket> {
  const [address = '', port = ''] = registry.host.split(':');
  const socket = net.connect(Number(port), address);
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return socket;
}

const others = async () => expect((await ask(registry.url, 'GET', '/v2/good/manifests/one')).status).toBe(200);

test('headers of a megabyte are 431', async () => {
  const socket = await connect();
  socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n');
  for (let at = 0; at < 64; at++) socket.write(`X-${at}: ${'x'.repeat(16 * 1024)}\r\n`);
  expect(await text(socket).catch(() => 'HTTP/1.1 431')).toMatch(/^HTTP\/1.1 431/);
  await others();
});

test.each([
  ['that is not HTTP', 'hello\r\n\r\n'],
  ['with two lengths', 'GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
  [
    'with a length and chunks',
    'PUT /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  ['with a zero byte', 'GET /v2/\0 HTTP/1.1\r\nHost: x\r\n\r\n'],
])('a request %s is 400 with a code', async (_what, request) => {
  const socket = await connect();
  socket.write(request);
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1.1 400/);
  expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toEqual({
    errors: [{ code: 'UNSUPPORTED', message: expect.any(String) }],
  });
});

test('a thousand connections that say nothing, and half of them half a request, disturb nobody', async () => {
  const sockets = await Promise.all(Array.from({ length: 1000 }, connect));
  sockets.forEach((socket, at) => {
    if (at % 2 === 0) socket.write('GET /v2/good/manifests/one HTTP/1.1\r\nHost:');
  });
  await others();
  await pushImage(registry.url, 'good', 'two');
});

test('a manifest without an end is refused once it is too large', async () => {
  const socket = await connect();
  socket.write('PUT /v2/good/manifests/endless HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  const answered = text(socket).catch(() => '');
  const closed = once(socket, 'close');
  const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
  // Until the registry has had enough.
  while (!socket.destroyed && socket.writable) {
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => {}), closed]);
  }
  await closed;
  expect(await answered).toMatch(/^HTTP\/1.1 413|^$/);
  await others();
  expect((await ask(registry.url, 'GET', '/v2/good/manifests/endless')).status).toBe(404);
});

test('a body where none belongs is not a part of the next request', async () => {
  const body = 'GET /v2/good/manifests/one HTTP/1.1\r\nHost: x\r\n\r\n';
  const socket = await connect();
  const lines = `GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  socket.end(`${lines}GET /v2/x/tags/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const statuses = [...(await text(socket)).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  expect(statuses).toEqual(['200', '404']);
});

test('a client that reads nothing holds nobody up, and costs no memory', async () => {
  const large = 'x'.repeat(64 * 1024 * 1024);
  const digest = sha256(large);
  await ask(registry.url, 'POST', `/v2/good/blobs/uploads/?digest=${digest}`, { body: large });
  const before = await residentMegabytes();
  for (let at = 0; at < 8; at++) {
    const socket = await connect();
    socket.pause();
    socket.write(`GET /v2/good/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`);
  }
  for (let at = 0; at < 20; at++) await others();
  expect((await residentMegabytes()) - before).toBeLessThan(100);
});

async function residentMegabytes(): Promise<number> {
  const status = await readFile(`/proc/${registry.process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

test('a request that is refused is refused before its body is sent', async () => {
  const socket = await connect();
  socket.write(
    'PUT /v2/BAD/manifests/one HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n',
  );
  expect(await text(socket)).toMatch(/^HTTP\/1.1 400/);
  const other = await connect();
  other.write(
    'POST /v2/good/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
  );
  expect(await text(other)).toMatch(/^HTTP\/1.1 202/);
});

test('a document of any type runs nothing in a browser, and neither does any other answer', async () => {
  const page = JSON.stringify({ mediaType: 'text/html', schemaVersion: 2, x: '<script>document.title="run"</script>' });
  const asHtml = { body: page, headers: { 'content-type': 'text/html' } };
  const manifest = '/v2/good/manifests/page';
  const blob = `/v2/good/blobs/${sha256('{}')}`;
  const answers = [
    await ask(registry.url, 'PUT', manifest, asHtml),
    await ask(registry.url, 'GET', manifest, { headers: { accept: 'text/html' } }),
    await ask(registry.url, 'HEAD', manifest),
    await ask(registry.url, 'GET', manifest, { headers: { 'if-none-match': `"${sha256(page)}"` } }),
    await ask(registry.url, 'GET', blob),
    await ask(registry.url, 'GET', blob, { headers: { range: 'bytes=0-0' } }),
    await ask(registry.url, 'GET', '/v2/good/manifests/<script>'),
    await ask(registry.url, 'PATCH', manifest),
  ];
  expect(answers.map(({ status }) => status)).toEqual([201, 200, 200, 304, 200, 206, 400, 405]);
  expect(answers[1]!.headers['content-type']).toBe('text/html');
  for (const { headers } of answers)
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
    });
  const socket = await connect();
  socket.write('<script>\r\n\r\n');
  const refused = await text(socket);
  expect(refused).toContain("\r\nContent-Security-Policy: default-src 'none'; sandbox\r\n");
  expect(refused).toContain('\r\nX-Content-Type-Options: nosniff\r\n');
});

test('nothing of all this is a mistake in the server', () => {
  expect(registry.log()).toBe('');
});
