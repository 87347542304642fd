import { once } from 'node:events';
import type http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/** Milliseconds that requests have to end when the server is told to. */
const GRACE = 5_000;

/**
 * Listen on HOST:PORT, where port 0 takes a free one.
 * @throws Error if the address is malformed or taken.
 */
export async function listenOn(
  server: http.Server,
  listen: string,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(listen) ?? [];
  if (port === '' || Number(port) > 65535) throw new Error(`--listen must be HOST:PORT, not "${listen}".`);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(Number(port), host.replace(/^\[(.*)\]$/, '$1') || undefined);
  await once(server, 'listening').catch((error: Error) => {
    throw new Error(`It cannot listen on ${listen}: ${error.message}. Choose another address with --listen.`);
  });
  const { address, family, port: bound } = server.address() as AddressInfo;
  const scheme = server instanceof https.Server ? 'https' : 'http';
  return {
    url: `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${bound}`,
    stop: async () => {
      const grace = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, GRACE);
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeIdleConnections();
      });
      clearTimeout(grace);
    },
  };
}
