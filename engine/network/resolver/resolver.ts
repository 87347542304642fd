/** The name server of one container, at 127.0.0.11 inside of its network namespace. */

import dgram from 'node:dgram';
import { setMaxListeners } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { KernelError } from '#kernel/errors';
import { answer, failure, type Transport } from './answer.ts';
import { RCODE } from './message.ts';
import type { NameTable } from './names.ts';
import { aliasPort } from './port-alias.ts';
import { boundPair } from './sockets.ts';
import { framed, MessageReader } from './tcp-messages.ts';
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

export class Resolver {
  readonly #names: NameTable;
  readonly #servers: () => readonly NameServer[];
  readonly #stop = new AbortController();
  readonly #connections = new Set<net.Socket>();
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
    const settle = () => {
      if (ended && open === 0) socket.end();
      else if (open < PER_CONNECTION_MOST && !socket.writableNeedDrain) socket.resume();
    };
    this.#connections.add(socket);
    socket.setTimeout(IDLE_MOST, () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => {});
    socket.on('drain', settle);
    socket.on('end', () => {
      ended = true;
      settle();
    });
    socket.on('data', (piece) => {
      for (const query of reader.push(piece)) {
        open++;
        void this.#reply(query, 'tcp').then((reply) => {
          open--;
          if (reply && socket.writable) socket.write(framed(reply));
          settle();
        });
      }
      if (open >= PER_CONNECTION_MOST || socket.writableNeedDrain) socket.pause();
    });
  }

  async #reply(query: Buffer, transport: Transport): Promise<Buffer | undefined> {
    const decision = answer(query, transport, this.#names);
    if (decision === 'ignore') return undefined;
    if (decision !== 'forward') return decision;
    const servers = this.#servers();
    if (servers.length === 0 || this.#forwarded >= FORWARDED_MOST) return failure(query, RCODE.SERVFAIL);
    this.#forwarded++;
    try {
      return (await forward(query, transport, servers, this.#stop.signal)) ?? failure(query, RCODE.SERVFAIL);
    } finally {
      this.#forwarded--;
    }
  }
}

function portOf(server: net.Server): number {
  return (server.address() as AddressInfo).port;
}
