/** `skiff registry serve`: from options to a server that listens, until it is told to end. */

import { once } from 'node:events';
import fs from 'node:fs';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { AccessOptions } from './access.ts';
import { DiskStore } from './disk-store.ts';
import { Htpasswd } from './htpasswd.ts';
import { newRegistryServer } from './http-server.ts';

/** Milliseconds that requests have to end when the server is told to. */
const GRACE = 5_000;

/** @returns the exit code */
export async function runRegistry(argv: string[]): Promise<number> {
  const warn = (message: string) => process.stderr.write(`skiff registry: ${message}\n`);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  try {
    const [verb = '', ...args] = argv;
    if (verb !== 'serve') throw new Error(`There is no 'skiff registry ${verb}'.`);
    await serve(args, warn);
    return 0;
  } catch (error) {
    warn((error as Error).message);
    return 1;
  }
}

const OPTIONS = {
  listen: { type: 'string', default: '127.0.0.1:5000' },
  data: { type: 'string' },
  htpasswd: { type: 'string' },
  writers: { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'read-only': { type: 'boolean', default: false },
  'no-delete': { type: 'boolean', default: false },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

async function serve(args: string[], warn: (message: string) => void): Promise<void> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
  });
  const { host, port } = addressOf(values.listen);
  const data = path.resolve(values.data ?? 'registry');
  fs.mkdirSync(data, { recursive: true });
  const store = new DiskStore(fs.realpathSync(data));
  const server = newRegistryServer({
    store,
    access: accessOf(values),
    tls: tlsOf(values),
    warn,
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, host);
  await once(server, 'listening');
  const { address, family, port: bound } = server.address() as AddressInfo;
  process.stdout.write(
    `skiff registry ${process.pid} listens on http${server instanceof https.Server ? 's' : ''}://${family === 'IPv6' ? `[${address}]` : address}:${bound}\n`,
  );
  await stopped;
  const grace = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, GRACE);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeIdleConnections();
  });
  clearTimeout(grace);
}

function addressOf(listen: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(listen) ?? [];
  if (port === '' || Number(port) > 65535) throw new Error(`--listen must be HOST:PORT, not "${listen}".`);
  return { host: host.replace(/^\[(.*)\]$/, '$1') || '::', port: Number(port) };
}

function accessOf(values: Values): AccessOptions {
  const { htpasswd, writers } = values;
  if (htpasswd === undefined && writers !== undefined)
    throw new Error('--writers needs --htpasswd: without it everybody may do everything.');
  return {
    readOnly: values['read-only'],
    noDelete: values['no-delete'],
    ...(htpasswd !== undefined && { htpasswd: new Htpasswd(path.resolve(htpasswd)) }),
    ...(writers !== undefined && { writers: writers.split(',') }),
  };
}

function tlsOf(values: Values): { cert: Buffer; key: Buffer } | undefined {
  const { 'tls-cert': cert, 'tls-key': key } = values;
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new Error('--tls-cert and --tls-key belong together: give both.');
  return { cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
}
