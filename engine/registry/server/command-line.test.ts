/** The command as it is typed, and what its server does with time. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { ask, pushImage, sha256 } from '../testing/ask.ts';
import { DiskStore } from './disk-store.ts';
import { newRegistryServer } from './http-server.ts';
import { listenOn } from './listen.ts';

const skiff = fileURLToPath(new URL('../../../.build/default/skiff.cjs', import.meta.url));

function scratchDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'skiff-command-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const run = (...words: string[]) => spawnSync(process.execPath, ['--', skiff, ...words], { encoding: 'utf8' });

test('skiff registry serve listens, obeys its options, and ends with the command', async () => {
  const root = scratchDirectory();
  const words = ['--root', root, 'registry', 'serve', '--listen', '127.0.0.1:0', '--no-delete'];
  const child = spawn(process.execPath, ['--', skiff, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [line] = await once(createInterface(child.stdout), 'line');
  const url = /listens on (http:\S+)$/.exec(`${line}`)?.[1] ?? '';
  await pushImage(url, 'a', 'one');
  expect((await ask(url, 'DELETE', '/v2/a/manifests/one')).status).toBe(405);
  child.kill('SIGTERM');
  expect((await ended)[0]).toBe(0);
  await expect(ask(url, 'GET', '/v2/')).rejects.toThrow(/ECONNREFUSED/);

  const check = run('--root', root, 'registry', 'check');
  expect([check.status, check.stdout]).toEqual([0, 'Read 3 blobs, 1 manifest in 1 repository: all whole.\n']);
  const gc = run('--root', root, 'registry', 'gc', '--older-than', '3600');
  expect([gc.status, gc.stdout]).toEqual([0, 'Removed 0 blobs of 0 bytes and 0 unfinished uploads.\n']);
});

test.each([
  [['registry', 'serve', '--listen', 'here'], 1, '--listen must be HOST:PORT'],
  [['registry', 'serve', '--writers', 'ann'], 1, '--writers needs --htpasswd'],
  [['registry', 'serve', '--colour'], 125, 'unknown flag: --colour'],
  [['registry', 'gc', '--older-than', 'x'], 1, '--older-than must be a number of seconds'],
  [['registry', 'prune'], 1, 'unknown command: skiff registry prune'],
])('skiff %s says what is wrong', (words, code, said) => {
  const { status, stderr } = run('--root', scratchDirectory(), ...words);
  expect([status, stderr]).toEqual([code, expect.stringContaining(said)]);
});

async function serveWith(store: DiskStore) {
  const access = { readOnly: false, noDelete: false };
  const server = newRegistryServer({ store, access, warn: (message) => expect(message).toBe(''), silence: 1500 });
  const { url, stop } = await listenOn(server, '127.0.0.1:0');
  onTestFinished(stop);
  return { server, url };
}

test('a client that waits for the disk is not cut off', async () => {
  const store = new DiskStore(scratchDirectory());
  const { server, url } = await serveWith(store);
  const inTime = store.withUpload.bind(store);
  store.withUpload = async (repository, id, use) =>
    await inTime(repository, id, async (upload) => {
      const answer = await use(upload);
      for (let times = 0; times < 2; times++) await once(server, 'timeout');
      return answer;
    });
  const put = await ask(url, 'POST', `/v2/a/blobs/uploads/?digest=${sha256('slow')}`, { body: 'slow' });
  expect(put.status).toBe(201);
});

test('a client that stops in the middle of its body is cut off, and may go on later', async () => {
  const { url } = await serveWith(new DiskStore(scratchDirectory()));
  const { headers } = await ask(url, 'POST', '/v2/a/blobs/uploads/');
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(`PATCH ${headers.location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf`);
  await once(socket, 'close');
  const status = await ask(url, 'GET', headers.location!);
  expect([status.status, status.headers.range]).toEqual([204, '0-3']);
});
