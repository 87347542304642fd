/** An image into a repository: its blobs, several at a time, and then its manifest. OCI distribution-spec, "Push". */

import {
  type Begun,
  type BlobSteps,
  type PushDescriptor,
  PushError,
  type Pushed,
  type PushJob,
  type PushOptions,
  type Upload,
} from './contract/push.ts';
import type { RegistryRequest, RegistryResponse, TransportError } from './contract/transport.ts';

/** Repositories that a blob is tried to be mounted from. */
const MOUNTS_MOST = 3;
/** Failures in a row after which an upload is given up. */
const FAILURES_MOST = 5;
const CHUNK_LEAST = 1024 * 1024;
/** Milliseconds that a registry has to forget an upload. */
const CANCEL_MOST = 5000;

/** What may pass by itself. */
const PASSING = new Set(['unreachable', 'server', 'too-many']);

/** The upload is not known (any more), is too large, or does not fit: it goes on in another way. */
const UPLOAD_LOST = new Set([404, 413, 416]);

export async function beginUpload(job: PushJob, blob: PushDescriptor): Promise<Begun> {
  if (await isThere(job, `blobs/${blob.digest}`, `look for the blob ${blob.digest}`)) return { state: 'exists' };
  for (const from of job.source.mounts(blob.digest).slice(0, MOUNTS_MOST)) {
    const query = new URLSearchParams({ mount: blob.digest, from });
    try {
      const answer = await send(job, 'POST', `blobs/uploads/?${query}`, {
        expect: [201, 202],
        // The registry has to be convinced that we may read what we want to have.
        scopes: [`repository:${from}:pull`],
        step: `mount the blob ${blob.digest} from ${from}`,
      });
      return answer.status === 201 ? { state: 'mounted', from } : begun(job, blob, answer);
    } catch (error) {
      if (!isRefused(error)) throw error;
    }
  }
  const step = `begin the upload of ${blob.digest}`;
  return begun(job, blob, await send(job, 'POST', 'blobs/uploads/', { expect: [202], step }));
}

function begun(job: PushJob, blob: PushDescriptor, { headers }: RegistryResponse): Begun {
  const least = Number(headers['oci-chunk-min-length'] ?? 0) || 0;
  const chunkSize = Math.max(job.chunkSize, least);
  return { state: 'begun', upload: { location: locationOf(blob, headers), sent: 0, chunkSize } };
}

/** "Pushing a blob monolithically", "Pushing a blob in chunks": all chunks but the last, and the last with the digest. */
export async function sendBytes(job: PushJob, blob: PushDescriptor, upload: Upload): Promise<void> {
  const step = `push the blob ${blob.digest}`;
  while (blob.size - upload.sent > upload.chunkSize) {
    const part = partOf(job, blob, upload.sent, upload.chunkSize, true);
    const { headers } = await send(job, 'PATCH', upload.location, { ...part, expect: [202], step });
    upload.location = locationOf(blob, headers);
    upload.sent += upload.chunkSize;
  }
  const part = partOf(job, blob, upload.sent, blob.size - upload.sent, upload.sent > 0);
  await send(job, 'PUT', withDigest(upload.location, blob.digest), { ...part, expect: [201], step });
}

function partOf({ source }: PushJob, { digest }: PushDescriptor, from: number, length: number, isChunk: boolean) {
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    'content-length': String(length),
    ...(isChunk && length > 0 && { 'content-range': `${from}-${from + length - 1}` }),
  };
  return { headers, body: length === 0 ? new Uint8Array(0) : () => source.read(digest, from, length) };
}

/** "Pushing a blob in chunks", the GET of a session. */
export async function resumeUpload(job: PushJob, blob: PushDescriptor, upload: Upload): Promise<Upload | undefined> {
  const { status, headers } = await send(job, 'GET', upload.location, {
    expect: [204, 400, 404, 405, 416],
    step: `ask how far the upload of ${blob.digest} got`,
  });
  if (status !== 204) return undefined;
  const sent = receivedOf(headers.range);
  if (sent === undefined || sent > blob.size || sent < upload.sent) return undefined;
  return { ...upload, location: headers.location || upload.location, sent };
}

export async function pushBlob(job: PushJob, blob: PushDescriptor, steps: BlobSteps): Promise<Pushed> {
  const first = await steps.beginUpload(job, blob);
  if (first.state !== 'begun') return first;
  let { upload } = first;
  let isOpen = true;
  const cancel = async () => {
    if (isOpen) await cancelUpload(job, upload);
    isOpen = false;
  };
  let [failures, furthest] = [0, 0];
  try {
    for (;;) {
      try {
        await steps.sendBytes(job, blob, upload);
        return { state: 'pushed' };
      } catch (error) {
        if (!mayPass(job, error)) throw error;
        failures = upload.sent > furthest ? 1 : failures + 1;
        furthest = Math.max(furthest, upload.sent);
        if (failures === FAILURES_MOST) throw error;
        if (statusOf(error) === 413) upload.chunkSize = smaller(upload.chunkSize, error);
        await job.pause(failures);
      }
      const resumed = await steps.resumeUpload(job, blob, upload);
      if (resumed !== undefined) upload = resumed;
      else {
        await cancel();
        const again = await steps.beginUpload(job, blob);
        // Everything had come, and only the answer was lost.
        if (again.state === 'exists') return { state: 'pushed' };
        if (again.state === 'mounted') return again;
        upload = { ...again.upload, chunkSize: upload.chunkSize };
        isOpen = true;
      }
    }
  } catch (error) {
    await cancel();
    throw error;
  }
}

/** So that the registry need not keep what will never be finished. It forgets it by itself if this fails. */
async function cancelUpload({ transport }: PushJob, { location }: Upload): Promise<void> {
  const expect = [202, 204, 400, 404, 405];
  // The signal of the work may be the reason why this is called.
  const signal = AbortSignal.timeout(CANCEL_MOST);
  await transport({ method: 'DELETE', path: location, expect, step: 'cancel an upload', signal })
    .then((answer) => answer.discard())
    .catch(() => {});
}

/** What a manifest or an index leads to. OCI image-spec, manifest.md and image-index.md. */
interface References {
  config?: PushDescriptor;
  layers?: PushDescriptor[];
  manifests?: PushDescriptor[];
}

export async function pushManifest(
  job: PushJob,
  manifest: PushDescriptor,
  { tag, concurrency }: PushOptions,
  push: (blob: PushDescriptor, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([job.signal, failed.signal]);
  const own = { ...job, signal };
  const done = new Set<string>();

  await visit(manifest, tag ?? manifest.digest);

  async function visit({ mediaType, digest }: PushDescriptor, name: string): Promise<void> {
    const bytes = await job.source.document(digest);
    const { config, layers = [], manifests = [] } = JSON.parse(Buffer.from(bytes).toString()) as References;
    for (const each of manifests)
      if (!done.has(each.digest) && !(await hasManifest(each))) await visit(each, each.digest);
    await pushAll([...layers, ...(config ? [config] : [])]);
    await putManifest(mediaType, digest, bytes, name);
    done.add(digest);
  }

  function hasManifest({ digest, mediaType }: PushDescriptor): Promise<boolean> {
    return isThere(own, `manifests/${digest}`, `look for the manifest ${digest}`, { accept: mediaType });
  }

  /** So many at a time as may be. The first failure ends all. */
  async function pushAll(blobs: PushDescriptor[]): Promise<void> {
    const left = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()].filter(
      ({ digest }) => !done.has(digest),
    );
    const work = async (): Promise<void> => {
      for (let blob = left.shift(); blob !== undefined && !signal.aborted; blob = left.shift()) {
        try {
          await push(blob, signal);
          done.add(blob.digest);
        } catch (error) {
          failed.abort(error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, left.length) }, work));
    // The first failure is the cause of the others.
    signal.throwIfAborted();
  }

  async function putManifest(mediaType: string, digest: string, body: Uint8Array, name: string): Promise<void> {
    const { headers } = await send(own, 'PUT', `manifests/${name}`, {
      expect: [201],
      headers: { 'content-type': mediaType },
      body,
      step: `push the manifest ${name}`,
    });
    const given = headers['docker-content-digest'];
    if (given !== undefined && given !== digest)
      throw new PushError(
        `the registry gave the manifest ${name} the digest ${given.slice(0, 80)}, but it has ${digest}`,
      );
  }
}

async function isThere(job: PushJob, path: string, step: string, headers?: Record<string, string>): Promise<boolean> {
  const { status } = await send(job, 'HEAD', path, { expect: [200, 404], step, headers });
  return status === 200;
}

async function send(
  { transport, signal }: PushJob,
  method: RegistryRequest['method'],
  path: string,
  options: Omit<RegistryRequest, 'method' | 'path' | 'signal'>,
): Promise<RegistryResponse> {
  signal.throwIfAborted();
  const answer = await transport({ method, path, signal, ...options });
  await answer.discard();
  return answer;
}

function mayPass({ signal }: PushJob, error: unknown): boolean {
  if (signal.aborted) return false;
  return PASSING.has((error as TransportError).kind) || UPLOAD_LOST.has(statusOf(error) ?? 0);
}

function isRefused(error: unknown): boolean {
  return ['unauthorized', 'denied'].includes((error as TransportError).kind);
}

function statusOf(error: unknown): number | undefined {
  return (error as TransportError).status;
}

function smaller(chunkSize: number, error: unknown): number {
  if (chunkSize <= CHUNK_LEAST) throw error;
  return Math.max(Math.floor(chunkSize / 4), CHUNK_LEAST);
}

function locationOf({ digest }: PushDescriptor, { location }: Record<string, string>): string {
  if (location === undefined || location === '')
    throw new PushError(`the registry does not say where the upload of ${digest} goes on: its answer has no Location`);
  return location;
}

/** A location may have a query of its own. */
function withDigest(location: string, digest: string): string {
  const [before, fragment] = location.split('#', 2);
  const separator = before!.includes('?') ? '&' : '?';
  return `${before}${separator}digest=${encodeURIComponent(digest)}${fragment === undefined ? '' : `#${fragment}`}`;
}

/** `0-99` is 100 bytes. An upload without bytes is `0-0`, which is what one byte would be, too: then it is sent again. */
function receivedOf(range = '0-0'): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(range)?.[1];
  if (last === undefined) return undefined;
  return last === '0' ? 0 : Number(last) + 1;
}
