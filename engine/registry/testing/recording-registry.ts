/** A registry that does what it is told: slow, cut off, lying, redirecting. It keeps every request that it saw. */

import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Content, Descriptor } from './test-image.ts';

export interface Seen {
  method: string;
  /** With its query. */
  url: string;
  headers: http.IncomingHttpHeaders;
}

/** Answers a request in another way than it should be. @returns false to have it answered as usual */
export type Trick = (request: IncomingMessage, response: ServerResponse, times: number) => boolean | Promise<boolean>;

export class RecordingRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly seen: Seen[] = [];
  /** Tried in order before the usual answer. */
  tricks: Trick[] = [];
  content: Content = { blobs: new Map(), manifests: new Map() };
  /** `REPOSITORY:TAG`. */
  readonly tags = new Map<string, Descriptor>();
  readonly #server: http.Server;
  readonly #times = new Map<string, number>();

  private constructor(server: http.Server) {
    this.#server = server;
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<RecordingRegistry> {
    const server = http.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const registry = new RecordingRegistry(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void registry.#answer(request, response);
    });
    return registry;
  }

  /** The requests for what `part` is in the URL of. */
  requests(part: string): Seen[] {
    return this.seen.filter(({ url }) => url.includes(part));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    this.seen.push({ method, url, headers });
    const times = (this.#times.get(url) ?? 0) + 1;
    this.#times.set(url, times);
    for (const trick of this.tricks) if (await trick(request, response, times)) return;
    this.#usual(request, response);
  }

  #usual({ method, url = '', headers }: IncomingMessage, response: ServerResponse): void {
    const [, repository, kind, name = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)$/.exec(url) ?? [];
    const manifest = this.content.manifests.get(this.tags.get(`${repository}:${name}`)?.digest ?? name);
    const blob = this.content.blobs.get(name);
    if (/^\/v2\/?$/.test(url)) send(response, 200, '{}');
    else if (kind === 'manifests' && manifest !== undefined) {
      const digest = this.tags.get(`${repository}:${name}`)?.digest ?? name;
      const types = { 'content-type': manifest.mediaType, 'docker-content-digest': digest };
      send(response, 200, manifest.bytes, types, method);
    } else if (kind === 'blobs' && blob !== undefined) {
      const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
      const range = `bytes ${from}-${blob.length - 1}/${blob.length}`;
      if (from === 0) send(response, 200, blob, {}, method);
      else send(response, 206, blob.subarray(from), { 'content-range': range }, method);
    } else {
      const body = JSON.stringify({ errors: [{ code: kind === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN' }] });
      send(response, 404, body, { 'content-type': 'application/json' });
    }
  }
}

export function send(
  response: ServerResponse,
  status: number,
  body: Buffer | string,
  headers: Record<string, string> = {},
  method = 'GET',
): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
  response.end(method === 'HEAD' ? undefined : body);
}
