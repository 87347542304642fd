/** An image into a repository: first its blobs, several at a time, then its manifest. OCI distribution-spec, "Push". */

import { setTimeout as wait } from 'node:timers/promises';
import { type PushDescriptor, PushError, type PushRequest, type PushState } from './contract/push.ts';
import type { RegistryResponse } from './contract/transport.ts';

const CONCURRENCY = 5;
const CHUNK_SIZE = 64 * 1024 * 1024;
const CHUNK_LEAST = 1024 * 1024;
/** Failures in a row after which an upload is given up. */
const FAILURES_MOST = 5;
const RETRY_DELAY = 250;
/** Repositories that a blob is tried to be mounted from. */
const MOUNTS_MOST = 3;

/** An upload that the registry has begun. */
interface Upload {
  /** Where the next request goes. */
  location: string;
  /** Bytes that the registry has. */
  sent: number;
  /** Bytes of one request. */
  chunkSize: number;
}

export async function push(request: PushRequest): Promise<void> {
  const failed = new AbortController();
  const signals = [failed.signal, ...(request.signal ? [request.signal] : [])];
  const task = new Push({ ...request, signal: AbortSignal.any(signals) }, failed);
  await task.manifest(request.manifest, request.tag);
}

class Push {
  readonly #request: PushRequest & { signal: AbortSignal };
  readonly #failed: AbortController;
  /** Digests that need not be sent again. */
  readonly #done = new Set<string>();

  constructor(request: PushRequest & { signal: AbortSignal }, failed: AbortController) {
    this.#request = request;
    this.#failed = failed;
  }

  /** @param name a tag; the manifest's digest unless given. */
  async manifest(descriptor: PushDescriptor, name = descriptor.digest): Promise<void> {
    const bytes = await this.#request.source.document(descriptor.digest);
    const { config, layers = [], manifests = [] } = JSON.parse(Buffer.from(bytes).toString()) as References;
    for (const each of manifests) if (!(await this.#hasManifest(each))) await this.manifest(each);
    await this.#blobs([...layers, ...(config ? [config] : [])]);
    await this.#putManifest(descriptor, bytes, name);
  }

  /** Whether the repository has a manifest of an index, or has just been given it. */
  async #hasManifest({ digest, mediaType }: PushDescriptor): Promise<boolean> {
    if (this.#done.has(digest)) return true;
    const answer = await this.#send('HEAD', `manifests/${digest}`, {
      expect: [200, 404],
      headers: { accept: mediaType },
      step: `look for the manifest ${digest}`,
    });
    return answer.status === 200;
  }

  async #putManifest({ mediaType, digest }: PushDescriptor, bytes: Uint8Array, name: string): Promise<void> {
    const { headers } = await this.#send('PUT', `manifests/${name}`, {
      expect: [201],
      headers: { 'content-type': mediaType },
      body: bytes,
      step: `push the manifest ${name}`,
    });
    const given = headers['docker-content-digest'];
    if (given !== undefined && given !== digest)
      throw new PushError(
        `the registry gave the manifest ${name} the digest ${given.slice(0, 80)}, but it has ${digest}`,
      );
    this.#done.add(digest);
  }

  /** So many at a time as the request says. The first failure ends all. */
  async #blobs(blobs: PushDescriptor[]): Promise<void> {
    const left = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
    for (const blob of left) this.#tell(blob, 'waiting');
    const work = async (): Promise<void> => {
      for (let blob = left.shift(); blob !== undefined; blob = left.shift()) {
        try {
          await this.#blob(blob);
        } catch (error) {
          left.length = 0;
          this.#failed.abort(error);
          throw error;
        }
      }
    };
    const workers = Math.min(this.#request.concurrency ?? CONCURRENCY, left.length);
    const results = await Promise.allSettled(Array.from({ length: workers }, work));
    // The first failure is the cause of the others.
    if (this.#failed.signal.aborted) throw this.#failed.signal.reason;
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async #blob(blob: PushDescriptor): Promise<void> {
    if (this.#done.has(blob.digest)) return this.#tell(blob, 'exists');
    if (await this.#hasBlob(blob)) this.#tell(blob, 'exists');
    else {
      const begun = await this.#mount(blob);
      if (typeof begun === 'string') this.#tell(blob, 'mounted', { from: begun });
      else {
        await this.#upload(blob, begun);
        this.#tell(blob, 'pushed');
      }
    }
    this.#done.add(blob.digest);
  }

  async #hasBlob({ digest }: PushDescriptor): Promise<boolean> {
    const expect = [200, 404];
    const answer = await this.#send('HEAD', `blobs/${digest}`, { expect, step: `look for the blob ${digest}` });
    return answer.status === 200;
  }

  /** @returns the repository that it was mounted from, or an upload. "Mounting a blob from another repository". */
  async #mount(blob: PushDescriptor): Promise<string | Upload> {
    for (const from of this.#request.source.mounts(blob.digest).slice(0, MOUNTS_MOST)) {
      const query = new URLSearchParams({ mount: blob.digest, from });
      try {
        const answer = await this.#send('POST', `blobs/uploads/?${query}`, {
          expect: [201, 202],
          // The registry has to be convinced that we may read what we want to have.
          scopes: [`repository:${from}:pull`],
          step: `mount the blob ${blob.digest} from ${from}`,
        });
        return answer.status === 201 ? from : this.#begun(blob, answer);
      } catch (error) {
        if (!isRefused(error)) throw error;
      }
    }
    return this.#begin(blob);
  }

  async #begin(blob: PushDescriptor): Promise<Upload> {
    const step = `begin the upload of ${blob.digest}`;
    return this.#begun(blob, await this.#send('POST', 'blobs/uploads/', { expect: [202], step }));
  }

  #begun(blob: PushDescriptor, { headers }: RegistryResponse): Upload {
    const least = Number(headers['oci-chunk-min-length'] ?? 0) || 0;
    const chunkSize = Math.max(this.#request.chunkSize ?? CHUNK_SIZE, least);
    return { location: locationOf(blob, headers), sent: 0, chunkSize };
  }

  /** Send the bytes; go on where the registry stopped when something breaks. */
  async #upload(blob: PushDescriptor, begun: Upload): Promise<void> {
    let upload = begun;
    let furthest = 0;
    try {
      for (let failures = 0; ; ) {
        try {
          return await this.#sendBytes(blob, upload);
        } catch (error) {
          if (!this.#mayPass(error)) throw error;
          failures = upload.sent > furthest ? 1 : failures + 1;
          furthest = Math.max(furthest, upload.sent);
          if (failures === FAILURES_MOST) throw error;
          await this.#pause(failures);
          if (statusOf(error) === 413) upload.chunkSize = smaller(upload.chunkSize, error);
        }
        const resumed = await this.#resume(blob, upload);
        if (resumed === undefined) return;
        upload = resumed;
      }
    } catch (error) {
      await this.#cancel(upload);
      throw error;
    }
  }

  /** "Pushing a blob monolithically", "Pushing a blob in chunks": all chunks but the last, and the last with the digest. */
  async #sendBytes(blob: PushDescriptor, upload: Upload): Promise<void> {
    const step = `push the blob ${blob.digest}`;
    while (blob.size - upload.sent > upload.chunkSize) {
      const part = this.#part(blob, upload.sent, upload.chunkSize, true);
      const { headers } = await this.#send('PATCH', upload.location, { ...part, expect: [202], step });
      upload.location = locationOf(blob, headers);
      upload.sent += upload.chunkSize;
    }
    const part = this.#part(blob, upload.sent, blob.size - upload.sent, upload.sent > 0);
    await this.#send('PUT', withDigest(upload.location, blob.digest), { ...part, expect: [201], step });
  }

  #part(blob: PushDescriptor, from: number, length: number, isChunk: boolean) {
    const headers: Record<string, string> = {
      'content-type': 'application/octet-stream',
      'content-length': String(length),
      ...(isChunk && length > 0 && { 'content-range': `${from}-${from + length - 1}` }),
    };
    const { source } = this.#request;
    const tell = (sent: number) => this.#tell(blob, 'pushing', { sent });
    tell(from);
    async function* body() {
      let sent = from;
      for await (const chunk of source.read(blob.digest, from, length)) {
        yield chunk;
        sent += chunk.length;
        tell(sent);
      }
    }
    return { headers, body: length === 0 ? new Uint8Array(0) : body };
  }

  /**
   * Where to go on: "Pushing a blob in chunks", the GET of a session.
   * @returns a new upload if the registry has forgotten the old one; undefined if it has the blob.
   */
  async #resume(blob: PushDescriptor, upload: Upload): Promise<Upload | undefined> {
    const answer = await this.#send('GET', upload.location, {
      expect: [204, 400, 404, 405, 416],
      step: `ask how far the upload of ${blob.digest} got`,
    });
    const sent = answer.status === 204 ? receivedOf(answer.headers.range) : undefined;
    if (sent !== undefined && sent <= blob.size && sent >= upload.sent) {
      return { ...upload, location: answer.headers.location ?? upload.location, sent };
    }
    await this.#cancel(upload);
    if (await this.#hasBlob(blob)) return undefined;
    return { ...(await this.#begin(blob)), chunkSize: upload.chunkSize };
  }

  /** So that the registry need not keep what will never be finished. It forgets it by itself if this fails. */
  async #cancel({ location }: Upload): Promise<void> {
    const { transport } = this.#request;
    const expect = [202, 204, 400, 404, 405];
    const signal = AbortSignal.timeout(5000);
    await transport({ method: 'DELETE', path: location, expect, step: 'cancel an upload', signal })
      .then((answer) => answer.discard())
      .catch(() => {});
  }

  #mayPass(error: unknown): boolean {
    if (this.#request.signal.aborted) return false;
    return PASSING.has((error as { kind?: string }).kind ?? '') || UPLOAD_LOST.has(statusOf(error) ?? 0);
  }

  async #pause(failures: number): Promise<void> {
    const { retryDelay = RETRY_DELAY, signal } = this.#request;
    await wait(retryDelay * 2 ** (failures - 1), undefined, { signal });
  }

  async #send(
    method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH',
    path: string,
    options: Omit<Parameters<PushRequest['transport']>[0], 'method' | 'path' | 'signal'>,
  ): Promise<RegistryResponse> {
    const { transport, signal } = this.#request;
    signal.throwIfAborted();
    const answer = await transport({ method, path, signal, ...options });
    await answer.discard();
    return answer;
  }

  #tell(blob: PushDescriptor, state: PushState, more: { from?: string; sent?: number } = {}): void {
    this.#request.onProgress?.({ blob, state, ...more });
  }
}

/** The upload is not known (any more), is too large, or does not fit: it goes on in another way. */
const UPLOAD_LOST = new Set([404, 413, 416]);

/** What may pass by itself. */
const PASSING = new Set(['unreachable', 'server', 'too-many']);

/** What a manifest or an index leads to. OCI image-spec, manifest.md and image-index.md. */
interface References {
  config?: PushDescriptor;
  layers?: PushDescriptor[];
  manifests?: PushDescriptor[];
}

function isRefused(error: unknown): boolean {
  return ['unauthorized', 'denied'].includes((error as { kind?: string }).kind ?? '');
}

function statusOf(error: unknown): number | undefined {
  return (error as { status?: number }).status;
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
