/**
 * Connections that no rule can lead: the kernel does not send packets of the loopback ::1 to another link, and no rule turns
 * IPv6 into IPv4. They arrive at the socket that holds the port, and this process carries them to the container.
 */

import net from 'node:net';
import { releaseWithConnections } from '#kernel/bound-socket';

/** Accept what comes to `fd`, a bound socket of TCP that this relay closes, and carry it to the container. */
export class Relay {
  readonly #server: net.Server;
  readonly #open = new Set<net.Socket>();

  constructor(fd: number, containerAddress: string, containerPort: number) {
    this.#server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
      const container = net.connect({ host: containerAddress, port: containerPort, allowHalfOpen: true });
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
