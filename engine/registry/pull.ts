/**
 * An image comes from a registry. OCI distribution-spec, "Pull".
 *
 *     reference → index → manifest → configuration
 *                                  → layers, several at the same time
 *
 * The registry is not trusted: everything but the first document is named by its digest, and has to have it.
 */

import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { isDigest } from '../image/digest.ts';
import { ACCEPTED, isIndexType, typeOf } from './client/manifest-types.ts';
import { choose } from './client/platforms.ts';
import { parseImageConfig, parseIndex, parseManifest } from './client/pulled-documents.ts';
import {
  type PulledDescriptor,
  type PulledImage,
  type PullOptions,
  PullRefused,
  type WantedLayer,
} from './contract/pull.ts';
import type { RegistryResponse } from './contract/transport.ts';

/** No document may be larger (bytes); distribution-spec, "Pushing Manifests". */
const DOCUMENT_MOST = 4 * 1024 * 1024;
/** How deep an index may lie in an index. */
const DEPTH_MOST = 3;
/** How many times in a row a download may break without one more byte. */
const BREAKS_MOST = 5;
/** Bytes between two reports of a download. */
const REPORT_STEP = 512 * 1024;

interface Document extends PulledDescriptor {
  bytes: Uint8Array;
}

export async function pull(options: PullOptions): Promise<PulledImage> {
  const { reference, store, onEvent } = options;
  const named = await fetchNamed(options, reference);
  const manifest = await manifestIn(named, options);
  const { config, layers } = parseManifest(manifest.bytes, manifest);
  const image = parseImageConfig(await fetchConfig(options, config), config, options.platform, layers.length);
  const wanted = layers.map(({ mediaType, digest, size }, index) => ({
    mediaType,
    digest,
    size,
    diffId: image.diffIds[index]!,
  }));
  onEvent({ type: 'layers', layers: wanted });
  await fetchLayers(options, wanted);
  await store.putDocument(manifest.bytes, manifest);
  return { named: bare(named), manifest: bare(manifest), config: config.digest, layers: wanted };
}

/** What a tag or a digest names. @throws PullRefused, and the errors of `transport` */
export async function fetchNamed(
  { transport, signal }: Pick<PullOptions, 'transport' | 'signal'>,
  reference: string,
): Promise<Document> {
  const step = `fetch the manifest ${reference}`;
  const path = `manifests/${reference}`;
  const answer = await transport({ method: 'GET', path, headers: { accept: ACCEPTED }, step, signal });
  const bytes = await readDocument(answer, step);
  const digest = digestOf(bytes);
  const promised = isDigest(reference) ? reference : answer.headers['docker-content-digest'];
  if (promised !== undefined && isDigest(promised) && promised !== digest)
    throw new PullRefused('protocol', step, `its bytes have the digest ${digest}, not ${promised}`);
  return { bytes, digest, size: bytes.length, mediaType: typeOf(answer.headers['content-type'], bytes, step) };
}

/** A document that is named by its digest; it may be in the store already. */
async function fetchDocument(
  options: PullOptions,
  wanted: PulledDescriptor,
  kind: 'manifest' | 'configuration',
): Promise<Uint8Array> {
  const known = await options.store.findDocument(wanted.digest);
  return known?.length === wanted.size ? known : fetchSmall(options, wanted, kind);
}

/** A document that is named by its digest. @throws PullRefused, and the errors of `transport` */
export async function fetchSmall(
  { transport, signal }: Pick<PullOptions, 'transport' | 'signal'>,
  wanted: PulledDescriptor,
  kind: 'manifest' | 'configuration',
): Promise<Uint8Array> {
  const step = `fetch the ${kind} ${wanted.digest}`;
  if (wanted.size > DOCUMENT_MOST)
    throw new PullRefused(
      'protocol',
      step,
      `it is said to have ${wanted.size} bytes, a document at most ${DOCUMENT_MOST}`,
    );
  const path = `${kind === 'manifest' ? 'manifests' : 'blobs'}/${wanted.digest}`;
  const headers = kind === 'manifest' ? { accept: ACCEPTED } : undefined;
  const bytes = await readDocument(await transport({ method: 'GET', path, headers, step, signal }), step);
  if (bytes.length !== wanted.size)
    throw new PullRefused('protocol', step, `it has ${bytes.length} bytes, but should have ${wanted.size}`);
  const digest = digestOf(bytes);
  if (digest !== wanted.digest) throw new PullRefused('protocol', step, `its bytes have the digest ${digest}`);
  return bytes;
}

async function readDocument(answer: RegistryResponse, step: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > DOCUMENT_MOST) {
      await answer.discard();
      throw new PullRefused('protocol', step, `it has more than ${DOCUMENT_MOST} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The manifest itself, or the one that an index has for the platform. */
async function manifestIn(document: Document, options: PullOptions, depth = 0): Promise<Document> {
  if (!isIndexType(document.mediaType)) return document;
  const step = `use the index ${document.digest}`;
  if (depth === DEPTH_MOST) throw new PullRefused('protocol', step, `it lies more than ${DEPTH_MOST} indexes deep`);
  const chosen = choose(parseIndex(document.bytes, document.digest), options.platform, step);
  const bytes = await fetchDocument(options, chosen, 'manifest');
  return manifestIn({ ...bare(chosen), bytes }, options, depth + 1);
}

async function fetchConfig(options: PullOptions, config: PulledDescriptor): Promise<Uint8Array> {
  const bytes = await fetchDocument(options, config, 'configuration');
  await options.store.putDocument(bytes, config);
  return bytes;
}

/** Several at the same time, lowest first. The first failure ends all. */
async function fetchLayers(options: PullOptions, layers: WantedLayer[]): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  // An image may have a layer twice; it is fetched once.
  const queue = [...new Map(layers.map((layer) => [`${layer.digest} ${layer.diffId}`, layer])).values()];
  const work = async () => {
    for (let layer = queue.shift(); layer !== undefined; layer = queue.shift()) {
      signal.throwIfAborted();
      const { digest } = layer;
      const wanted = layer;
      // Another pull may wait for the same bytes, which then go on: they end with `until`.
      const bytes = (until: AbortSignal) => download({ ...options, signal: until }, wanted);
      const how = await options.store.putLayer(wanted, bytes, signal);
      options.onEvent({ type: 'done', digest, how });
    }
  };
  const workers = Array.from({ length: Math.max(1, options.concurrency) }, () =>
    work().catch((error) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(workers);
  signal.throwIfAborted();
}

/** The bytes of a layer. When the connection breaks it goes on where it was. RFC 9110, section 14, "Range Requests". */
async function* download(options: PullOptions, { digest, size }: WantedLayer): AsyncGenerator<Uint8Array> {
  const { firstWait, signal, onEvent } = options;
  const step = `fetch the layer ${digest}`;
  let at = 0;
  let reported = 0;
  let breaks = 0;
  for (;;) {
    const began = at;
    try {
      for await (const chunk of rest(options, step, { digest, size }, at)) {
        at += chunk.length;
        if (at > size) throw new PullRefused('protocol', step, `more than the ${size} bytes come that it should have`);
        if (at - reported >= REPORT_STEP || at === size) {
          reported = at;
          onEvent({ type: 'downloading', digest, current: at, total: size });
        }
        yield chunk;
      }
      if (at === size) break;
      throw new CutOff('protocol', step, `only ${at} of its ${size} bytes come`);
    } catch (error) {
      breaks = at > began ? 1 : breaks + 1;
      if (!mayPass(error) || signal.aborted || breaks === BREAKS_MOST) throw error;
    }
    const pause = firstWait * 2 ** (breaks - 1);
    onEvent({ type: 'retrying', digest, seconds: Math.ceil(pause / 1000) });
    await wait(pause, undefined, { signal });
  }
  onEvent({ type: 'downloaded', digest });
}

/** The registry has ended its answer too early, which it may not do the next time. */
class CutOff extends PullRefused {}

/** Whether the next request may go further: also after a connection that broke. */
function mayPass(error: unknown): boolean {
  return error instanceof CutOff || (error as { kind?: unknown }).kind === 'unreachable';
}

/** What follows the first `at` bytes, from one request. */
async function* rest(
  { transport, signal }: PullOptions,
  step: string,
  { digest, size }: Pick<WantedLayer, 'digest' | 'size'>,
  at: number,
): AsyncGenerator<Uint8Array> {
  const answer = await transport({
    method: 'GET',
    path: `blobs/${digest}`,
    headers: at === 0 ? undefined : { range: `bytes=${at}-` },
    expect: at === 0 ? [200] : [200, 206],
    step,
    signal,
  });
  const from = answer.status === 206 ? startOf(answer.headers['content-range']) : 0;
  const length = answer.headers['content-length'];
  if (from === undefined || from > at) {
    await answer.discard();
    throw new PullRefused('protocol', step, `it was asked to go on at byte ${at}, and goes on elsewhere`);
  }
  if (length !== undefined && from + Number(length) > size) {
    await answer.discard();
    throw new PullRefused(
      'protocol',
      step,
      `the registry says it has ${from + Number(length)} bytes, its manifest ${size}`,
    );
  }
  // A registry that does not know ranges begins at the beginning again.
  let skip = at - from;
  for await (const chunk of answer.body) {
    if (chunk.length > skip) yield skip === 0 ? chunk : chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
  }
}

/** RFC 9110, section 14.4, "Content-Range". */
function startOf(range: string | undefined): number | undefined {
  const start = /^bytes (\d+)-/.exec(range ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function bare({ mediaType, digest, size }: PulledDescriptor): PulledDescriptor {
  return { mediaType, digest, size };
}
