import http, { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Engine } from '../container/engine.ts';
import { ApiError, toApiError } from './api-error.ts';
import { Call } from './call.ts';
import { Query } from './query.ts';
import { newRouter } from './routes.ts';
import { API_VERSION, compareVersions, ENGINE_VERSION, MIN_API_VERSION } from './version.ts';

/** Bytes of a request's line and headers: filters and registry credentials travel in them. */
const HEADER_SIZE = 64 * 1024;
/** Milliseconds. */
const HEADERS_TIMEOUT = 30_000;
/** None for a request to be there as a whole: archives take as long as they take. JSON bodies have a limit of their own. */
const REQUEST_TIMEOUT = 0;
const KEEP_ALIVE = 60_000;

const HEADERS = {
  'Api-Version': API_VERSION,
  'Docker-Experimental': 'false',
  Ostype: 'linux',
  Server: `Skiff/${ENGINE_VERSION} (linux)`,
};

/** The Docker Engine API for an engine, on a server that does not listen yet. */
export function newServer(engine: Engine): http.Server {
  const router = newRouter();

  const answer = async (request: IncomingMessage, response: ServerResponse, upgrade: boolean) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    try {
      const { path, search, version } = splitUrl(request.url ?? '/');
      const route = router.find((request.method ?? 'GET') as 'GET', path);
      if (!route) throw new ApiError(404, 'page not found');
      const handler = route.handler as unknown as (call: Call) => Promise<void> | void;
      await handler(
        new Call({ engine, request, response, upgrade, parameters: route.params, query: new Query(search), version }),
      );
    } catch (error) {
      sendError(response, error);
    }
  };

  const server = http.createServer({
    maxHeaderSize: HEADER_SIZE,
    headersTimeout: HEADERS_TIMEOUT,
    keepAliveTimeout: KEEP_ALIVE,
    requestTimeout: REQUEST_TIMEOUT,
    noDelay: false,
  });
  server.on('request', (request, response) => void answer(request, response, false));
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (head.length > 0) socket.unshift(head);
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.shouldKeepAlive = false;
    response.on('finish', () => socket.end());
    void answer(request, response, true);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable) return socket.destroy();
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    const body = JSON.stringify({ message: `bad request: ${error.message}` });
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  });
  return server;
}

/** `/v1.50/containers/json?all=1` in its parts. @throws ApiError 400 for a version this engine does not speak */
function splitUrl(url: string): { path: string; search: string; version: string } {
  const mark = url.indexOf('?');
  const whole = mark === -1 ? url : url.slice(0, mark);
  const search = mark === -1 ? '' : url.slice(mark + 1);
  const match = /^\/v(\d{1,4}\.\d{1,4})(\/.*)$/.exec(whole);
  const version = match?.[1] ?? API_VERSION;
  if (compareVersions(version, MIN_API_VERSION) < 0)
    throw new ApiError(
      400,
      `client version ${version} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  if (compareVersions(version, API_VERSION) > 0)
    throw new ApiError(
      400,
      `client version ${version} is too new. Maximum supported API version is ${API_VERSION}; set DOCKER_API_VERSION=${API_VERSION}`,
    );
  return { path: match?.[2] ?? whole, search, version };
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || !response.socket) {
    response.destroy();
    return;
  }
  const { status, message } = toApiError(error);
  const body = status === 304 ? '' : `${JSON.stringify({ message })}\n`;
  response.writeHead(status, {
    ...(status !== 304 && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
    ...(status === 408 ? { Connection: 'close' } : {}),
  });
  response.end(body);
}
