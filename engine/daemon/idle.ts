import type { Server } from 'node:http';
import type { Engine } from '../container/engine.ts';

/** Call `end` once nobody has been connected and nothing has run for so many seconds. */
export function watchIdleness(server: Server, engine: Engine, seconds: number, end: () => void): void {
  let connections = 0;
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    clearTimeout(timer);
    const busy =
      connections > 0 || engine.containers.all().some((container) => container.running || container.starting);
    if (!busy) timer = setTimeout(end, seconds * 1000);
  };
  server.on('connection', (socket) => {
    connections++;
    look();
    socket.once('close', () => {
      connections--;
      look();
    });
  });
  engine.events.listen(look);
  look();
}
