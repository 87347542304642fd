// passes: all

/** Written from the chapter alone: classes, a reader by characters, node:events, and no module of documents for the types. */

import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import {
  type Challenge,
  DOCUMENT_MOST,
  type DownloadOptions,
  type ImageName,
  type IndexEntry,
  PROOF,
  type PulledDescriptor,
  type PulledImage,
  type PullOptions,
  type PullParts,
  type PullPlatform,
  PullRefused,
  type RequestHead,
  type TokenQuestion,
  type WantedLayer,
} from '#contract/pull';
import * as documents from '#contract/pulled-documents';

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const WORD = new Set(`${LOWER}${LOWER.toUpperCase()}${DIGITS}_`);
const TOKEN = new Set(`${LOWER}${LOWER.toUpperCase()}${DIGITS}!#$%&'*+.^_\`|~-`);

const isAll = (text: string, allowed: Iterable<string>) => {
  const set = new Set(allowed);
  return text !== '' && [...text].every((sign) => set.has(sign));
};
const isHex = (text: string, length: number) => text.length === length && isAll(text, `${DIGITS}abcdef`);
const isDigest = (text: string) => text.startsWith('sha256:') && isHex(text.slice(7), 64);

// ---- task 1 ----

class NameReader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  #fail(): never {
    throw new TypeError(`invalid name: ${this.#text}`);
  }

  read(): ImageName {
    if (isHex(this.#text, 64)) this.#fail();
    let rest = this.#text;
    const result: ImageName = { domain: 'docker.io', path: '' };
    if (rest.includes('@')) {
      result.digest = rest.slice(rest.indexOf('@') + 1);
      rest = rest.slice(0, rest.indexOf('@'));
      if (!isDigest(result.digest)) this.#fail();
    }
    const [head, ...tail] = rest.split('/');
    if (tail.length > 0 && this.#looksLikeHost(head!)) {
      if (head !== 'index.docker.io') result.domain = head!;
      rest = tail.join('/');
      this.#checkHost(head!);
    }
    const colon = rest.indexOf(':');
    if (colon >= 0) {
      result.tag = rest.slice(colon + 1);
      rest = rest.slice(0, colon);
      const [first = ''] = result.tag;
      if (!WORD.has(first) || result.tag.length > 128 || !isAll(result.tag, [...WORD, '.', '-'])) this.#fail();
    }
    result.path = result.domain === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest;
    if (result.path.length > 255 || !rest.split('/').every(isComponent)) this.#fail();
    return result;
  }

  #looksLikeHost(part: string): boolean {
    return part === 'localhost' || [...part].some((sign) => '.:'.includes(sign) || (sign >= 'A' && sign <= 'Z'));
  }

  #checkHost(part: string): void {
    const end = part.startsWith('[') ? part.indexOf(']') + 1 : part.includes(':') ? part.indexOf(':') : part.length;
    const [host, port] = [part.slice(0, end), part.slice(end)];
    if (port !== '' && !(port.startsWith(':') && isAll(port.slice(1), DIGITS))) this.#fail();
    if (host.startsWith('[')) {
      if (!isAll(host.slice(1, -1), `${DIGITS}abcdefABCDEF:`)) this.#fail();
      return;
    }
    for (const label of host.split('.'))
      if (!isAll(label, [...WORD, '-']) || label.includes('_') || label.startsWith('-') || label.endsWith('-'))
        this.#fail();
  }
}

function isComponent(text: string): boolean {
  const between = text.split(new RegExp(`[${LOWER}${DIGITS}]+`));
  if (text === '' || between.length < 2 || between[0] !== '' || between.at(-1) !== '') return false;
  return between.slice(1, -1).every((part) => ['.', '_', '__'].includes(part) || isAll(part, '-'));
}

export const parseReference = (text: string): ImageName => new NameReader(text).read();

// ---- task 2 ----

class HeaderReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  get next(): string {
    return this.#text[this.#at] ?? '';
  }

  while(isTaken: (sign: string) => boolean): string {
    const from = this.#at;
    while (!this.isAtEnd && isTaken(this.next)) this.#at++;
    return this.#text.slice(from, this.#at);
  }

  blanks(signs = ' \t'): void {
    this.while((sign) => signs.includes(sign));
  }

  sign(wanted: string): boolean {
    if (this.next !== wanted) return false;
    this.#at++;
    return true;
  }

  quoted(): string | undefined {
    let value = '';
    for (; !this.isAtEnd; this.#at++) {
      if (this.sign('"')) return value;
      if (this.next === '\\') this.#at++;
      value += this.next;
    }
    return undefined;
  }

  /** Behind a scheme: one word, and then a comma or the end. */
  data(): void {
    const from = this.#at;
    this.while((sign) => WORD.has(sign) || '.~+/-'.includes(sign));
    this.while((sign) => sign === '=');
    this.blanks();
    if (!this.isAtEnd && this.next !== ',') this.#at = from;
  }
}

export function parseChallenges(header: string): Challenge[] {
  const all: Challenge[] = [];
  const reader = new HeaderReader(header);
  while (true) {
    reader.blanks(' \t,');
    const word = reader.while((sign) => TOKEN.has(sign)).toLowerCase();
    if (word === '') return all;
    reader.blanks();
    if (!reader.sign('=')) {
      all.push({ scheme: word, parameters: new Map() });
      reader.data();
      continue;
    }
    reader.blanks();
    const value = reader.sign('"') ? reader.quoted() : reader.while((sign) => !' \t,"'.includes(sign)) || undefined;
    const last = all[all.length - 1];
    if (value === undefined || last === undefined) return all;
    if (!last.parameters.has(word)) last.parameters.set(word, value);
  }
}

class Place {
  readonly url: URL;

  constructor(text: string, base?: string) {
    try {
      this.url = new URL(text, base);
    } catch {
      throw new PullRefused('protocol', 'read a URL', `"${text}" is not one`);
    }
    if (!['http:', 'https:'].includes(this.url.protocol)) throw new PullRefused('protocol', 'read a URL', `"${text}"`);
    this.url.username = '';
    this.url.password = '';
  }

  get isSecure(): boolean {
    return this.url.protocol === 'https:';
  }

  get isHere(): boolean {
    const { hostname } = this.url;
    const numbers = hostname.split('.');
    const isAddress = numbers.length === 4 && numbers.every((number) => isAll(number, DIGITS));
    return hostname === 'localhost' || hostname === '[::1]' || (isAddress && numbers[0] === '127');
  }
}

export function tokenRequest(challenge: Challenge, { registry, scopes, login }: TokenQuestion): RequestHead {
  const place = new Place(challenge.parameters.get('realm') ?? '');
  if (new Place(registry).isSecure && !place.isSecure && !place.isHere)
    throw new PullRefused('protocol', 'log in', 'the token server has no TLS');
  const { searchParams } = place.url;
  if (challenge.parameters.has('service')) searchParams.append('service', challenge.parameters.get('service')!);
  for (const scope of scopes.values()) searchParams.append('scope', scope);
  if (!login) return { url: place.url.toString(), headers: {} };
  searchParams.append('account', login.username);
  const bytes = new TextEncoder().encode([login.username, login.password].join(':'));
  return { headers: { authorization: `Basic ${Buffer.from(bytes).toString('base64')}` }, url: place.url.toString() };
}

export function followRedirect(request: RequestHead, location: string): RequestHead {
  const [before, after] = [new Place(request.url), new Place(location, request.url)];
  if (before.isSecure && !after.isSecure) throw new PullRefused('protocol', 'follow a redirect', 'it gives TLS up');
  const headers = { ...request.headers };
  if (before.url.protocol !== after.url.protocol || before.url.host !== after.url.host) delete headers.authorization;
  return { url: after.url.toString(), headers };
}

// ---- task 3 ----

function variantOf(architecture: string, variant: string | undefined): number | string {
  let text = variant;
  if (!text) {
    switch (architecture) {
      case 'arm64':
        return 8;
      case 'arm':
        return 7;
      case 'amd64':
        return 1;
      default:
        return 0;
    }
  }
  text = text.startsWith('v') ? text.slice(1) : '';
  return text.length <= 2 && isAll(text, DIGITS) ? Number(text) : `text ${variant}`;
}

const shown = ({ os, architecture, variant }: { os: string; architecture: string; variant?: string | undefined }) =>
  `${os}/${architecture}${variant ? `/${variant}` : ''}`;

export function choosePlatform<Entry extends IndexEntry>(all: Entry[], wanted: PullPlatform, step: string): Entry {
  const left: Entry[] = [];
  for (const entry of all) {
    if (Object.hasOwn(entry.annotations ?? {}, PROOF)) continue;
    if (entry.platform && entry.platform.architecture === 'unknown') continue;
    left.push(entry);
  }
  const mine = variantOf(wanted.architecture, wanted.variant);
  const fitting = left
    .map((entry) => ({ entry, variant: variantOf(wanted.architecture, entry.platform?.variant) }))
    .filter(({ entry: { platform } }) => platform?.os === wanted.os && platform.architecture === wanted.architecture)
    .filter(({ variant }) =>
      typeof variant === 'number' && typeof mine === 'number' ? variant <= mine : variant === mine,
    );
  // Sorting is stable: the first of equal ones stays first.
  fitting.sort((one, other) => Number(other.variant) - Number(one.variant) || 0);
  if (fitting[0]) return fitting[0].entry;
  if (left.length === 1 && (left[0]!.platform === undefined || left[0]!.platform === null)) return left[0]!;
  const list = left.map(({ platform }) => (platform ? shown(platform) : 'any')).join('; ');
  throw new PullRefused('not-found', step, `nothing for ${shown(wanted)}, but for ${list}`);
}

// ---- task 4 ----

class Download {
  readonly #options: DownloadOptions;
  readonly #digest: string;
  readonly #size: number;
  readonly #hash: Hash = createHash('sha256');
  #come = 0;
  #told = 0;
  #row = 0;

  constructor(options: DownloadOptions, { digest, size }: Pick<PulledDescriptor, 'digest' | 'size'>) {
    this.#options = options;
    this.#digest = digest;
    this.#size = size;
  }

  #lie(why: string): PullRefused {
    return new PullRefused('protocol', `fetch ${this.#digest}`, why);
  }

  async *run(): AsyncGenerator<Uint8Array> {
    const { signal, onEvent, firstWait } = this.#options;
    let isOver = false;
    while (!isOver) {
      const before = this.#come;
      try {
        yield* this.#ask();
        isOver = this.#come === this.#size;
        if (!isOver)
          this.#count(before, new PullRefused('protocol', `fetch ${this.#digest}`, 'the answer is too short'));
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if ((error as { kind?: string }).kind !== 'unreachable') throw error;
        isOver = this.#come === this.#size;
        if (!isOver) this.#count(before, error);
      }
      if (isOver) break;
      const pause = firstWait * 2 ** (this.#row - 1);
      onEvent({ type: 'retrying', digest: this.#digest, seconds: Math.ceil(pause / 1000) });
      await this.#pause(pause);
    }
    if (`sha256:${this.#hash.digest('hex')}` !== this.#digest) throw this.#lie('its bytes have another digest');
    onEvent({ type: 'downloaded', digest: this.#digest });
  }

  #count(before: number, error: unknown): void {
    this.#row = this.#come > before ? 1 : this.#row + 1;
    if (this.#row >= 5) throw error;
  }

  async #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#options;
    const timer = new EventTarget();
    const timeout = setTimeout(() => timer.dispatchEvent(new Event('over')), milliseconds);
    try {
      await once(timer, 'over', { signal });
    } catch {
      throw signal.reason;
    } finally {
      clearTimeout(timeout);
    }
  }

  async *#ask(): AsyncGenerator<Uint8Array> {
    const isFirst = this.#come === 0;
    const answer = await this.#options.transport({
      method: 'GET',
      path: `blobs/${this.#digest}`,
      step: `fetch ${this.#digest}`,
      signal: this.#options.signal,
      ...(isFirst ? {} : { headers: { range: `bytes=${this.#come}-` }, expect: [200, 206] }),
    });
    let position = 0;
    if (answer.status === 206) {
      const range = answer.headers['content-range'] ?? '';
      const start = range.startsWith('bytes ') ? range.slice(6).split('-')[0]! : '';
      if (!isAll(start, DIGITS) || Number(start) > this.#come) {
        await answer.discard();
        throw this.#lie('the answer begins elsewhere');
      }
      position = Number(start);
    }
    const length = answer.headers['content-length'];
    if (length !== undefined && position + Number(length) > this.#size) {
      await answer.discard();
      throw this.#lie('the answer is too long');
    }
    for await (const chunk of answer.body) {
      const fresh = chunk.subarray(Math.min(chunk.length, Math.max(0, this.#come - position)));
      position += chunk.length;
      if (position > this.#size) throw this.#lie('the answer is too long');
      if (fresh.length === 0) continue;
      this.#hash.update(fresh);
      this.#come = position;
      if (this.#come === this.#size || this.#come - this.#told > 300_000) {
        this.#told = this.#come;
        this.#options.onEvent({ type: 'downloading', digest: this.#digest, current: this.#come, total: this.#size });
      }
      yield fresh;
    }
  }
}

export const download = (options: DownloadOptions, blob: Pick<PulledDescriptor, 'digest' | 'size'>) =>
  new Download(options, blob).run();

// ---- task 5 ----

class Pull {
  readonly #options: PullOptions;
  readonly #parts: PullParts;

  constructor(options: PullOptions, parts: PullParts) {
    this.#options = options;
    this.#parts = parts;
  }

  async run(): Promise<PulledImage> {
    const { reference, platform, store } = this.#options;
    const first = await this.#fetch(`manifests/${reference}`);
    const digest = sha256(first.bytes);
    const header = first.headers['docker-content-digest'];
    if (isDigest(reference) ? reference !== digest : header !== undefined && isDigest(header) && header !== digest)
      throw new PullRefused('protocol', `fetch ${reference}`, 'it has another digest');
    const mediaType = documents.typeOf(first.headers['content-type'], first.bytes, `fetch ${reference}`);
    const named = { mediaType, digest, size: first.bytes.length };
    let [bytes, manifest, indexes]: [Uint8Array, PulledDescriptor, number] = [first.bytes, named, 0];
    while (documents.isIndexType(manifest.mediaType)) {
      indexes += 1;
      if (indexes > 3) throw new PullRefused('protocol', `use ${manifest.digest}`, 'there are too many indexes');
      const entries = documents.parseIndex(bytes, manifest.digest);
      const entry = this.#parts.choosePlatform(entries, platform, `use ${manifest.digest}`);
      manifest = { mediaType: entry.mediaType, digest: entry.digest, size: entry.size };
      bytes = await this.#known('manifests', manifest);
    }
    const { config, layers } = documents.parseManifest(bytes, manifest);
    const configuration = await this.#known('blobs', config);
    const { diffIds } = documents.parseImageConfig(configuration, config, platform, layers.length);
    const wanted: WantedLayer[] = [];
    for (const [index, layer] of layers.entries())
      wanted.push({ mediaType: layer.mediaType, digest: layer.digest, size: layer.size, diffId: diffIds[index]! });
    this.#options.onEvent({ type: 'layers', layers: wanted });
    await this.#layers(wanted);
    await store.putDocument(configuration, config);
    await store.putDocument(bytes, manifest);
    return { layers: wanted, config: config.digest, manifest, named };
  }

  async #known(kind: 'manifests' | 'blobs', { digest, size }: PulledDescriptor): Promise<Uint8Array> {
    const here = await this.#options.store.findDocument(digest);
    if (here && here.length === size) return here;
    if (size > DOCUMENT_MOST) throw new PullRefused('protocol', `fetch ${digest}`, 'it is too large');
    const { bytes } = await this.#fetch(`${kind}/${digest}`);
    if (bytes.length === size && sha256(bytes) === digest) return bytes;
    throw new PullRefused('protocol', `fetch ${digest}`, 'it is something else');
  }

  async #fetch(path: string): Promise<{ bytes: Buffer; headers: Record<string, string> }> {
    const { transport, signal } = this.#options;
    const headers: Record<string, string> = path.startsWith('manifests') ? { accept: documents.ACCEPTED } : {};
    const answer = await transport({ method: 'GET', path, headers, step: `fetch ${path}`, signal });
    let bytes = Buffer.alloc(0);
    for await (const chunk of answer.body) {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > DOCUMENT_MOST) {
        await answer.discard();
        throw new PullRefused('protocol', `fetch ${path}`, 'it is too large');
      }
    }
    return { bytes, headers: answer.headers };
  }

  async #layers(wanted: WantedLayer[]): Promise<void> {
    const { concurrency, store, onEvent, signal: outer } = this.#options;
    const mine = new AbortController();
    const stop = () => mine.abort(outer.reason);
    outer.addEventListener('abort', stop);
    if (outer.aborted) stop();
    const seen = new Set<string>();
    const todo = wanted.filter(({ digest, diffId }) => !seen.has(digest + diffId) && seen.add(digest + diffId));
    let next = 0;
    const step = async (): Promise<void> => {
      const layer = mine.signal.aborted ? undefined : todo[next++];
      if (layer === undefined) return;
      const { digest } = layer;
      const how = await store.putLayer(
        layer,
        (signal) => this.#parts.download({ ...this.#options, signal }, layer),
        mine.signal,
      );
      onEvent({ type: 'done', digest, how });
      return step();
    };
    const ends = await Promise.allSettled(
      [...Array(concurrency).keys()].map(() =>
        step().catch((error: unknown) => {
          if (!mine.signal.aborted) mine.abort(error);
        }),
      ),
    );
    outer.removeEventListener('abort', stop);
    if (mine.signal.aborted || ends.length === 0) throw mine.signal.reason;
  }
}

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export async function pull(options: PullOptions, parts: PullParts): Promise<PulledImage> {
  return new Pull(options, parts).run();
}
