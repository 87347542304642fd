/** A registry in memory that takes pushes, writes down every request, and misbehaves as a test says. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  method: string;
  /** Below `/v2/`, with its query. */
  path: string;
  headers: http.IncomingHttpHeaders;
}

/** What a test has it do instead of its work. */
export type Fault =
  /** Break the connection off after so many bytes of the body, keeping those. */
  | { cutAfter: number }
  /** Do the work, and break off in place of the answer. */
  | { cutAnswer: true }
  | { status: number; headers?: Record<string, string> };

export class UploadRegistry {
  readonly seen: Seen[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** By tag and by digest. */
  readonly manifests = new Map<string, Buffer>();
  readonly uploads = new Map<string, Buffer>();
  /** Headers of the answers that begin uploads. */
  uploadHeaders: Record<string, string> = {};
  /** Whether it mounts what another repository has. */
  mounts = false;
  /** Where it says that uploads go on. */
  uploadOrigin = '';
  /** Asked before each request; may wait. */
  fault: (request: Seen) => Fault | undefined | Promise<Fault | undefined> = () => undefined;
  /** What it answers to `GET /v2/` in place of 200. */
  hello: (request: Seen) => { status: number; headers?: Record<string, string> } | undefined = () => undefined;
  /** Bytes of bodies that it was sent. */
  received = 0;
  readonly #server: http.Server;
  #count = 0;

  private constructor() {
    this.#server = http.createServer((request, response) => {
      this.#answer(request, response).catch((error) => response.destroy(error));
    });
  }

  static async start(): Promise<UploadRegistry> {
    const registry = new UploadRegistry();
    registry.#server.listen(0, '127.0.0.1');
    await once(registry.#server, 'listening');
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** `METHOD path` of what was seen, without the hello and the names of uploads. */
  get lines(): string[] {
    return this.seen.map(({ method, path }) => `${method} ${path.replace(/uploads\/u\d+/, 'uploads/U')}`);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace(/^\/v2\//, '');
    const seen = { method: request.method ?? '', path, headers: request.headers };
    if (path === '') {
      const refusal = this.hello(seen);
      return void response.writeHead(refusal?.status ?? 200, refusal?.headers).end();
    }
    this.seen.push(seen);
    const fault = await this.fault(seen);
    if (fault && 'status' in fault) {
      request.resume();
      return void response.writeHead(fault.status, fault.headers).end();
    }
    const url = new URL(path, 'http://x/');
    const upload = /blobs\/uploads\/(u\d+)$/.exec(url.pathname)?.[1];
    const body = await this.#body(request, fault && 'cutAfter' in fault ? fault.cutAfter : undefined, upload);
    if (body === undefined) return void request.socket.destroy();
    if (fault && 'cutAnswer' in fault) {
      this.#work(seen, url, upload, body);
      return void request.socket.destroy();
    }
    const { status, headers } = this.#work(seen, url, upload, body);
    response.writeHead(status, headers).end();
  }

  /** What came before a cut stays with the upload. */
  async #body(request: IncomingMessage, cutAfter: number | undefined, upload = ''): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      const part = cutAfter === undefined ? chunk : chunk.subarray(0, cutAfter - size);
      chunks.push(part);
      size += part.length;
      this.received += part.length;
      if (cutAfter !== undefined && size >= cutAfter) {
        const before = this.uploads.get(upload);
        if (before !== undefined) this.uploads.set(upload, Buffer.concat([before, ...chunks]));
        return undefined;
      }
    }
    return Buffer.concat(chunks);
  }

  #work({ method, headers }: Seen, url: URL, upload: string | undefined, body: Buffer) {
    const [, repository = '', kind = '', name = ''] = /^\/(.+?)\/(manifests|blobs)\/(.+)$/.exec(url.pathname) ?? [];
    const found = (is: boolean) => reply(is ? 200 : 404);
    if (method === 'HEAD') return found((kind === 'blobs' ? this.blobs : this.manifests).has(decodeURIComponent(name)));
    if (kind === 'manifests') {
      const digest = digestOf(body);
      for (const each of [name, digest]) this.manifests.set(each, body);
      return reply(201, { 'Docker-Content-Digest': digest });
    }
    if (method === 'POST') {
      const mount = url.searchParams.get('mount');
      if (mount !== null && this.mounts) return reply(201, { 'Docker-Content-Digest': mount });
      this.#count += 1;
      this.uploads.set(`u${this.#count}`, Buffer.alloc(0));
      return reply(202, { ...this.#location(repository, `u${this.#count}`, 0), ...this.uploadHeaders });
    }
    const before = this.uploads.get(upload ?? '');
    if (upload === undefined || before === undefined) return reply(404);
    if (method === 'GET') return reply(204, this.#location(repository, upload, before.length));
    if (method === 'DELETE') {
      this.uploads.delete(upload);
      return reply(204);
    }
    const from = /^(\d+)-\d+$/.exec(headers['content-range'] ?? '')?.[1] ?? '0';
    if (Number(from) !== before.length) return reply(416, this.#location(repository, upload, before.length));
    const content = Buffer.concat([before, body]);
    this.uploads.set(upload, content);
    if (method === 'PATCH') return reply(202, this.#location(repository, upload, content.length));
    const digest = url.searchParams.get('digest') ?? '';
    if (digestOf(content) !== digest) return reply(400);
    this.uploads.delete(upload);
    this.blobs.set(digest, content);
    return reply(201, { 'Docker-Content-Digest': digest });
  }

  #location(repository: string, upload: string, size: number): Record<string, string> {
    const path = `/v2/${repository}/blobs/uploads/${upload}?state=${size}`;
    return { Location: `${this.uploadOrigin}${path}`, Range: `0-${Math.max(size - 1, 0)}` };
  }
}

function reply(status: number, headers: Record<string, string> = {}) {
  return { status, headers };
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
