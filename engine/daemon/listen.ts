import { once } from 'node:events';
import fs from 'node:fs';
import type { Server } from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { socketAddress } from '../container/socket-address.ts';

/** For its owner and group, like Docker's. */
const UMASK = 0o117;
/** For its owner alone: in a user namespace a group is a range of strangers. */
const ROOTLESS_UMASK = 0o177;
/** Milliseconds that clients have to be served when the daemon is told to end. */
const GRACE = 1000;

/**
 * Listen on a unix socket, in the place of one that a daemon left behind.
 * @returns the way to stop listening, which leaves no socket.
 * @param rootless who owns the directory was asked before, since it cannot be known in this user namespace.
 * @throws Error when something else is there, when somebody listens there already, or when others could put a socket of
 *   theirs in the place of ours
 */
export async function listenOn(
  server: Server,
  socket: string,
  { rootless = false }: { rootless?: boolean } = {},
): Promise<() => Promise<void>> {
  const directory = path.dirname(socket);
  fs.mkdirSync(directory, { recursive: true, mode: 0o711 });
  if (!rootless) requireSafe(directory);
  await removeStale(socket);
  const address = socketAddress(socket);
  const umask = process.umask(rootless ? ROOTLESS_UMASK : UMASK);
  try {
    server.listen(address.path);
  } finally {
    process.umask(umask);
  }
  await once(server, 'listening');
  // Also those that were taken away from HTTP, which the server itself forgets.
  const sockets = new Set<net.Socket>();
  server.on('connection', (client: net.Socket) => {
    sockets.add(client);
    client.once('close', () => sockets.delete(client));
  });
  return async () => {
    const grace = setTimeout(() => {
      for (const client of sockets) client.destroy();
    }, GRACE);
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeIdleConnections();
    });
    clearTimeout(grace);
    fs.rmSync(socket, { force: true });
    address.release();
  };
}

/** @throws Error when others could put a socket of theirs in the place of one in `directory` */
export function requireSafe(directory: string): void {
  const { mode, uid } = fs.statSync(directory);
  const shared = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
  if (shared || (uid !== 0 && uid !== process.getuid?.()))
    throw new Error(
      `Others can replace a socket in ${directory}. Choose a directory that only you can write to, or run chmod go-w ${directory}.`,
    );
}

async function removeStale(socket: string): Promise<void> {
  const stat = fs.lstatSync(socket, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) throw new Error(`${socket} exists and is not a socket. Choose another path with --socket.`);
  if (await answers(socket))
    throw new Error(`Another process listens on ${socket} already. Stop it, or choose another path with --socket.`);
  fs.rmSync(socket, { force: true });
}

async function answers(socket: string): Promise<boolean> {
  const address = socketAddress(socket);
  const client = net.connect(address.path);
  try {
    await once(client, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    client.destroy();
    address.release();
  }
}
