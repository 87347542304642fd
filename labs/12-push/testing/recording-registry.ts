/** A registry in memory that writes down what it sees, and misbehaves as a test says. It never runs where the plank does. */

import { createHash } from 'node:crypto';
import type { Message, Reply } from '../push.driver.ts';

export interface Seen {
  method: string;
  /** As it was asked for. */
  path: string;
  url: URL;
  headers: Record<string, string>;
  scopes: string[];
  hasSignal: boolean;
  /** Once all of it has come, or the connection broke. */
  body: Buffer;
  /** What the registry answered; undefined when the connection broke. */
  status?: number;
}

/** What it does instead of its work. */
export type Fault =
  | { status: number; headers?: Record<string, string> }
  /** The connection breaks after so many bytes of the body; those stay with the upload. */
  | { cutAfter: number }
  /** It does its work, and the connection breaks in place of the answer. */
  | { cutAnswer: true }
  /** It wants the body a second time. */
  | { again: true };

/** How it says where an upload goes on. */
export type LocationStyle = 'path' | 'query' | 'elsewhere';

interface Open {
  bytes: Buffer;
  /** Of the one location that is valid now. */
  token: string;
}

/** No test needs as many requests, nor as many bytes or pieces in one body. */
const REQUESTS_MOST = 1000;
const BODY_MOST = 1024 * 1024;
const PIECES_MOST = 10_000;

interface Pending {
  seen: Seen;
  pieces: Buffer[];
  /** Bytes of all pieces. */
  size: number;
  fault: Fault | undefined;
}

export class RecordingRegistry {
  readonly name: string;
  readonly seen: Seen[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** By tag and by digest. */
  readonly manifests = new Map<string, Buffer>();
  readonly uploads = new Map<string, Open>();
  /** Repositories that it mounts from. */
  readonly mountable = new Set<string>();
  /** Digests of manifests whose blobs or manifests were not there when they came. */
  readonly incomplete: string[] = [];
  /** Headers of the answers that begin uploads. */
  uploadHeaders: Record<string, string> = {};
  style: LocationStyle = 'path';
  /** Bytes of bodies that it was sent. */
  received = 0;
  /** Answers of which the body was not read or discarded. */
  readonly unread = new Map<number, Seen>();
  /** Asked about each request. */
  rule: (seen: Seen) => Fault | undefined = () => undefined;
  readonly #nonce: () => string;
  readonly #pending = new Map<number, Pending>();

  /** @param nonce makes names that nobody can guess. */
  constructor(name: string, nonce: () => string) {
    this.name = name;
    this.#nonce = nonce;
  }

  /** `METHOD what` of each request, e.g. `PUT upload` or `HEAD blobs/sha256:…`. */
  get lines(): string[] {
    return this.seen.map((each) => `${each.method} ${this.#short(each)}`);
  }

  of(method: string): Seen[] {
    return this.seen.filter((each) => each.method === method);
  }

  /** Begin an upload that has so many bytes already. @returns its location. */
  begin(bytes: Uint8Array = Buffer.alloc(0)): string {
    const id = this.#nonce();
    this.uploads.set(id, { bytes: Buffer.from(bytes), token: this.#nonce() });
    return this.#locationOf(id);
  }

  /** Requests that were made without a signal, but for those that cancel an upload. */
  get unsignalled(): string[] {
    return this.seen
      .filter(({ method, hasSignal }) => method !== 'DELETE' && !hasSignal)
      .map((each) => `${each.method} ${this.#short(each)}`);
  }

  /** For messages about requests. @throws Error if there are too many, or a body is too large or not of bytes. */
  answer(message: Message): Reply | undefined {
    if (message.type === 'request') {
      const url = this.#urlOf(message.path);
      const { id, method, path, headers, scopes, hasSignal } = message;
      if (this.seen.length === REQUESTS_MOST)
        throw new Error(`More than ${REQUESTS_MOST} requests are made. The last one: ${method} ${path}.`);
      const seen: Seen = { method, path, url, headers, scopes, hasSignal, body: Buffer.alloc(0) };
      this.seen.push(seen);
      const fault = this.rule(seen);
      if (fault && 'status' in fault) return this.#say(id, seen, fault);
      if (!message.hasBody) return fault ? { cut: true } : this.#say(id, seen, this.#work(seen));
      this.#pending.set(id, { seen, fault, pieces: [], size: 0 });
      return { go: true };
    }
    if (message.type === 'discarded') {
      this.unread.delete(message.of);
      return undefined;
    }
    if (message.type !== 'body' && message.type !== 'sent') return undefined;
    const pending = this.#pending.get(message.of);
    if (pending === undefined)
      throw new Error('A body came that belongs to no request of this call. Did the call before it leave one behind?');
    const { seen, fault } = pending;
    const cut = fault && 'cutAfter' in fault ? fault.cutAfter : Number.POSITIVE_INFINITY;
    if (message.type === 'body') this.#take(pending, message.bytes, cut);
    if (pending.size >= cut) {
      seen.body = Buffer.concat(pending.pieces);
      const open = this.#open(seen.url)?.open;
      if (open) open.bytes = Buffer.concat([open.bytes, seen.body]);
      return { cut: true };
    }
    if (message.type === 'body') return { go: true };
    if (fault && 'again' in fault) {
      [pending.fault, pending.pieces, pending.size] = [undefined, [], 0];
      return { again: true };
    }
    seen.body = Buffer.concat(pending.pieces);
    const answer = this.#work(seen);
    return fault && 'cutAnswer' in fault ? { cut: true } : this.#say(message.of, seen, answer);
  }

  #take(pending: Pending, bytes: Uint8Array, most: number): void {
    const what = `The body of ${pending.seen.method} ${pending.seen.path}`;
    if (!(bytes instanceof Uint8Array)) throw new Error(`${what} should be bytes.`);
    const piece = Buffer.from(bytes).subarray(0, most - pending.size);
    pending.pieces.push(piece);
    pending.size += piece.length;
    this.received += piece.length;
    if (pending.size > BODY_MOST) throw new Error(`${what} has more than ${BODY_MOST} bytes.`);
    if (pending.pieces.length > PIECES_MOST) throw new Error(`${what} comes in more than ${PIECES_MOST} pieces.`);
  }

  #say(id: number, seen: Seen, answer: { status: number; headers?: Record<string, string> }): Reply {
    seen.status = answer.status;
    this.unread.set(id, seen);
    return answer;
  }

  #work(seen: Seen): { status: number; headers?: Record<string, string> } {
    const { method, url, body, headers } = seen;
    const below = url.pathname.startsWith(`/v2/${this.name}/`) ? url.pathname.slice(`/v2/${this.name}/`.length) : '';
    const [, kind = '', rest = ''] = /^(manifests|blobs)\/(.+)$/.exec(below) ?? [];
    const name = decoded(rest);
    if (method === 'HEAD') return { status: (kind === 'blobs' ? this.blobs : this.manifests).has(name) ? 200 : 404 };
    if (kind === 'manifests' && method === 'PUT') {
      const digest = digestOf(body);
      if (!this.#isComplete(body)) this.incomplete.push(digest);
      for (const each of [name, digest]) this.manifests.set(each, body);
      return { status: 201, headers: { 'Docker-Content-Digest': digest } };
    }
    if (kind === 'blobs' && rest === 'uploads/' && method === 'POST') {
      const [mount, from] = [url.searchParams.get('mount'), url.searchParams.get('from')];
      if (mount !== null && this.mountable.has(from ?? '')) {
        this.blobs.set(mount, Buffer.alloc(0));
        return { status: 201, headers: { 'Docker-Content-Digest': mount } };
      }
      return { status: 202, headers: { Location: this.begin(), ...this.uploadHeaders } };
    }
    const found = this.#open(url);
    if (found === undefined) return { status: 404 };
    const { id, open } = found;
    if (method === 'DELETE') {
      this.uploads.delete(id);
      return { status: 204 };
    }
    if (method === 'GET') return { status: 204, headers: this.#progressOf(id) };
    const first = Number(/^(\d+)-\d+$/.exec(headers['content-range'] ?? '0-0')?.[1] ?? -1);
    if (first !== open.bytes.length && body.length > 0) return { status: 416, headers: this.#progressOf(id) };
    open.bytes = Buffer.concat([open.bytes, body]);
    if (method === 'PATCH') return { status: 202, headers: this.#progressOf(id) };
    const digest = url.searchParams.get('digest') ?? '';
    if (method !== 'PUT' || digestOf(open.bytes) !== digest) return { status: 400 };
    this.uploads.delete(id);
    this.blobs.set(digest, open.bytes);
    return { status: 201, headers: { 'Docker-Content-Digest': digest } };
  }

  /** Where it goes on from now on: the old location is not valid any more. */
  #progressOf(id: string): Record<string, string> {
    const open = this.uploads.get(id)!;
    open.token = this.#nonce();
    return { Location: this.#locationOf(id), Range: `0-${Math.max(open.bytes.length - 1, 0)}` };
  }

  #locationOf(id: string): string {
    const { token } = this.uploads.get(id)!;
    const path = `/v2/${this.name}/blobs/uploads/${id}`;
    if (this.style === 'path') return `${path}.${token}`;
    const query = `${path}?_state=${token}`;
    return this.style === 'query' ? query : `https://storage.example${query}`;
  }

  #open(url: URL): { id: string; open: Open } | undefined {
    const [, id = '', token = url.searchParams.get('_state')] =
      /\/uploads\/([^/.]+)(?:\.([^/]+))?$/.exec(url.pathname) ?? [];
    const open = this.uploads.get(id);
    const isThere = open !== undefined && open.token === token;
    return isThere && (url.host === 'storage.example') === (this.style === 'elsewhere') ? { id, open } : undefined;
  }

  #urlOf(path: string): URL {
    const base = `https://registry.example/v2/${this.name}/`;
    const full = /^(?:\/|https?:\/\/)/.test(path) ? path : `${base}${path}`;
    return URL.canParse(full, base) ? new URL(full, base) : new URL('https://not-a-url.example/');
  }

  #isComplete(manifest: Buffer): boolean {
    let document: { config?: { digest: string }; layers?: { digest: string }[]; manifests?: { digest: string }[] };
    try {
      document = JSON.parse(manifest.toString());
    } catch {
      return false;
    }
    const { config, layers = [], manifests = [] } = document;
    const blobs = [...layers, ...(config ? [config] : [])];
    return (
      blobs.every(({ digest }) => this.blobs.has(digest)) && manifests.every(({ digest }) => this.manifests.has(digest))
    );
  }

  #short({ url }: Seen): string {
    const path = url.pathname.replace(`/v2/${this.name}/`, '');
    if (path === 'blobs/uploads/') {
      const from = url.searchParams.get('from');
      return from === null ? 'a new upload' : `a mount from ${from}`;
    }
    return path.startsWith('blobs/uploads/') ? 'the upload' : decoded(path);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
