import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Take a connection away from HTTP: answer the headers and hand out the socket, which from here on carries what the
 * Docker Engine API calls a raw stream, in both directions, each of which can end by itself.
 * @param upgrade answer `101 UPGRADED`; else `200 OK`, as older clients expect, with the stream as its body.
 */
export function takeSocket(
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: boolean,
  contentType: string,
): Socket {
  const { socket } = request;
  response.detachSocket(socket);
  if (!upgrade) releaseFromParser(socket);
  const status = upgrade ? 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp' : 'HTTP/1.1 200 OK';
  socket.setTimeout(0);
  socket.on('error', () => socket.destroy());
  socket.write(`${status}\r\nContent-Type: ${contentType}\r\n\r\n`);
  return socket;
}

/**
 * Without an upgrade Node goes on parsing what the client sends as the next request. Its listeners go; the `data`
 * listener that a reader adds makes Node stop feeding the parser behind the stream's back.
 */
function releaseFromParser(socket: Socket): void {
  for (const event of ['data', 'end', 'drain', 'timeout', 'error']) socket.removeAllListeners(event);
}
