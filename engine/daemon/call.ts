import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough, type Readable } from 'node:stream';
import type * as z from 'zod';
import type { Engine } from '../container/engine.ts';
import { ApiError } from './api-error.ts';
import { BODY_SIZE, parseJsonBody, readBody, validate } from './body.ts';
import { takeSocket } from './hijack.ts';
import type { Query } from './query.ts';
import { compareVersions } from './version.ts';

export interface CallParts {
  engine: Engine;
  request: IncomingMessage;
  response: ServerResponse;
  /** Whether the client asked to switch to a raw stream (`Upgrade: tcp`). */
  upgrade: boolean;
  parameters: Record<string, string | undefined>;
  query: Query;
  /** The API version the client speaks. */
  version: string;
}

/** One request and the way to answer it. */
export class Call {
  readonly engine: Engine;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: Query;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  readonly #parts: CallParts;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.engine = parts.engine;
    this.request = parts.request;
    this.response = parts.response;
    this.query = parts.query;
    const gone = new AbortController();
    this.signal = gone.signal;
    parts.response.on('close', () => gone.abort());
  }

  /** A part of the path, e.g. `id`. */
  parameter(name: string): string {
    const value = this.#parts.parameters[name] ?? '';
    if (value.includes('\0')) throw new ApiError(400, 'the path has a NUL character');
    return value;
  }

  speaks(version: string): boolean {
    return compareVersions(this.#parts.version, version) >= 0;
  }

  /** The body as a JSON object. @throws ApiError 413 when it is larger than it may be here, 400 */
  async json(size: keyof typeof BODY_SIZE = 'small'): Promise<Record<string, unknown>> {
    const body = await this.#wholeBody(size);
    const type = this.request.headers['content-type'];
    // An empty body may be called anything.
    if (body.length > 0 && type !== undefined && !/^application\/json\s*(;|$)/i.test(type))
      throw new ApiError(400, `unsupported Content-Type header (${type.slice(0, 60)}): must be 'application/json'`);
    return parseJsonBody(body);
  }

  /** Read past a body that means nothing here, so that what follows it is the stream the connection becomes. @throws ApiError */
  async skipBody(): Promise<void> {
    await this.#wholeBody('small');
  }

  async #wholeBody(size: keyof typeof BODY_SIZE): Promise<Buffer> {
    const { request, upgrade } = this.#parts;
    const length = request.headers['content-length'];
    const chunked = request.headers['transfer-encoding'] !== undefined;
    if (upgrade) {
      if (chunked) throw new ApiError(411, 'a request to upgrade needs a Content-Length');
      return await readBody(request.socket, Number(length ?? 0), BODY_SIZE[size]);
    }
    // RFC 9112, section 6.3: a request that announces neither has no body.
    return await readBody(request, chunked ? undefined : Number(length ?? 0), BODY_SIZE[size]);
  }

  /** The body as a JSON object of this form. @throws ApiError */
  async body<T extends z.ZodType>(schema: T, size?: keyof typeof BODY_SIZE): Promise<z.infer<T>> {
    return validate(schema, await this.json(size));
  }

  /** The body as it comes in. A route that destroys it can still answer: what the client goes on to send is passed over. */
  bodyStream(): Readable {
    const { request } = this.#parts;
    const body = new PassThrough({ highWaterMark: 1024 * 1024 });
    request.once('error', (error) => body.destroy(error));
    request.once('close', () => {
      if (!request.complete) body.destroy(new ApiError(400, 'the body of the request was cut off'));
    });
    return request.pipe(body);
  }

  send(status: number, document: unknown): void {
    const text = Buffer.from(`${JSON.stringify(document)}\n`);
    this.response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': text.length });
    this.response.end(text);
  }

  sendNothing(status: 200 | 201 | 204 | 304): void {
    this.response.writeHead(status, status === 204 || status === 304 ? {} : { 'Content-Length': 0 });
    this.response.end();
  }

  /** Begin an answer that goes on for as long as there is something to say. */
  stream(contentType: string): ServerResponse {
    this.response.writeHead(200, { 'Content-Type': contentType });
    this.response.flushHeaders();
    return this.response;
  }

  /** Turn the connection into a raw stream in both directions. */
  hijack(contentType: string): Socket {
    return takeSocket(this.request, this.response, this.#parts.upgrade, contentType);
  }
}
