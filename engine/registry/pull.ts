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
import { type Document, fetchDocument, fetchNamed } from './client/documents.ts';
import {
  type DownloadOptions,
  type PulledDescriptor,
  type PulledImage,
  type PullOptions,
  type PullParts,
  PullRefused,
  type WantedLayer,
} from './contract/pull.ts';
import { isIndexType, parseImageConfig, parseIndex, parseManifest } from './contract/pulled-documents.ts';

export { parseReference } from '../image/reference.ts';
export { parseChallenges } from './client/challenge.ts';
export { choosePlatform } from './client/platforms.ts';
export { followRedirect } from './client/redirect.ts';
export { tokenRequest } from './client/token-request.ts';

/** How deep an index may lie in an index. */
const DEPTH_MOST = 3;
/** How many times in a row a download may break without one more byte. */
const BREAKS_MOST = 5;
/** Bytes between two reports of a download. */
const REPORT_STEP = 512 * 1024;

export async function pull(options: PullOptions, parts: PullParts): Promise<PulledImage> {
  const { reference, store, onEvent } = options;
  const named = await fetchNamed(options, reference);
  const manifest = await manifestIn(named, options, parts);
  const { config, layers } = parseManifest(manifest.bytes, manifest);
  const image = parseImageConfig(await fetchConfig(options, config), config, options.platform, layers.length);
  const wanted = layers.map(({ mediaType, digest, size }, index) => ({
    mediaType,
    digest,
    size,
    diffId: image.diffIds[index]!,
  }));
  onEvent({ type: 'layers', layers: wanted });
  await fetchLayers(options, wanted, parts);
  await store.putDocument(manifest.bytes, manifest);
  return { named: bare(named), manifest: bare(manifest), config: config.digest, layers: wanted };
}

/** The manifest itself, or the one that an index has for the platform. */
async function manifestIn(document: Document, options: PullOptions, parts: PullParts, depth = 0): Promise<Document> {
  if (!isIndexType(document.mediaType)) return document;
  const step = `use the index ${document.digest}`;
  if (depth === DEPTH_MOST) throw new PullRefused('protocol', step, `it lies more than ${DEPTH_MOST} indexes deep`);
  const chosen = parts.choosePlatform(parseIndex(document.bytes, document.digest), options.platform, step);
  const bytes = await fetchDocument(options, chosen, 'manifest');
  return manifestIn({ ...bare(chosen), bytes }, options, parts, depth + 1);
}

async function fetchConfig(options: PullOptions, config: PulledDescriptor): Promise<Uint8Array> {
  const bytes = await fetchDocument(options, config, 'configuration');
  await options.store.putDocument(bytes, config);
  return bytes;
}

/** Several at the same time, lowest first. The first failure ends all. */
async function fetchLayers(options: PullOptions, layers: WantedLayer[], parts: PullParts): Promise<void> {
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
      const bytes = (until: AbortSignal) => parts.download({ ...options, signal: until }, wanted);
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
export async function* download(
  options: DownloadOptions,
  { digest, size }: Pick<PulledDescriptor, 'digest' | 'size'>,
): AsyncGenerator<Uint8Array> {
  const { firstWait, signal, onEvent } = options;
  const hash = createHash('sha256');
  const step = `fetch the layer ${digest}`;
  let at = 0;
  let reported = 0;
  let breaks = 0;
  for (;;) {
    const began = at;
    try {
      for await (const chunk of rest(options, step, { digest, size }, at)) {
        at += chunk.length;
        hash.update(chunk);
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
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      // Only the end of the answer was cut off.
      if (at === size) break;
      breaks = at > began ? 1 : breaks + 1;
      if (breaks === BREAKS_MOST) throw error;
    }
    const pause = firstWait * 2 ** (breaks - 1);
    onEvent({ type: 'retrying', digest, seconds: Math.ceil(pause / 1000) });
    await wait(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== digest)
    throw new PullRefused('protocol', `use the layer ${digest}`, `its bytes have the digest ${found}`);
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
  { transport, signal }: DownloadOptions,
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

function bare({ mediaType, digest, size }: PulledDescriptor): PulledDescriptor {
  return { mediaType, digest, size };
}
