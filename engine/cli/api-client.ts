import http from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { ApiError, ConnectionError, errorCode, errorText } from './errors.ts';
import { socketAddress } from './socket-address.ts';

/** Values of a query string. What is undefined is left out; a list is a parameter for each. */
export type Query = Record<string, string | number | boolean | string[] | undefined>;

export interface RequestOptions {
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, in place of `body`. */
  content?: Readable;
  headers?: Record<string, string>;
}

/** Checks a document from the daemon; a zod schema is one. */
export interface Schema<T> {
  parse(value: unknown): T;
}

export interface ClientOptions {
  socket: string;
  /** E.g. `1.50`. */
  apiVersion: string;
  /** Called when nothing listens on the socket. After it has resolved to true the request is made again, once. */
  startDaemon?: () => Promise<boolean>;
}

export type Method = 'GET' | 'POST' | 'DELETE' | 'HEAD' | 'PUT';

const UNREACHABLE = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR']);

/** The Docker Engine API over a unix socket. */
export class ApiClient {
  readonly #options: ClientOptions;
  readonly #agent = new http.Agent({ keepAlive: true });

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /**
   * One request, answered by a JSON document that `schema` accepts.
   * @throws ApiError when the daemon refuses, ConnectionError when there is none.
   */
  async json<T>(method: Method, path: string, schema: Schema<T>, options?: RequestOptions): Promise<T> {
    const text = await this.text(method, path, options);
    let document: unknown;
    try {
      document = JSON.parse(text);
      return schema.parse(document);
    } catch (error) {
      throw new ApiError(500, `the answer to ${method} ${path} is not what the API describes: ${errorText(error)}`);
    }
  }

  /** One request; its answer as text. @throws as `json`. */
  async text(method: Method, path: string, options?: RequestOptions): Promise<string> {
    const answer = await this.stream(method, path, options);
    try {
      return await readAll(answer);
    } catch (error) {
      throw this.#connectionError(error);
    }
  }

  /**
   * One request; its answer, a success, as it comes in, once its head is there.
   * @throws as `json`.
   */
  async stream(method: Method, path: string, options?: RequestOptions): Promise<http.IncomingMessage> {
    // A stream can be sent once: the daemon has to be there before.
    if (options?.content) await this.text('GET', '/_ping');
    const answer = await this.#withDaemon(() => this.#send(method, path, options));
    if ('upgraded' in answer) throw new ApiError(500, `the answer to ${method} ${path} is an unexpected upgrade`);
    return answer;
  }

  /**
   * One request whose connection becomes a raw stream in both directions. Docker Engine API, "ContainerAttach",
   * "Hijacking".
   * @throws as `json`.
   */
  async hijack(path: string, options?: RequestOptions): Promise<Duplex> {
    const headers = { Connection: 'Upgrade', Upgrade: 'tcp', ...options?.headers };
    const answer = await this.#withDaemon(() => this.#send('POST', path, { ...options, headers }, true));
    if ('upgraded' in answer) return answer.upgraded;
    throw new ApiError(500, `the daemon answered ${answer.statusCode} instead of handing the connection over`);
  }

  /** Let go of connections that wait for a next request. */
  close(): void {
    this.#agent.destroy();
  }

  async #withDaemon<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      const start = this.#options.startDaemon;
      if (!(error instanceof ConnectionError) || !UNREACHABLE.has(error.code) || start === undefined) throw error;
      if (!(await start())) throw error;
      return request();
    }
  }

  #send(
    method: Method,
    path: string,
    options: RequestOptions = {},
    upgrade = false,
  ): Promise<http.IncomingMessage | { upgraded: Duplex }> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => reject(this.#connectionError(error));
      const body = options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body));
      let address: ReturnType<typeof socketAddress>;
      try {
        address = socketAddress(this.#options.socket);
      } catch (error) {
        return fail(error);
      }
      const request = http.request({
        socketPath: address.path,
        agent: upgrade ? false : this.#agent,
        method,
        path: `/v${this.#options.apiVersion}${path}${queryString(options.query)}`,
        headers: {
          Host: 'skiff',
          ...(options.content && { 'Content-Type': 'application/x-tar' }),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': body.length }),
          ...options.headers,
        },
      });
      request.once('close', address.release);
      request.on('error', fail);
      request.on('upgrade', (_response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve({ upgraded: socket });
      });
      request.on('response', (response) => {
        if ((response.statusCode ?? 500) < 400) return resolve(response);
        readAll(response).then((text) => reject(new ApiError(response.statusCode ?? 500, reasonIn(text))), fail);
      });
      if (options.content === undefined) request.end(body);
      else
        options.content
          .on('error', (error) => {
            reject(error);
            request.destroy();
          })
          .pipe(request);
    });
  }

  #connectionError(error: unknown): ConnectionError {
    const code = errorCode(error);
    const where = `unix://${this.#options.socket}`;
    if (UNREACHABLE.has(code)) {
      return new ConnectionError(`Cannot connect to the skiff daemon at ${where}. Is it running?`, code);
    }
    if (code === 'EACCES' || code === 'EPERM') {
      const way = 'Run the command as its owner, or use an engine of your own with --root.';
      return new ConnectionError(`You may not use the skiff daemon at ${where}. ${way}`, code);
    }
    return new ConnectionError(`The connection to the skiff daemon at ${where} broke: ${errorText(error)}`, code);
  }
}

/** The whole body of an answer as text. */
export async function readAll(source: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** `?a=1&b=true`; empty without values. */
export function queryString(query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined) search.append(name, String(each));
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

function reasonIn(text: string): string {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === 'object' && document !== null && 'message' in document) return String(document.message);
  } catch {
    // Not JSON: a page of some proxy, or nothing at all. The text itself is the best there is.
  }
  return text.trim() || 'the daemon refused without saying why';
}
