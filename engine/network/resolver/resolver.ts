/** The name server of one container, at 127.0.0.11 inside of its network namespace. */

import dgram from 'node:dgram';
import { setMaxListeners } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { KernelError } from '#kernel/errors';
import { answer, type Transport } from './answer.ts';
import { failureBytes, HEADER_BYTES, RCODE } from './message.ts';
import type { NameTable } from './names.ts';
import { aliasPort } from './port-alias.ts';
import { boundPair } from './sockets.ts';
import { framed, MessageReader } from './tcp-messages.ts';
import { TokenBucket } from './token-bucket.ts';
import { forward, type NameServer } from './upstream.ts';

/** Where every container asks for names. The address is Docker's, and known to programs. */
export const RESOLVER_ADDRESS = '127.0.0.11';
const DNS_PORT = 53;
const ANY_PORT = 0;

/** Questions of one container that others are asked at a time. A further one is refused at once. */
const FORWARDED_MOST = 256;
const CONNECTIONS_MOST = 64;
/** Questions of one connection at a time; then it is not read from until one is answered. */
const PER_CONNECTION_MOST = 32;
/** Milliseconds without a byte in either direction, after which a connection is closed. RFC 7766, section 6.2.3. */
const IDLE_MOST = 10_000;
/** Milliseconds from the first byte of a message to its last one: a client that sends byte by byte is not idle. */
const MESSAGE_WITHIN = 10_000;
/** Datagrams of one container that are looked at; further ones are dropped, and their clients ask again. */
const DATAGRAMS_PER_SECOND = 2_000;

export class Resolver {
  readonly #names: NameTable;
  readonly #servers: () => readonly NameServer[];
  readonly #stop = new AbortController();
  readonly #connections = new Set<net.Socket>();
  readonly #datagrams = new TokenBucket(DATAGRAMS_PER_SECOND);
  #sockets: { udp: dgram.Socket; tcp: net.Server } | undefined;
  #forwarded = 0;

  /**
   * @param names what it knows itself.
   * @param servers who is asked for everything else, as they are at the time of a question. If there are none, as on an
   * internal network, nothing else resolves.
   */
  constructor(names: NameTable, servers: () => readonly NameServer[]) {
    this.#names = names;
    this.#servers = servers;
    setMaxListeners(FORWARDED_MOST, this.#stop.signal);
  }

  /**
   * Take questions in the network namespace that the descriptor stands for, whose `lo` is up or comes up later. Once.
   * Port 53 stays free for programs in there, except with a kernel that has no nf_tables.
   * @throws KernelError EADDRINUSE if it is not free there and the kernel has no nf_tables; nothing is left then.
   */
  serve(namespace: number): void {
    const [udp, tcp] = this.#listen(namespace, ANY_PORT);
    try {
      aliasPort(namespace, { address: RESOLVER_ADDRESS, port: DNS_PORT, udp: udp.address().port, tcp: portOf(tcp) });
      this.#sockets = { udp, tcp };
    } catch (error) {
      udp.close();
      tcp.close();
      if (!(error instanceof KernelError)) throw error;
      const [plainUdp, plainTcp] = this.#listen(namespace, DNS_PORT);
      this.#sockets = { udp: plainUdp, tcp: plainTcp };
    }
  }

  #listen(namespace: number, port: number): [udp: dgram.Socket, tcp: net.Server] {
    const sockets = boundPair(namespace, RESOLVER_ADDRESS, port);
    const udp = dgram.createSocket('udp4', (query, from) => {
      if (!this.#datagrams.take()) return;
      void this.#reply(query, 'udp').then((reply) => {
        // A client that has gone is passed over, and so is whatever else a datagram may meet.
        if (reply && !this.#stop.signal.aborted) udp.send(reply, from.port, from.address, () => {});
      });
    });
    // What the kernel reports of an earlier datagram, such as that the client's port is closed by now.
    udp.on('error', () => {});
    udp.bind({ fd: sockets.udp });
    const tcp = net.createServer({ allowHalfOpen: true }, (socket) => this.#connect(socket));
    tcp.maxConnections = CONNECTIONS_MOST;
    tcp.on('error', () => {});
    tcp.listen({ fd: sockets.tcp });
    return [udp, tcp];
  }

  /** Take no more questions, and let go of the namespace. */
  close(): void {
    this.#stop.abort();
    this.#sockets?.udp.close();
    this.#sockets?.tcp.close();
    for (const socket of this.#connections) socket.destroy();
  }

  #connect(socket: net.Socket): void {
    const reader = new MessageReader();
    let open = 0;
    let ended = false;
    let deadline: NodeJS.Timeout | undefined;
    let scheduled: NodeJS.Immediate | undefined;
    this.#connections.add(socket);
    const take = () => {
      scheduled = undefined;
      while (open < PER_CONNECTION_MOST && !socket.writableNeedDrain) {
        const query = reader.next();
        if (query === undefined) {
          if (ended && open === 0) socket.end();
          else if (reader.isAmid) deadline ??= setTimeout(() => socket.destroy(), MESSAGE_WITHIN);
          socket.resume();
          return;
        }
        clearTimeout(deadline);
        deadline = undefined;
        if (query.length < HEADER_BYTES) {
          socket.destroy();
          return;
        }
        open++;
        void this.#reply(query, 'tcp').then((reply) => {
          open--;
          if (reply && socket.writable) socket.write(framed(reply));
          later();
        });
      }
      socket.pause();
    };
    // Others get their turn between one handful of questions and the next.
    const later = () => {
      if (!socket.destroyed) scheduled ??= setImmediate(take);
    };
    socket.setTimeout(IDLE_MOST, () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(deadline);
      clearImmediate(scheduled);
      this.#connections.delete(socket);
    });
    socket.on('error', () => {});
    socket.on('drain', later);
    socket.on('end', () => {
      ended = true;
      later();
    });
    socket.on('data', (piece) => {
      reader.add(piece);
      socket.pause();
      later();
    });
  }

  async #reply(query: Buffer, transport: Transport): Promise<Buffer | undefined> {
    const decision = answer(query, transport, this.#names);
    if (decision === 'ignore') return undefined;
    if (decision !== 'forward') return decision;
    const servers = this.#servers();
    if (servers.length === 0 || this.#forwarded >= FORWARDED_MOST) return failureBytes(query, RCODE.SERVFAIL);
    this.#forwarded++;
    try {
      return (await forward(query, transport, servers, this.#stop.signal)) ?? failureBytes(query, RCODE.SERVFAIL);
    } finally {
      this.#forwarded--;
    }
  }
}

function portOf(server: net.Server): number {
  return (server.address() as AddressInfo).port;
}
