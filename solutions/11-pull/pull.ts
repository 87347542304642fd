/** Worked solution of lab `pull`. See NOTES.md. */

import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
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
import { ACCEPTED, isIndexType, parseImageConfig, parseIndex, parseManifest, typeOf } from '#contract/pulled-documents';

const DOMAIN = /^(?:[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*|\[[a-f0-9:]+\])(?::[0-9]+)?$/i;
const PATH = /^[a-z0-9]+(?:(?:[./_]|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function parseReference(text: string): ImageName {
  const refuse = (why: string) => new Error(`${JSON.stringify(text.slice(0, 100))} is not a name of an image: ${why}`);
  if (/^[0-9a-f]{64}$/.test(text)) throw refuse('64 hexadecimal digits are an image ID');
  const [name, digest] = cut(text, '@');
  if (digest !== undefined && !DIGEST.test(digest)) throw refuse('its digest is malformed');
  const [first, others] = cut(name, '/');
  const isDomain = others !== undefined && (/[.:A-Z]/.test(first) || first === 'localhost');
  const domain = !isDomain || first === 'index.docker.io' ? 'docker.io' : first;
  const [below, tag] = cut(isDomain ? others : name, ':');
  const path = domain === 'docker.io' && !below.includes('/') ? `library/${below}` : below;
  if (!DOMAIN.test(domain)) throw refuse('its host is malformed');
  if (!PATH.test(path) || path.length > 255) throw refuse('its repository is malformed');
  if (tag !== undefined && !TAG.test(tag)) throw refuse('its tag is malformed');
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** At the first `sign`; the second part is undefined without one. */
function cut(text: string, sign: string): [string, string | undefined] {
  const at = text.indexOf(sign);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(header);
    at += found?.[0].length ?? 0;
    return found;
  };
  for (;;) {
    take(/[\s,]+/y);
    const name = take(/[\w!#$%&'*+.^`|~-]+/y)?.[0].toLowerCase();
    if (name === undefined) return challenges;
    if (!take(/\s*=\s*/y)) {
      challenges.push({ scheme: name, parameters: new Map() });
      take(/\s+[\w.~+/-]+=*(?=\s*(?:,|$))/y);
      continue;
    }
    const value = take(/"((?:[^"\\]|\\.)*)"|[^\s,"]+/y);
    const parameters = challenges.at(-1)?.parameters;
    if (!value || !parameters) return challenges;
    if (!parameters.has(name)) parameters.set(name, value[1]?.replace(/\\(.)/g, '$1') ?? value[0]);
  }
}

export function tokenRequest({ parameters }: Challenge, { registry, scopes, login }: TokenQuestion): RequestHead {
  const url = httpUrl(parameters.get('realm') ?? '', registry, 'log in', isLoopback);
  const service = parameters.get('service');
  if (service !== undefined) url.searchParams.append('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (login === undefined) return { url: url.href, headers: {} };
  url.searchParams.append('account', login.username);
  const secret = Buffer.from(`${login.username}:${login.password}`).toString('base64');
  return { url: url.href, headers: { authorization: `Basic ${secret}` } };
}

export function followRedirect({ url: from, headers }: RequestHead, location: string): RequestHead {
  const target = URL.canParse(location, from) ? new URL(location, from).href : location;
  const url = httpUrl(target, from, 'follow a redirect', () => false);
  const { authorization, ...others } = headers;
  const isOurs = authorization !== undefined && url.origin === new URL(from).origin;
  return { url: url.href, headers: { ...others, ...(isOurs && { authorization }) } };
}

/** @param isSafe whether a host may be asked without TLS although `from` was asked with it. */
function httpUrl(text: string, from: string, step: string, isSafe: (host: string) => boolean): URL {
  if (!URL.canParse(text)) throw new PullRefused('protocol', step, 'what the registry names is not a URL');
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol)) throw new PullRefused('protocol', step, `it leads to a ${url.protocol} address`);
  if (from.startsWith('https:') && url.protocol === 'http:' && !isSafe(url.hostname))
    throw new PullRefused('protocol', step, `it leads to ${url.host} without TLS`);
  url.username = '';
  url.password = '';
  return url;
}

const isLoopback = (host: string) => /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);

/** The variant that is meant when an architecture has none. */
const USUAL = new Map([
  ['amd64', 'v1'],
  ['arm', 'v7'],
  ['arm64', 'v8'],
]);

export function choosePlatform<Entry extends IndexEntry>(
  manifests: Entry[],
  wanted: PullPlatform,
  step: string,
): Entry {
  const images = manifests.filter(
    ({ annotations, platform }) => annotations?.[PROOF] === undefined && platform?.architecture !== 'unknown',
  );
  const { os, architecture } = wanted;
  const number = (variant?: string) => Number(/^v(\d{1,2})$/.exec(variant || USUAL.get(architecture) || 'v0')?.[1]);
  const rank = ({ platform }: Entry): number => {
    if (platform?.os !== os || platform.architecture !== architecture) return -1;
    const [has, wants] = [number(platform.variant), number(wanted.variant)];
    if (Number.isNaN(has) || Number.isNaN(wants)) return platform.variant === wanted.variant ? 0 : -1;
    return has <= wants ? has : -1;
  };
  const best = Math.max(...images.map(rank));
  if (best >= 0) return images.find((image) => rank(image) === best)!;
  if (images.length === 1 && !images[0]!.platform) return images[0]!;
  const names = images.map(({ platform }) => (platform ? nameOf(platform) : 'one without a platform'));
  throw new PullRefused('not-found', step, `it has no image for ${nameOf(wanted)}; it has ${names.join(', ')}`);
}

function nameOf({ os, architecture, variant }: NonNullable<IndexEntry['platform']>): string {
  return [os, architecture, variant].filter(Boolean).join('/');
}

/** How many breaks in a row end a download. */
const BREAKS_MOST = 5;
const REPORT_STEP = 512 * 1024;

export async function* download(
  options: DownloadOptions,
  { digest, size }: Pick<PulledDescriptor, 'digest' | 'size'>,
): AsyncGenerator<Uint8Array> {
  const { firstWait, signal, onEvent } = options;
  const step = `fetch the layer ${digest}`;
  const hash = createHash('sha256');
  let [at, breaks, reported] = [0, 0, 0];
  for (;;) {
    const began = at;
    try {
      for await (const chunk of bytesFrom(options, { digest, size }, at, step)) {
        at += chunk.length;
        if (at > size) throw new PullRefused('protocol', step, `more than its ${size} bytes come`);
        hash.update(chunk);
        if (at === size || at - reported >= REPORT_STEP) {
          reported = at;
          onEvent({ type: 'downloading', digest, current: at, total: size });
        }
        yield chunk;
      }
      if (at < size) throw Object.assign(new Error(`only ${at} of its ${size} bytes come`), { kind: 'unreachable' });
      break;
    } catch (error) {
      signal.throwIfAborted();
      if ((error as { kind?: unknown }).kind !== 'unreachable') throw error;
      if (at === size) break;
      breaks = at > began ? 1 : breaks + 1;
      if (breaks === BREAKS_MOST) throw error;
    }
    const pause = firstWait * 2 ** (breaks - 1);
    onEvent({ type: 'retrying', digest, seconds: Math.ceil(pause / 1000) });
    await wait(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== digest) throw new PullRefused('protocol', step, `its bytes have the digest ${found}`);
  onEvent({ type: 'downloaded', digest });
}

/** What follows the first `at` bytes, by one request. */
async function* bytesFrom(
  { transport, signal }: DownloadOptions,
  { digest, size }: Pick<PulledDescriptor, 'digest' | 'size'>,
  at: number,
  step: string,
): AsyncGenerator<Uint8Array> {
  const again = at > 0 ? { headers: { range: `bytes=${at}-` }, expect: [200, 206] } : { expect: [200] };
  const answer = await transport({ method: 'GET', path: `blobs/${digest}`, ...again, step, signal });
  const refuse = async (why: string) => {
    await answer.discard();
    throw new PullRefused('protocol', step, why);
  };
  // A registry that does not know ranges begins at the beginning.
  const start = answer.status === 206 ? /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1] : 0;
  if (start === undefined || Number(start) > at) return await refuse(`it goes on elsewhere than at byte ${at}`);
  const end = Number(start) + Number(answer.headers['content-length'] ?? 0);
  if (end > size) return await refuse(`the registry has ${end} bytes, and the manifest says ${size}`);
  let skip = at - Number(start);
  for await (const chunk of answer.body) {
    if (chunk.length > skip) yield chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
  }
}

interface Document extends PulledDescriptor {
  bytes: Uint8Array;
}

/** How deep an index may lie in others. */
const DEPTH_MOST = 3;

export async function pull(options: PullOptions, parts: PullParts): Promise<PulledImage> {
  const { store, platform, onEvent } = options;
  const named = await fetchNamed(options);
  let manifest = named;
  for (let depth = 0; isIndexType(manifest.mediaType); depth++) {
    const step = `use the index ${manifest.digest}`;
    if (depth === DEPTH_MOST) throw new PullRefused('protocol', step, `it lies more than ${DEPTH_MOST} indexes deep`);
    const chosen = parts.choosePlatform(parseIndex(manifest.bytes, manifest.digest), platform, step);
    manifest = { ...bare(chosen), bytes: await fetchKnown(options, chosen, 'manifests') };
  }
  const { config, layers } = parseManifest(manifest.bytes, manifest);
  const bytes = await fetchKnown(options, config, 'blobs');
  const { diffIds } = parseImageConfig(bytes, config, platform, layers.length);
  const wanted = layers.map((layer, index) => ({ ...bare(layer), diffId: diffIds[index]! }));
  onEvent({ type: 'layers', layers: wanted });
  await store.putDocument(bytes, config);
  await fetchLayers(options, wanted, parts);
  await store.putDocument(manifest.bytes, manifest);
  return { named: bare(named), manifest: bare(manifest), config: config.digest, layers: wanted };
}

async function fetchNamed(options: PullOptions): Promise<Document> {
  const { reference } = options;
  const step = `fetch the manifest ${reference}`;
  const { bytes, headers } = await fetchSmall(options, `manifests/${reference}`, step);
  const digest = digestOf(bytes);
  const promised = [reference, headers['docker-content-digest'] ?? ''].find((text) => DIGEST.test(text));
  if (promised !== undefined && promised !== digest)
    throw new PullRefused('protocol', step, `its bytes have the digest ${digest}, not ${promised}`);
  return { bytes, digest, size: bytes.length, mediaType: typeOf(headers['content-type'], bytes, step) };
}

/** A document that is named by its digest. */
async function fetchKnown(options: PullOptions, wanted: PulledDescriptor, kind: 'manifests' | 'blobs') {
  const stored = await options.store.findDocument(wanted.digest);
  if (stored?.length === wanted.size) return stored;
  const path = `${kind}/${wanted.digest}`;
  const step = `fetch ${path}`;
  if (wanted.size > DOCUMENT_MOST) throw new PullRefused('protocol', step, `it is said to have ${wanted.size} bytes`);
  const { bytes } = await fetchSmall(options, path, step);
  const digest = digestOf(bytes);
  if (bytes.length !== wanted.size || digest !== wanted.digest)
    throw new PullRefused('protocol', step, `what comes has ${bytes.length} bytes and the digest ${digest}`);
  return bytes;
}

async function fetchSmall({ transport, signal }: PullOptions, path: string, step: string) {
  const headers = path.startsWith('manifests/') ? { headers: { accept: ACCEPTED } } : {};
  const answer = await transport({ method: 'GET', path, ...headers, step, signal });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > DOCUMENT_MOST) throw new PullRefused('protocol', step, `it has more than ${DOCUMENT_MOST} bytes`);
    chunks.push(chunk);
  }
  return { bytes: Buffer.concat(chunks), headers: answer.headers };
}

/** Several at the same time, lowest first. The first failure ends all. */
async function fetchLayers(options: PullOptions, layers: WantedLayer[], parts: PullParts): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const queue = [...new Map(layers.map((layer) => [`${layer.digest} ${layer.diffId}`, layer])).values()];
  const work = async () => {
    for (let layer = queue.shift(); layer !== undefined && !signal.aborted; layer = queue.shift()) {
      const wanted = layer;
      const bytes = (until: AbortSignal) => parts.download({ ...options, signal: until }, wanted);
      const how = await options.store.putLayer(wanted, bytes, signal);
      options.onEvent({ type: 'done', digest: wanted.digest, how });
    }
  };
  const workers = Array.from({ length: options.concurrency }, () => work().catch((error) => failed.abort(error)));
  await Promise.all(workers);
  signal.throwIfAborted();
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function bare({ mediaType, digest, size }: PulledDescriptor): PulledDescriptor {
  return { mediaType, digest, size };
}
