/** The shim's unix socket; what is said on it is in protocol.ts. */

import { createServer, type Server, type Socket } from 'node:net';
import { failureOf, RequestError } from './failure.ts';
import type { Processes } from './processes.ts';
import type { Greeting, ShimEvent, ShimMethod } from './protocol.ts';

/** A specification with a whole environment fits many times. */
const LONGEST_LINE = 16 << 20;
const NEWLINE = 10;

export type Handlers = Record<ShimMethod, (params: never) => unknown>;

export interface ShimServer {
  listen: Server;
  /** Tell every control connection. */
  publish(event: ShimEvent): void;
  /** How many control connections there are. */
  controls(): number;
}

/** @param onIdle called whenever a control connection has gone. */
export function shimServer(processes: Processes, handlers: Handlers, onIdle: () => void): ShimServer {
  const controls = new Set<Socket>();
  // A client that has said everything on standard input still wants to hear the output.
  const listen = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    onFirstLine(socket, (line, rest) => {
      try {
        greet(socket, JSON.parse(line) as Greeting, rest);
      } catch (error) {
        socket.end(`${JSON.stringify({ error: failureOf(error) })}\n`);
        socket.resume();
      }
    });
  });

  function greet(socket: Socket, greeting: Greeting, rest: Buffer): void {
    if (greeting.role === 'control') {
      controls.add(socket);
      socket.on('end', () => socket.end());
      socket.on('close', () => {
        controls.delete(socket);
        onIdle();
      });
      serveRequests(socket, rest, handlers);
      return;
    }
    if (greeting.role !== 'attach') throw new RequestError('failed', 'A greeting has the role control or attach.');
    const { streams } = processes.find(greeting.key);
    socket.write('{"attached":true}\n');
    if (rest.length > 0) socket.unshift(rest);
    if (streams === null) socket.destroySoon();
    else streams.attach(socket, greeting);
  }

  return {
    listen,
    publish(event) {
      const line = `${JSON.stringify(event)}\n`;
      for (const socket of controls) socket.write(line);
    },
    controls: () => controls.size,
  };
}

/** What comes after the line is handed on unread: the socket is paused, with no listener of ours left. */
function onFirstLine(socket: Socket, use: (line: string, rest: Buffer) => void): void {
  let bytes = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const newline = bytes.indexOf(NEWLINE);
    if (newline < 0) {
      if (bytes.length > LONGEST_LINE) socket.destroy();
      return;
    }
    socket.pause();
    socket.removeListener('data', onData);
    socket.removeListener('end', onEnd);
    use(bytes.toString('utf8', 0, newline), bytes.subarray(newline + 1));
  };
  const onEnd = () => socket.destroy();
  socket.on('data', onData);
  socket.on('end', onEnd);
}

interface Request {
  id: number;
  method: ShimMethod;
  params: never;
}

function serveRequests(socket: Socket, first: Buffer, handlers: Handlers): void {
  let parts: Buffer[] = [];
  const onData = (chunk: Buffer) => {
    let rest = chunk;
    for (let newline = rest.indexOf(NEWLINE); newline >= 0; newline = rest.indexOf(NEWLINE)) {
      const line = Buffer.concat([...parts, rest.subarray(0, newline)]).toString();
      parts = [];
      rest = rest.subarray(newline + 1);
      if (line.trim() !== '') void answer(socket, line, handlers);
    }
    if (rest.length > 0) parts.push(rest);
    if (parts.reduce((sum, part) => sum + part.length, 0) > LONGEST_LINE) socket.destroy();
  };
  onData(first);
  socket.on('data', onData);
  socket.resume();
}

async function answer(socket: Socket, line: string, handlers: Handlers): Promise<void> {
  let id: number | null = null;
  try {
    const request = JSON.parse(line) as Request;
    id = request.id;
    if (!Object.hasOwn(handlers, request.method))
      throw new RequestError('failed', `The shim has no method ${JSON.stringify(request.method)}.`);
    const result = await handlers[request.method](request.params);
    socket.write(`${JSON.stringify({ id, result })}\n`);
  } catch (error) {
    socket.write(`${JSON.stringify({ id, error: failureOf(error) })}\n`);
  }
}
