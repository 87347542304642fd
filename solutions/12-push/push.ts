/** Worked solution of lab `push`. See NOTES.md. */

import {
  type Begun,
  type BlobSteps,
  type PushDescriptor,
  PushError,
  type Pushed,
  type PushJob,
  type PushOptions,
  type Upload,
} from '#contract/push';
import type { RegistryRequest, RegistryResponse, TransportError } from '#contract/transport';

const MIB = 1024 * 1024;

export async function beginUpload(job: PushJob, { digest }: PushDescriptor): Promise<Begun> {
  if (await isThere(job, `blobs/${digest}`)) return { state: 'exists' };
  for (const from of job.source.mounts(digest).slice(0, 3)) {
    const path = `blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
    const scopes = [`repository:${from}:pull`];
    try {
      const answer = await send(job, { method: 'POST', path, scopes, expect: [201, 202], step: `mount ${digest}` });
      return answer.status === 201 ? { state: 'mounted', from } : begun(job, answer);
    } catch (error) {
      if (!['unauthorized', 'denied'].includes((error as TransportError).kind)) throw error;
    }
  }
  return begun(
    job,
    await send(job, { method: 'POST', path: 'blobs/uploads/', expect: [202], step: `begin the upload of ${digest}` }),
  );
}

function begun(job: PushJob, answer: RegistryResponse): Begun {
  const least = Number(answer.headers['oci-chunk-min-length']) || 0;
  const chunkSize = Math.max(job.chunkSize, least);
  return { state: 'begun', upload: { location: locationOf(answer), sent: 0, chunkSize } };
}

export async function sendBytes(job: PushJob, blob: PushDescriptor, upload: Upload): Promise<void> {
  while (blob.size - upload.sent > upload.chunkSize) {
    const part = partOf(job, blob, upload.sent, upload.chunkSize);
    const answer = await send(job, { method: 'PATCH', path: upload.location, expect: [202], ...part });
    upload.location = locationOf(answer);
    upload.sent += upload.chunkSize;
  }
  const part = partOf(job, blob, upload.sent, blob.size - upload.sent);
  const path = `${upload.location}${upload.location.includes('?') ? '&' : '?'}digest=${blob.digest}`;
  await send(job, { method: 'PUT', path, expect: [201], ...part });
}

function partOf({ source }: PushJob, { digest, size }: PushDescriptor, from: number, length: number) {
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    'content-length': `${length}`,
  };
  if (length > 0 && length < size) headers['content-range'] = `${from}-${from + length - 1}`;
  const body = length === 0 ? new Uint8Array(0) : () => source.read(digest, from, length);
  return { headers, body, step: `push the blob ${digest}` };
}

export async function resumeUpload(job: PushJob, blob: PushDescriptor, upload: Upload): Promise<Upload | undefined> {
  const expect = [204, 400, 404, 405, 416];
  const step = `ask how far the upload of ${blob.digest} got`;
  const { status, headers } = await send(job, { method: 'GET', path: upload.location, expect, step });
  if (status !== 204) return undefined;
  const last = /^(?:bytes=)?0-(\d+)$/.exec(headers.range ?? '0-0')?.[1];
  if (last === undefined) return undefined;
  const sent = last === '0' ? 0 : Number(last) + 1;
  if (sent > blob.size || sent < upload.sent) return undefined;
  return { ...upload, location: headers.location || upload.location, sent };
}

export async function pushBlob(job: PushJob, blob: PushDescriptor, steps: BlobSteps): Promise<Pushed> {
  const first = await steps.beginUpload(job, blob);
  if (first.state !== 'begun') return first;
  let upload: Upload | undefined = first.upload;
  let [failures, furthest] = [0, 0];
  try {
    for (;;) {
      const sending: Upload = upload;
      try {
        await steps.sendBytes(job, blob, sending);
        return { state: 'pushed' };
      } catch (error) {
        failures = sending.sent > furthest ? 1 : failures + 1;
        furthest = Math.max(furthest, sending.sent);
        if (job.signal.aborted || !mayPass(error as TransportError) || failures === 5) throw error;
        if ((error as TransportError).status === 413) {
          if (sending.chunkSize <= MIB) throw error;
          sending.chunkSize = Math.max(Math.floor(sending.chunkSize / 4), MIB);
        }
      }
      await job.pause(failures);
      const resumed = await steps.resumeUpload(job, blob, sending);
      if (resumed !== undefined) upload = resumed;
      else {
        upload = undefined;
        await cancel(job, sending);
        const again = await steps.beginUpload(job, blob);
        if (again.state === 'exists') return { state: 'pushed' };
        if (again.state === 'mounted') return again;
        upload = { ...again.upload, chunkSize: sending.chunkSize };
      }
    }
  } catch (error) {
    if (upload !== undefined) await cancel(job, upload);
    throw error;
  }
}

function mayPass({ kind, status }: TransportError): boolean {
  return ['unreachable', 'server', 'too-many'].includes(kind) || [404, 413, 416].includes(status ?? 0);
}

/** Without the signal of the job: it may be the reason. */
async function cancel({ transport }: PushJob, { location }: Upload): Promise<void> {
  const expect = [202, 204, 400, 404, 405];
  const signal = AbortSignal.timeout(5000);
  await transport({ method: 'DELETE', path: location, expect, step: 'cancel an upload', signal })
    .then((answer) => answer.discard())
    .catch(() => {});
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

  const pushAll = async (blobs: PushDescriptor[]): Promise<void> => {
    const left = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()].filter(
      ({ digest }) => !done.has(digest),
    );
    const worker = async (): Promise<void> => {
      for (let blob = left.shift(); blob !== undefined && !signal.aborted; blob = left.shift()) {
        done.add(blob.digest);
        await push(blob, signal).catch((error) => failed.abort(error));
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    signal.throwIfAborted();
  };

  const visit = async ({ digest, mediaType }: PushDescriptor, name: string): Promise<void> => {
    done.add(digest);
    const body = await job.source.document(digest);
    const { config, layers = [], manifests = [] } = JSON.parse(Buffer.from(body).toString()) as Document;
    for (const each of manifests)
      if (!done.has(each.digest) && !(await isThere(own, `manifests/${each.digest}`, each.mediaType)))
        await visit(each, each.digest);
    await pushAll(config ? [...layers, config] : layers);
    const answer = await send(own, {
      method: 'PUT',
      path: `manifests/${name}`,
      headers: { 'content-type': mediaType },
      body,
      expect: [201],
      step: `push the manifest ${name}`,
    });
    const given = answer.headers['docker-content-digest'];
    if (given !== undefined && given !== digest)
      throw new PushError(`the registry calls ${digest} ${given.slice(0, 80)}`);
  };

  await visit(manifest, tag ?? manifest.digest);
}

interface Document {
  config?: PushDescriptor;
  layers?: PushDescriptor[];
  manifests?: PushDescriptor[];
}

async function isThere(job: PushJob, path: string, accept?: string): Promise<boolean> {
  const headers: Record<string, string> = accept === undefined ? {} : { accept };
  const { status } = await send(job, { method: 'HEAD', path, headers, expect: [200, 404], step: `look for ${path}` });
  return status === 200;
}

async function send({ transport, signal }: PushJob, request: RegistryRequest): Promise<RegistryResponse> {
  signal.throwIfAborted();
  const answer = await transport({ ...request, signal });
  await answer.discard();
  return answer;
}

/** @throws PushError */
function locationOf({ headers: { location } }: RegistryResponse): string {
  if (!location) throw new PushError('the registry does not say where the upload goes on: its answer has no Location');
  return location;
}
