/** Connections that this process carries are bounded: many clients, and a container that does not answer. */

import { execFileSync } from 'node:child_process';
import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { holdPort } from '#kernel/bound-socket';
import { inNamespace } from './namespace.ts';
import { Relay, type RelayLimits } from './relay.ts';
import { everyTestHasAHost, outside } from './testing/host.ts';

everyTestHasAHost();

const limits: RelayLimits = { perPort: 100, inAll: 100, connect: 10_000 };
const relays: Relay[] = [];
let clients: net.Socket[] = [];

afterEach(() => {
  for (const socket of clients) socket.destroy();
  for (const relay of relays.splice(0)) relay.close();
  clients = [];
});

/** @returns the port of a relay to 192.0.2.2:80 */
function relay(change: Partial<RelayLimits>): number {
  const { fd, port } = holdPort('tcp', Buffer.from([127, 0, 0, 1]), 0);
  relays.push(new Relay(fd, '192.0.2.2', 80, { ...limits, ...change }));
  return port;
}

/** What comes of a connection that is kept: `answered`, `closed`, or an errno. */
function connect(port: number): Promise<string> {
  const socket = net.connect({ host: '127.0.0.1', port });
  clients.push(socket);
  return new Promise((resolve) => {
    socket.on('connect', () => socket.write('who am I?'));
    socket.on('data', () => resolve('answered'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code!));
    socket.on('close', () => resolve('closed'));
  });
}

async function counts(ports: number[]): Promise<{ answered: number; refused: number }> {
  const answers = [];
  for (const port of ports) answers.push(await connect(port));
  const answered = answers.filter((answer) => answer === 'answered').length;
  return { answered, refused: answers.length - answered };
}

test('a port has at most so many connections, and again as many once they have ended', async () => {
  await outside().listen('tcp', 80);
  const port = relay({ perPort: 3 });
  expect(await counts(Array.from({ length: 5 }, () => port))).toEqual({ answered: 3, refused: 2 });
  const ended = clients.map((socket) => new Promise((resolve) => socket.once('close', resolve).destroy()));
  await Promise.all(ended.slice(0, 3));
  await expect.poll(() => connect(port), { timeout: 10_000 }).toBe('answered');
});

test('all ports together have at most so many connections, and again as many once they have ended', async () => {
  await outside().listen('tcp', 80);
  const ports = [relay({ inAll: 4 }), relay({ inAll: 4 }), relay({ inAll: 4 })];
  expect(await counts([...ports, ...ports])).toEqual({ answered: 4, refused: 2 });
  for (const socket of clients.slice(0, 4)) socket.destroy();
  await expect.poll(() => connect(ports[0]!), { timeout: 10_000 }).toBe('answered');
});

test('a container that does not take a connection is given up', async () => {
  const machine = outside();
  inNamespace(machine.namespace, () =>
    execFileSync('nft', ['add table inet t; add chain inet t c { type filter hook input priority 0; policy drop; }']),
  );
  expect(await connect(relay({ connect: 300 }))).toMatch(/ECONNRESET|closed/);
});

test('a connection that is carried may be silent for longer than a container has to take it', async () => {
  const machine = outside();
  await machine.listen('tcp', 80);
  expect(await connect(relay({ connect: 300 }))).toBe('answered');
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(clients[0]!.destroyed).toBe(false);
});
