import type { IncomingMessage, Server } from 'node:http';
import type { Engine } from '../container/engine.ts';

/**
 * Call `end` after so many seconds in which no client was connected and no container ran. A connection counts from its
 * first request on: to connect is how others find out whether a daemon listens, and must not keep it alive.
 */
export function watchIdleness(server: Server, engine: Engine, seconds: number, end: () => void): void {
  const clients = new Set<IncomingMessage['socket']>();
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    clearTimeout(timer);
    const busy =
      clients.size > 0 ||
      engine.containers.all().some((container) => container.running || container.starting || container.restarting);
    if (!busy) timer = setTimeout(end, seconds * 1000);
  };
  const count = ({ socket }: IncomingMessage) => {
    if (clients.has(socket) || socket.destroyed) return;
    clients.add(socket);
    look();
    socket.once('close', () => {
      clients.delete(socket);
      look();
    });
  };
  server.on('request', count);
  server.on('upgrade', count);
  engine.events.attend(look);
  look();
}
