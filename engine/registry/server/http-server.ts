/** The registry on HTTP: from node's requests to the heart's, and back. */

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { RegistryResponse, RegistryStore } from '#contract/registry';
import { answer } from '#registry';
import { DiskFull } from '../../image/scratch.ts';
import { type AccessOptions, permitFor } from './access.ts';
import { bodyOf, discardRest } from './request-body.ts';
import { sendBody } from './response-body.ts';

/** Bytes of a request's line and headers: a token travels in them. */
const HEADER_SIZE = 32 * 1024;
/** Milliseconds for the headers to arrive. */
const HEADERS_TIMEOUT = 30_000;
const SILENCE_MAX = 60_000;
const KEEP_ALIVE = 60_000;
/** None for a request as a whole: a layer takes as long as it takes. */
const REQUEST_TIMEOUT = 0;

/** Of every answer: a client says of which type its document is, also of one that a browser would run. */
const HARMLESS = {
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'X-Content-Type-Options': 'nosniff',
};

export interface ServerOptions {
  store: RegistryStore;
  access: AccessOptions;
  /** PEM. Without it the server speaks HTTP. */
  tls?: { cert: Buffer; key: Buffer };
  warn: (message: string) => void;
  /** Milliseconds that a connection may be silent within a request or an answer. */
  silence?: number;
}

/** A server that does not listen yet. */
export function newRegistryServer(options: ServerOptions): http.Server {
  const settings = {
    maxHeaderSize: HEADER_SIZE,
    headersTimeout: HEADERS_TIMEOUT,
    keepAliveTimeout: KEEP_ALIVE,
    requestTimeout: REQUEST_TIMEOUT,
    noDelay: true,
  };
  const server =
    options.tls === undefined
      ? http.createServer(settings)
      : https.createServer({ ...settings, ...options.tls, handshakeTimeout: HEADERS_TIMEOUT });
  const current = new WeakMap<Socket, [IncomingMessage, ServerResponse]>();
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    current.set(request.socket, [request, response]);
    void respond(request, response, options);
  };
  server.on('request', serve);
  // The client sends the body only once it is asked for: a request that is refused costs it nothing.
  server.on('checkContinue', serve);
  const silence = options.silence ?? SILENCE_MAX;
  server.setTimeout(silence, (socket: Socket) => {
    const [request, response] = current.get(socket) ?? [];
    // It is not the client that is silent: a large blob takes its time to reach the disk.
    if (request?.complete && response?.headersSent === false) socket.setTimeout(silence);
    else socket.destroy();
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable) return socket.destroy();
    const [status, text] =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', `the headers have more than ${HEADER_SIZE} bytes`]
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? ['408 Request Timeout', 'the headers did not arrive in time']
          : ['400 Bad Request', 'the request is not HTTP'];
    const body = JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message: text }] });
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': body.length,
      Connection: 'close',
      ...HARMLESS,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`);
  });
  return server;
}

async function respond(request: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<void> {
  const { method = 'GET', url = '/', headers } = request;
  try {
    const found = await answer(
      {
        method,
        target: url,
        headers,
        body: bodyOf(request, response),
        permit: permitFor(options.access, headers.authorization),
      },
      options.store,
    ).catch((error: unknown) => failure(error, request, options));
    if (found === undefined) response.destroy();
    else await send(request, response, found);
  } catch (error) {
    // The head of the answer has gone out: all that is left to say is that it is not whole.
    if (!isHangUp(error)) options.warn(`${method} ${pathOf(url)}: ${(error as Error).message}`);
    response.destroy();
  }
}

async function send(request: IncomingMessage, response: ServerResponse, found: RegistryResponse): Promise<void> {
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
  for (const [name, value] of Object.entries({ ...found.headers, ...HARMLESS })) response.setHeader(name, value);
  response.statusCode = found.status;
  // The client waits with a body that we shall never ask for, and may send another request in its place.
  const unasked = request.headers.expect !== undefined && !request.readableDidRead;
  if (unasked) response.setHeader('Connection', 'close');
  await sendBody(response, request.method === 'HEAD' ? undefined : found.body);
  if (!unasked && !request.complete) await discardRest(request);
}

/** The answer to what the heart did not expect; undefined if the client is gone. */
async function failure(
  error: unknown,
  { method = 'GET', url = '/' }: IncomingMessage,
  { warn }: ServerOptions,
): Promise<RegistryResponse | undefined> {
  if (isHangUp(error)) return undefined;
  warn(`${method} ${pathOf(url)}: ${(error as Error).message}`);
  const full = error instanceof DiskFull;
  const message = full ? error.message : 'the registry failed; its log says why';
  const body = JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message }] });
  return {
    status: full ? 507 : 500,
    headers: { 'content-type': 'application/json', 'content-length': `${Buffer.byteLength(body)}` },
    body,
  };
}

function isHangUp(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** Without the query, which may carry what is not meant for a log. */
function pathOf(url: string): string {
  return url.split('?')[0]!.slice(0, 200);
}
