import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { close } from '#kernel/descriptors';
import { boundSocket } from '#kernel/inet-sockets';
import { setInterfaceUp } from '#kernel/interfaces';
import { inNamespace, makeNamespace } from '../namespace.ts';
import { decodeMessage, encodeMessage, type Message, RCODE, TYPE } from './message.ts';
import { ContainerNames, NetworkNames } from './names.ts';
import { RESOLVER_ADDRESS, Resolver } from './resolver.ts';
import { socketWithin } from './sockets.ts';
import { framed, MessageReader } from './tcp-messages.ts';
import type { NameServer } from './upstream.ts';

const isRoot = process.getuid?.() === 0;
const cleanups: (() => unknown)[] = [];
let namespace = -1;

beforeEach(() => {
  if (!isRoot) return;
  namespace = makeNamespace();
  const made = namespace;
  cleanups.push(() => close(made));
  inNamespace(namespace, () => setInterfaceUp('lo'));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function serve(servers: NameServer[] = []): NetworkNames {
  const names = new NetworkNames('shop');
  names.add({ names: ['web', 'site'], addresses: ['172.20.0.2', 'fd00::2'] });
  const resolver = new Resolver(new ContainerNames(() => [names]), () => servers);
  resolver.serve(namespace);
  cleanups.push(() => resolver.close());
  return names;
}

function question(name: string, type: number = TYPE.A): Buffer {
  const header = { id: 1 + Math.floor(Math.random() * 65_000), isResponse: false, opcode: 0, rcode: 0 };
  const flags = { authoritative: false, truncated: false, recursionDesired: true, recursionAvailable: false };
  const more = { authenticData: true, checkingDisabled: false, answers: [], authorities: [], additionals: [] };
  return encodeMessage({ ...header, ...flags, ...more, questions: [{ name, type, class: 1 }] });
}

async function overUdp(query: Buffer, address = RESOLVER_ADDRESS): Promise<Buffer> {
  const socket = dgram.createSocket('udp4');
  try {
    socket.bind({ fd: socketWithin(namespace, 'udp', 4) });
    socket.connect(53, address);
    await once(socket, 'connect');
    socket.send(query);
    const [reply] = (await once(socket, 'message')) as [Buffer];
    return reply;
  } finally {
    socket.close();
  }
}

async function connected(address = RESOLVER_ADDRESS): Promise<net.Socket> {
  const options = { fd: socketWithin(namespace, 'tcp', 4), manualStart: true, allowHalfOpen: true };
  const socket = new net.Socket(options);
  cleanups.push(() => socket.destroy());
  socket.on('error', () => {});
  socket.connect(53, address);
  await once(socket, 'connect');
  return socket;
}

async function messagesOf(socket: net.Socket, count: number): Promise<Buffer[]> {
  const reader = new MessageReader();
  const found: Buffer[] = [];
  for await (const piece of socket) {
    found.push(...reader.push(piece as Buffer));
    if (found.length >= count) break;
  }
  return found;
}

async function overTcp(query: Buffer, address = RESOLVER_ADDRESS): Promise<Buffer> {
  const socket = await connected(address);
  socket.end(framed(query));
  const [reply] = await messagesOf(socket, 1);
  return reply!;
}

/** The reply of a name server elsewhere, of bytes that this engine would not write itself. */
function replyTo(query: Buffer, rcode: number = RCODE.NOERROR): Buffer {
  const reply = Buffer.concat([query, Buffer.from('behind')]);
  reply.writeUInt16BE(0x8180 | rcode, 2);
  return reply;
}

/** A name server for datagrams and connections. @returns where, and what it was asked. */
async function nameServer(
  respond: (query: Buffer) => Buffer | undefined,
  namespaceOf?: number,
  { address, port } = { address: '127.0.0.1', port: 5353 },
): Promise<NameServer & { asked: Buffer[] }> {
  const asked: Buffer[] = [];
  const tcp = net.createServer((socket) => {
    const reader = new MessageReader();
    socket.on('error', () => {});
    socket.on('data', (piece) => {
      for (const query of reader.push(piece)) {
        asked.push(query);
        const reply = respond(query);
        if (reply) socket.write(framed(reply));
      }
    });
  });
  const udp = dgram.createSocket('udp4', (query, { port, address }) => {
    asked.push(query);
    const reply = respond(query);
    if (reply) udp.send(reply, port, address);
  });
  cleanups.push(() => {
    udp.close();
    tcp.close();
  });
  if (namespaceOf === undefined) {
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    udp.bind((tcp.address() as AddressInfo).port, '127.0.0.1');
    await once(udp, 'listening');
    return { address: '127.0.0.1', port: (tcp.address() as AddressInfo).port, asked };
  }
  tcp.listen({ fd: inNamespace(namespaceOf, () => boundSocket('tcp', address, port)) });
  udp.bind({ fd: inNamespace(namespaceOf, () => boundSocket('udp', address, port)) });
  return { address, port, namespace: namespaceOf, asked };
}

const transports = [
  ['UDP', overUdp],
  ['TCP', overTcp],
] as const;
const rcodeOf = (reply: Buffer) => decodeMessage(reply).rcode;
const addressesOf = ({ answers }: Message) => answers.map(({ data }) => [...data].join('.'));

describe.skipIf(!isRoot)('inside of a network namespace', () => {
  test.each(transports)('a name is answered over %s', async (_, ask) => {
    serve();
    expect(addressesOf(decodeMessage(await ask(question('web'))))).toEqual(['172.20.0.2']);
  });

  test('the C library finds names and addresses', async () => {
    serve();
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-names-')), 'resolv.conf');
    cleanups.push(() => fs.rmSync(path.dirname(file), { recursive: true }));
    fs.writeFileSync(file, `nameserver ${RESOLVER_ADDRESS}\noptions ndots:0\n`);
    const script = `mount --bind ${file} /etc/resolv.conf && getent ahosts web && getent hosts 172.20.0.2 && ! getent hosts nowhere`;
    const child = inNamespace(namespace, () =>
      spawn('unshare', ['--mount', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] }),
    );
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(said).toMatch(/^172\.20\.0\.2 +STREAM/m);
    expect(said).toMatch(/^fd00::2 +STREAM/m);
    expect(said).toMatch(/^172\.20\.0\.2 +web\.shop$/m);
  });

  test('nothing listens outside of it, and nothing after it is closed', async () => {
    const listeners = () => fs.readFileSync('/proc/thread-self/net/udp', 'utf8').match(/: 0B00007F:/g)?.length ?? 0;
    const before = listeners();
    const names = new ContainerNames(() => []);
    const resolver = new Resolver(names, () => []);
    resolver.serve(namespace);
    expect(listeners()).toBe(before);
    expect(inNamespace(namespace, listeners)).toBe(1);
    expect(rcodeOf(await overUdp(question('web')))).toBe(RCODE.SERVFAIL);
    resolver.close();
    await expect.poll(() => inNamespace(namespace, listeners)).toBe(0);
  });

  test.each(transports)('the one that serves last answers over %s', async (_, ask) => {
    serve();
    const next = new NetworkNames('shop');
    next.add({ names: ['web'], addresses: ['172.20.0.99'] });
    const resolver = new Resolver(new ContainerNames(() => [next]), () => []);
    cleanups.push(() => resolver.close());
    resolver.serve(namespace);
    expect(addressesOf(decodeMessage(await ask(question('web'))))).toEqual(['172.20.0.99']);
  });

  test.each(transports)('a name server in the container may have port 53 over %s', async (transport, ask) => {
    serve();
    const own = await nameServer((query) => replyTo(query, RCODE.NXDOMAIN), namespace, {
      address: '0.0.0.0',
      port: 53,
    });
    expect(addressesOf(decodeMessage(await ask(question('web'))))).toEqual(['172.20.0.2']);
    expect(rcodeOf(await ask(question('web'), '127.0.0.1'))).toBe(RCODE.NXDOMAIN);
    expect(own.asked.length, transport).toBe(1);
  });

  test('datagrams of garbage are survived', async () => {
    serve();
    const socket = dgram.createSocket('udp4');
    cleanups.push(() => socket.close());
    socket.bind({ fd: socketWithin(namespace, 'udp', 4) });
    for (let length = 0; length < 300; length++)
      socket.send(Buffer.from(Array.from({ length }, () => Math.floor(Math.random() * 256))), 53, RESOLVER_ADDRESS);
    expect(addressesOf(decodeMessage(await overUdp(question('web'))))).toEqual(['172.20.0.2']);
  });

  test('a connection may bring many questions, byte by byte or all at once', async () => {
    serve();
    const queries = Array.from({ length: 200 }, () => question('web'));
    const all = Buffer.concat(queries.map(framed));
    const slow = await connected();
    for (const byte of all.subarray(0, 60)) slow.write(Buffer.from([byte]));
    slow.end(all.subarray(60));
    const fast = await connected();
    fast.end(all);
    for (const socket of [slow, fast]) {
      const replies = await messagesOf(socket, queries.length);
      expect(replies.map((reply) => reply.readUInt16BE(0))).toEqual(queries.map((query) => query.readUInt16BE(0)));
    }
  });
});

describe.skipIf(!isRoot)('a connection', () => {
  test('is closed when a message is not whole ten seconds after its first byte, whatever else has come', async () => {
    serve();
    const socket = await connected();
    let isClosed = false;
    const closed = new Promise<void>((resolve) => {
      for (const event of ['end', 'close'])
        socket.on(event, () => {
          isClosed = true;
          resolve();
        });
    });
    socket.resume();
    const turns = async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    cleanups.push(() => vi.useRealTimers());
    socket.write(Buffer.from([0]));
    while (vi.getTimerCount() === 0) await turns();
    for (let second = 0; second < 9; second++) {
      vi.advanceTimersByTime(1_000);
      socket.write(Buffer.from([40]));
      await turns();
    }
    expect(isClosed).toBe(false);
    vi.advanceTimersByTime(1_000);
    await closed;
  });

  test('is closed by a message that is shorter than a header', async () => {
    serve();
    const socket = await connected();
    socket.end(Buffer.concat([framed(Buffer.from('short')), framed(question('web'))]));
    expect(await messagesOf(socket, 1).catch(() => [])).toEqual([]);
  });

  test('has 32 questions under way, however many come at once', async () => {
    const silent = await nameServer(() => undefined);
    serve([silent]);
    const socket = await connected();
    socket.write(Buffer.concat(Array.from({ length: 200 }, (_, index) => framed(question(`n${index}.example`)))));
    await expect.poll(() => silent.asked.length).toBeGreaterThanOrEqual(32);
    expect(addressesOf(decodeMessage(await overUdp(question('web'))))).toEqual(['172.20.0.2']);
    expect(silent.asked.length).toBe(32);
  });
});

describe.skipIf(!isRoot)('a name of elsewhere', () => {
  test.each(transports)('is asked over %s with the same bytes, and answered with the same bytes', async (_, ask) => {
    const server = await nameServer((query) => replyTo(query));
    serve([server]);
    const query = Buffer.concat([question('Elsewhere.example', TYPE.TXT), Buffer.from('more')]);
    expect(await ask(query)).toEqual(replyTo(query));
    expect(server.asked).toEqual([query]);
  });

  test.each(transports)('is asked over %s from inside of the namespace if its server is there', async (_, ask) => {
    const server = await nameServer((query) => replyTo(query), namespace);
    serve([server]);
    const query = question('elsewhere.example');
    expect(await ask(query)).toEqual(replyTo(query));
    expect(server.asked).toEqual([query]);
  });

  test.each(transports)('is not asked over %s if there are no servers', async (_, ask) => {
    serve();
    expect(rcodeOf(await ask(question('elsewhere.example')))).toBe(RCODE.SERVFAIL);
  });

  test.each(transports)('is asked of the next server over %s if one is closed, or cannot say', async (_, ask) => {
    const refuses = await nameServer((query) => replyTo(query, RCODE.REFUSED));
    const knows = await nameServer((query) => replyTo(query, RCODE.NXDOMAIN));
    serve([{ address: '127.0.0.1', port: 1 }, { address: '192.0.2.300' }, refuses, knows]);
    expect(rcodeOf(await ask(question('elsewhere.example')))).toBe(RCODE.NXDOMAIN);
    expect(refuses.asked.length).toBe(1);
  });

  test('has the first refusal as its answer if all servers refuse', async () => {
    const refuses = await nameServer((query) => replyTo(query, RCODE.REFUSED));
    const fails = await nameServer((query) => replyTo(query, RCODE.SERVFAIL));
    serve([refuses, fails]);
    expect(rcodeOf(await overUdp(question('elsewhere.example')))).toBe(RCODE.REFUSED);
  });

  test('is asked of the next server if one stays silent', async () => {
    const silent = await nameServer(() => undefined);
    const knows = await nameServer((query) => replyTo(query));
    serve([silent, knows]);
    expect(rcodeOf(await overUdp(question('elsewhere.example')))).toBe(RCODE.NOERROR);
    expect(silent.asked.length).toBe(1);
  });

  test.each(transports)('is a failure over %s if all servers stay silent', async (_, ask) => {
    serve([await nameServer(() => undefined)]);
    expect(rcodeOf(await ask(question('elsewhere.example')))).toBe(RCODE.SERVFAIL);
  });

  test('answers to another question, with another id, or that are garbage are not believed', async () => {
    const server = await nameServer((query) => query.subarray(0, 1));
    const forged = dgram.createSocket('udp4', (query, { port, address }) => {
      const other = Buffer.from(replyTo(query));
      other[13] = 0x7a;
      const strange = Buffer.from(replyTo(query));
      strange[0]! ^= 1;
      for (const reply of [other, strange, query, Buffer.from([1, 2, 3]), replyTo(query, RCODE.NXDOMAIN)])
        forged.send(reply, port, address);
    });
    cleanups.push(() => forged.close());
    forged.bind(0, '127.0.0.1');
    await once(forged, 'listening');
    serve([{ address: '127.0.0.1', port: forged.address().port }, server]);
    expect(rcodeOf(await overUdp(question('elsewhere.example')))).toBe(RCODE.NXDOMAIN);
  });

  test('does not hold up names that are known, however many are waited for', async () => {
    serve([await nameServer(() => undefined)]);
    const socket = dgram.createSocket('udp4');
    cleanups.push(() => socket.close());
    socket.bind({ fd: socketWithin(namespace, 'udp', 4) });
    let failed = 0;
    socket.on('message', (reply) => {
      if (rcodeOf(reply) === RCODE.SERVFAIL) failed++;
    });
    for (let index = 0; index < 400; index++) socket.send(question(`n${index}.example`), 53, RESOLVER_ADDRESS);
    // Those above the limit are refused at once.
    await expect.poll(() => failed).toBeGreaterThan(0);
    expect(addressesOf(decodeMessage(await overUdp(question('web'))))).toEqual(['172.20.0.2']);
  });
});
