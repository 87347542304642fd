/**
 * Connections that no rule can lead: the kernel does not send packets of the loopback ::1 to another link, and no rule turns
 * IPv6 into IPv4. They arrive at the socket that holds the port, and this process carries them to the container.
 */

import net from 'node:net';
import { releaseWithConnections } from '#kernel/bound-socket';

/** Each connection costs this process two descriptors, which it has for all containers together. */
export interface RelayLimits {
  /** Connections of one port. */
  perPort: number;
  /** Connections of all ports. */
  inAll: number;
  /** Milliseconds that a container has to take a connection. */
  connect: number;
}

const LIMITS: RelayLimits = { perPort: 512, inAll: 2048, connect: 10_000 };

/** Accept what comes to `fd`, a bound socket of TCP that this relay closes, and carry it to the container. */
export class Relay {
  /** Of all relays. */
  static #carried = 0;
  readonly #server: net.Server;
  readonly #open = new Set<net.Socket>();

  constructor(fd: number, containerAddress: string, containerPort: number, limits = LIMITS) {
    this.#server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
      if (Relay.#carried >= limits.inAll) {
        client.resetAndDestroy();
        return;
      }
      Relay.#carried++;
      client.once('close', () => Relay.#carried--);
      const container = net.connect({ host: containerAddress, port: containerPort, allowHalfOpen: true });
      container.setTimeout(limits.connect, () => container.destroy(new Error('The container does not answer.')));
      container.once('connect', () => container.setTimeout(0));
      for (const [socket, other] of [
        [client, container],
        [container, client],
      ] as const) {
        this.#open.add(socket);
        // A reset is passed on as a reset, and so is a container that does not listen.
        socket.on('error', () => other.resetAndDestroy());
        socket.once('close', () => this.#open.delete(socket));
      }
      client.pipe(container);
      container.pipe(client);
    });
    this.#server.maxConnections = limits.perPort;
    // Without memory for one more connection the others go on.
    this.#server.on('error', () => {});
    releaseWithConnections(fd);
    this.#server.listen({ fd });
    this.#server.unref();
  }

  /** The port is free at once, and the connections end. */
  close(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }
}
