import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { socketAddress } from '../container/socket-address.ts';
import { listenOn } from './listen.ts';

let base: string;
let server: http.Server;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-listen-'));
  server = http.createServer((_, response) => response.end('yes'));
});
afterEach(() => fs.rmSync(base, { recursive: true }));

async function ask(socket: string): Promise<string> {
  const address = socketAddress(socket);
  const request = http.get({ socketPath: address.path, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  address.release();
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

test('the socket is for its owner and group, and gone when the daemon stops listening', async () => {
  const socket = path.join(base, 'made/s.sock');
  const stop = await listenOn(server, socket);
  expect(fs.statSync(socket).mode & 0o777).toBe(0o660);
  expect(await ask(socket)).toBe('yes');
  await stop();
  expect(fs.readdirSync(path.dirname(socket))).toEqual([]);
});

test('a path longer than a socket address can be works all the same', async () => {
  const socket = path.join(base, 'a'.repeat(100), 'b'.repeat(100), 's.sock');
  const stop = await listenOn(server, socket);
  expect(await ask(socket)).toBe('yes');
  await stop();
  expect(fs.readdirSync(path.dirname(socket))).toEqual([]);
});

test('a socket that a daemon left behind is replaced, one that is listened on is not', async () => {
  const socket = path.join(base, 's.sock');
  const other = net.createServer().listen(socket);
  await once(other, 'listening');
  await expect(listenOn(server, socket)).rejects.toThrow(/Another process listens/);
  fs.renameSync(socket, path.join(base, 'kept'));
  other.close();
  await once(other, 'close');
  fs.renameSync(path.join(base, 'kept'), socket);
  const stop = await listenOn(server, socket);
  expect(await ask(socket)).toBe('yes');
  await stop();
});

test('what is not a socket is not touched', async () => {
  const file = path.join(base, 'file');
  fs.writeFileSync(file, 'precious');
  await expect(listenOn(server, file)).rejects.toThrow(/is not a socket/);
  expect(fs.readFileSync(file, 'utf8')).toBe('precious');
});

test('a directory in which others can replace the socket is refused', async () => {
  const shared = path.join(base, 'shared');
  fs.mkdirSync(shared);
  fs.chmodSync(shared, 0o777);
  await expect(listenOn(server, path.join(shared, 's.sock'))).rejects.toThrow(/Others can replace a socket/);
});

test('connections that do not end by themselves are ended', async () => {
  const socket = path.join(base, 's.sock');
  server.on('connection', () => {});
  const stop = await listenOn(server, socket);
  const client = net.connect({ path: socket, allowHalfOpen: true });
  await once(client, 'connect');
  const closed = once(client, 'close');
  client.resume();
  await stop();
  client.destroy();
  await closed;
});
