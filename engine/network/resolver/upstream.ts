/** Questions for others: passed on byte by byte, and the answer with them. RFC 5625. */

import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import type { Transport } from './answer.ts';
import { DnsFormatError, foldName } from './domain-name.ts';
import { firstQuestion, HEADER_BYTES, RCODE } from './message.ts';
import { socketWithin } from './sockets.ts';
import { framed, MessageReader } from './tcp-messages.ts';

/** One that can be asked. */
export interface NameServer {
  /** As net.isIP takes it. */
  address: string;
  /** 53 unless said otherwise. */
  port?: number;
  /** A descriptor of the network namespace it is asked from; absent for the daemon's own. */
  namespace?: number;
}

/** Milliseconds after which the next server is asked too. Clients give up after five seconds, and then ask again. */
const NEXT_AFTER = 1_200;
/** Milliseconds for all of them. */
const ALL_WITHIN = 4_500;
const DNS_PORT = 53;

/**
 * Ask one server after the other until one of them knows. The next one's turn comes when the one before could not answer,
 * or did not for a while; its answer counts all the same when it comes late.
 * @param query a well formed question. @param signal ends it.
 * @returns the answer as it came; the first one that says "I cannot" if all of them do; undefined if none answered.
 */
export function forward(
  query: Buffer,
  transport: Transport,
  servers: readonly NameServer[],
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const stop = new AbortController();
    let refusal: Buffer | undefined;
    let asked = 0;
    let open = 0;
    let turn: NodeJS.Timeout | undefined;
    const finish = (reply: Buffer | undefined) => {
      clearTimeout(turn);
      clearTimeout(deadline);
      signal.removeEventListener('abort', give);
      stop.abort();
      resolve(reply);
    };
    const give = () => finish(refusal);
    const deadline = setTimeout(give, ALL_WITHIN);
    signal.addEventListener('abort', give);
    const askNext = () => {
      if (stop.signal.aborted) return;
      clearTimeout(turn);
      const server = servers[asked];
      if (server === undefined) {
        if (open === 0) give();
        return;
      }
      asked++;
      open++;
      turn = setTimeout(askNext, NEXT_AFTER);
      exchange(query, transport, server, stop.signal)
        .then(
          (reply) => {
            if (isRefusal(reply)) refusal ??= reply;
            else finish(reply);
          },
          // It cannot be reached, and there may be others.
          () => {},
        )
        .then(() => {
          open--;
          askNext();
        });
    };
    if (signal.aborted) give();
    else askNext();
  });
}

/** Another server may know what this one cannot say. */
function isRefusal(reply: Buffer): boolean {
  const rcode = reply.readUInt16BE(2) & 0xf;
  return rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED || rcode === RCODE.NOTIMP;
}

async function exchange(query: Buffer, transport: Transport, server: NameServer, signal: AbortSignal): Promise<Buffer> {
  return transport === 'udp' ? await overUdp(query, server, signal) : await overTcp(query, server, signal);
}

/** A socket for each question: the kernel chooses its port, which somebody who forges answers would have to guess. */
async function overUdp(query: Buffer, server: NameServer, signal: AbortSignal): Promise<Buffer> {
  const family = familyOf(server);
  const socket = dgram.createSocket(`udp${family}` === 'udp6' ? 'udp6' : 'udp4');
  try {
    if (server.namespace !== undefined) socket.bind({ fd: socketWithin(server.namespace, 'udp', family) });
    // Connected, it hears of this server alone, and of its port being closed.
    socket.connect(server.port ?? DNS_PORT, server.address);
    await once(socket, 'connect', { signal });
    const answered = new Promise<Buffer>((resolve, reject) => {
      socket.on('message', (reply) => {
        if (repliesTo(query, reply)) resolve(reply);
      });
      socket.on('error', reject);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    socket.send(query);
    return await answered;
  } finally {
    socket.close();
  }
}

async function overTcp(query: Buffer, server: NameServer, signal: AbortSignal): Promise<Buffer> {
  const socket = tcpSocket(server);
  const end = () => socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', end, { once: true });
  try {
    socket.connect({ host: server.address, port: server.port ?? DNS_PORT });
    socket.write(framed(query));
    const reader = new MessageReader();
    for await (const piece of socket)
      for (const reply of reader.push(piece as Buffer)) if (repliesTo(query, reply)) return reply;
    throw new Error(`${server.address} closed the connection`);
  } finally {
    signal.removeEventListener('abort', end);
    socket.destroy();
  }
}

function tcpSocket(server: NameServer): net.Socket {
  if (server.namespace === undefined) return new net.Socket();
  // Node reads from a socket that it is given, which one that is not connected yet answers with ENOTCONN.
  const unread: net.SocketConstructorOpts & { manualStart: boolean } = {
    fd: socketWithin(server.namespace, 'tcp', familyOf(server)),
    manualStart: true,
  };
  return new net.Socket(unread);
}

function familyOf({ address }: NameServer): 4 | 6 {
  return net.isIPv6(address) ? 6 : 4;
}

/** Whether it is an answer to that very question. One that only says that it went wrong may leave the question out. */
export function repliesTo(query: Buffer, reply: Buffer): boolean {
  if (reply.length < HEADER_BYTES || reply.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  const flags = reply.readUInt16BE(2);
  if ((flags & 0x8000) === 0) return false;
  try {
    const asked = firstQuestion(query);
    const answered = firstQuestion(reply);
    if (answered === undefined) return (flags & 0xf) !== RCODE.NOERROR;
    return (
      asked !== undefined &&
      foldName(asked.name) === foldName(answered.name) &&
      asked.type === answered.type &&
      asked.class === answered.class
    );
  } catch (error) {
    if (error instanceof DnsFormatError) return false;
    throw error;
  }
}
