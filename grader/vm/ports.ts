/** The host's ends of the guest's virtio-serial ports: unix sockets that QEMU connects to. */

import { createServer, type Server } from 'node:net';

export interface Port {
  socket: string;
  server: Server;
}

/** Listen on `socket` and hand every chunk that the guest writes to `received`. */
export async function openPort(socket: string, received: (chunk: Buffer) => void): Promise<Port> {
  const server = createServer((connection) => {
    connection.on('data', received);
    // QEMU killed in the middle of a write is not an error of ours.
    connection.on('error', () => connection.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  return { socket, server };
}

/** Resolves when everything the guest wrote has been received and QEMU has gone. */
export function closePort(port: Port): Promise<void> {
  return new Promise((resolve) => {
    port.server.close(() => resolve());
  });
}
