/** A registry that is killed, and pushes that come all at once: what was answered with 201 is there, and nothing is half there. */

import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isRoot } from '../../image/test-support.ts';
import { ask, manifestOf, pushBlob, pushImage, putManifest, sha256 } from '../testing/ask.ts';
import { registryCommand, startOurRegistry } from '../testing/our-registry.ts';

function dataDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'skiff-registry-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function start(data: string, within: string[] = []) {
  const registry = await startOurRegistry([], data, within);
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

test('an upload goes on where it was when the registry was killed', async () => {
  const data = dataDirectory();
  const first = await start(data);
  const { headers } = await ask(first.url, 'POST', '/v2/a/b/blobs/uploads/');
  await ask(first.url, 'PATCH', headers.location!, { body: 'first half, ' });
  await first.stop('SIGKILL');

  const second = await start(data);
  const status = await ask(second.url, 'GET', headers.location!);
  expect([status.status, status.headers.range]).toEqual([204, '0-11']);
  const chunk = { headers: { 'content-range': '12-22' }, body: 'second half' };
  expect((await ask(second.url, 'PATCH', headers.location!, chunk)).status).toBe(202);
  const digest = sha256('first half, second half');
  expect((await ask(second.url, 'PUT', `${headers.location}?digest=${digest}`)).status).toBe(201);
  expect((await ask(second.url, 'GET', `/v2/a/b/blobs/${digest}`)).text).toBe('first half, second half');
});

test('what arrived of a chunk stays when its client goes away', async () => {
  const { url, host } = await start(dataDirectory());
  const { headers } = await ask(url, 'POST', '/v2/a/b/blobs/uploads/');
  const [address = '', port = ''] = host.split(':');
  const socket = net.connect(Number(port), address);
  socket.write(`PATCH ${headers.location} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100\r\n\r\nhalf`);
  await expect.poll(async () => (await ask(url, 'GET', headers.location!)).headers.range).toBe('0-3');
  socket.destroy();
  await once(socket, 'close');
  // Waits for the turn of the one that is gone.
  const more = await ask(url, 'PATCH', headers.location!, { headers: { 'content-range': '4-6' }, body: 'way' });
  expect([more.status, more.headers.range]).toEqual([202, '0-6']);
  expect((await ask(url, 'PUT', `${headers.location}?digest=${sha256('halfway')}`)).status).toBe(201);
});

test('a registry killed at any moment has all that it said it has, and nothing by halves', async () => {
  const data = dataDirectory();
  const pushed = new Map<string, string>();
  for (let round = 0; round < 4; round++) {
    const registry = await start(data);
    let left = randomInt(1, 25);
    const push = async (worker: number) => {
      for (let at = 0; ; at++) {
        const [name, tag] = [`crash/${worker % 3}`, `t-${round}-${worker}-${at}`];
        const manifest = await pushImage(registry.url, name, tag, `${tag}${'x'.repeat(200_000)}`);
        pushed.set(`${name}/manifests/${tag}`, manifest);
        if (--left === 0) registry.process.kill('SIGKILL');
      }
    };
    // Each ends when the registry is gone.
    await Promise.allSettled([0, 1, 2, 3, 4, 5].map(push));
    await registry.stop('SIGKILL');
    const { code, text } = registryCommand('check', '--data', data);
    expect([code, text]).toEqual([0, expect.stringContaining('all whole')]);
  }
  const registry = await start(data);
  expect(pushed.size).toBeGreaterThanOrEqual(4);
  for (const [place, manifest] of pushed) expect((await ask(registry.url, 'GET', `/v2/${place}`)).text).toBe(manifest);
  expect(readdirSync(path.join(data, 'scratch'))).toEqual([]);
});

test('32 clients push the same layer and their own at once', async () => {
  const data = dataDirectory();
  const registry = await start(data);
  const shared = 's'.repeat(3_000_000);
  const manifests = await Promise.all(
    Array.from({ length: 32 }, async (_, at) => {
      const [name, own] = [`many/${at % 4}`, `own ${at}`];
      for (const blob of ['{}', shared, own]) await pushBlob(registry.url, name, blob);
      const manifest = manifestOf('{}', [shared, own]);
      const answers = await Promise.all(
        ['same', `tag-${at}`].map((tag) => putManifest(registry.url, name, tag, manifest)),
      );
      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      return { name, tag: `tag-${at}`, manifest };
    }),
  );
  for (const { name, tag, manifest } of manifests)
    expect((await ask(registry.url, 'GET', `/v2/${name}/manifests/${tag}`)).text).toBe(manifest);
  expect(registryCommand('check', '--data', data).text).toBe(
    'Read 66 blobs, 32 manifests in 4 repositories: all whole.\n',
  );
  expect(registry.log()).toBe('');
});

test('a second registry on the same directory is refused, with the process that has it', async () => {
  const data = dataDirectory();
  const registry = await start(data);
  for (const words of [['serve', '--listen', '127.0.0.1:0'], ['gc']]) {
    const { code, text } = registryCommand(...words, '--data', data);
    expect([code, text]).toEqual([1, expect.stringContaining(`(process ${registry.process.pid}) is using ${data}`)]);
  }
});

test('a push that fails has stopped writing, and leaves nothing, when its client is told', async () => {
  const data = dataDirectory();
  // setrlimit(2), RLIMIT_FSIZE: no file of more than 8 times 512 bytes.
  const registry = await start(data, ['sh', '-c', 'ulimit -f 8 && exec "$0" "$@"']);
  const { url, process } = registry;
  const type = 'application/vnd.test+json';
  const large = JSON.stringify({ mediaType: type, fill: 'x'.repeat(1_000_000) });
  const tags = Array.from({ length: 100 }, (_, at) => `tag=t${at}`).join('&');
  for (let round = 0; round < 3; round++) {
    const { status } = await putManifest(url, 'large', `${sha256(large)}?${tags}`, large, type);
    const open = readdirSync(`/proc/${process.pid}/fd`).map((fd) => linkOf(`/proc/${process.pid}/fd/${fd}`));
    expect(open.filter((file) => file.includes('/scratch/'))).toEqual([]);
    expect([status, readdirSync(path.join(data, 'scratch'))]).toEqual([500, []]);
  }
  expect((await ask(url, 'GET', '/v2/large/tags/list')).status).toBe(404);
  expect(registry.log()).toMatch(/^(?:skiff registry: PUT [^\n]*: EFBIG: [^\n]*\n){3}$/);
  await pushImage(url, 'small', 'one');
});

/** What a link points to; nothing if it is gone. */
function linkOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

test.skipIf(!isRoot)('a full disk is 507 with a sentence, and has its room back (needs root)', async () => {
  const data = dataDirectory();
  const mounted = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"', data];
  const registry = await start(data, mounted);
  const { url } = registry;
  await pushImage(url, 'small', 'one');
  const large = 'x'.repeat(8 * 1024 * 1024);
  const one = await ask(url, 'POST', `/v2/large/blobs/uploads/?digest=${sha256(large)}`, { body: large });
  expect([one.status, one.json.errors[0].message]).toEqual([507, expect.stringContaining('no space left on the disk')]);
  const { headers } = await ask(url, 'POST', '/v2/large/blobs/uploads/');
  expect((await ask(url, 'PATCH', headers.location!, { body: large })).status).toBe(507);
  expect((await ask(url, 'GET', headers.location!)).status).toBe(404);
  // All of its files as the registry sees them.
  const files = execFileSync('find', [`/proc/${registry.process.pid}/root${data}`, '-size', '+64k'], {
    encoding: 'utf8',
  });
  expect(files).toBe('');
  await pushImage(url, 'small', 'two', 'y'.repeat(2_000_000));
  expect((await ask(url, 'GET', '/v2/small/tags/list')).json.tags).toEqual(['one', 'two']);
  expect((await ask(url, 'GET', `/v2/large/blobs/${sha256(large)}`)).status).toBe(404);
});
