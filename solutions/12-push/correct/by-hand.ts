// passes: all
/** Classes, promises in chains, signals and numbers by hand: nothing of it may matter. */

import type * as contract from '#contract/push';
import { PushError } from '#contract/push';
import type { RegistryRequest, RegistryResponse, Transport } from '#contract/transport';

type Job = contract.PushJob;
type Blob = contract.PushDescriptor;
type Upload = contract.Upload;

const OCTETS = 'application/octet-stream';
const UNKNOWN = [400, 404, 405, 416];
const QUARTER = 4;
const LEAST = 1 << 20;

/** One repository, as far as a push needs it. */
class Remote {
  readonly transport: Transport;
  readonly signal: AbortSignal;

  constructor(job: Job, signal = job.signal) {
    this.transport = job.transport;
    this.signal = signal;
  }

  ask(request: Omit<RegistryRequest, 'step' | 'signal'>): Promise<RegistryResponse> {
    if (this.signal.aborted) return Promise.reject(this.signal.reason);
    const step = `${request.method.toLowerCase()} ${request.path.slice(0, 60)}`;
    return this.transport({ step, signal: this.signal, ...request }).then((answer) =>
      answer.discard().then(() => answer),
    );
  }

  knows(path: string, headers: Record<string, string> = {}): Promise<boolean> {
    return this.ask({ method: 'HEAD', path, headers, expect: [404, 200] }).then(({ status }) => status !== 404);
  }
}

function next(answer: RegistryResponse): string {
  const place = answer.headers.location;
  if (typeof place === 'string' && place.length > 0) return place;
  throw new PushError('no Location');
}

export function beginUpload(job: Job, blob: Blob): Promise<contract.Begun> {
  const remote = new Remote(job);
  const fresh = (answer: RegistryResponse): contract.Begun => {
    const asked = Number.parseInt(answer.headers['oci-chunk-min-length'] ?? '', 10);
    const chunkSize = asked > job.chunkSize ? asked : job.chunkSize;
    return { upload: { chunkSize, sent: 0, location: next(answer) }, state: 'begun' };
  };
  const names = job.source.mounts(blob.digest);
  const attempt = (index: number): Promise<contract.Begun> => {
    const from = names[index];
    if (from === undefined || index > 2)
      return remote.ask({ method: 'POST', path: 'blobs/uploads/', expect: [202] }).then(fresh);
    const query = new URLSearchParams([
      ['from', from],
      ['mount', blob.digest],
    ]);
    return remote
      .ask({
        method: 'POST',
        path: `blobs/uploads/?${query}`,
        scopes: [`repository:${from}:pull`],
        expect: [202, 201],
      })
      .then(
        (answer) => (answer.status === 202 ? fresh(answer) : { from, state: 'mounted' }),
        (error) => {
          if (error.kind !== 'denied' && error.kind !== 'unauthorized') throw error;
          return attempt(index + 1);
        },
      );
  };
  return remote.knows(`blobs/${blob.digest}`).then((is) => (is ? { state: 'exists' } : attempt(0)));
}

export function sendBytes(job: Job, blob: Blob, upload: Upload): Promise<void> {
  const remote = new Remote(job);
  const first = upload.sent;
  const rest = blob.size - first;
  const length = Math.min(rest, upload.chunkSize);
  const headers: Record<string, string> = { 'Content-Length': `${length}`, 'Content-Type': OCTETS };
  if (length !== 0 && length !== blob.size) headers['Content-Range'] = [first, first + length - 1].join('-');
  async function* body() {
    yield* job.source.read(blob.digest, first, length);
  }
  const part = { headers, ...(length > 0 && { body }) };
  if (length < rest)
    return remote.ask({ method: 'PATCH', path: upload.location, expect: [202], ...part }).then((answer) => {
      upload.location = next(answer);
      upload.sent = first + length;
      return sendBytes(job, blob, upload);
    });
  const sign = upload.location.indexOf('?') < 0 ? '?' : '&';
  const path = upload.location.concat(sign, 'digest=', encodeURIComponent(blob.digest));
  return remote.ask({ method: 'PUT', path, expect: [201], ...part }).then(() => undefined);
}

export async function resumeUpload(job: Job, blob: Blob, upload: Upload): Promise<Upload | undefined> {
  const answer = await new Remote(job).ask({ method: 'GET', path: upload.location, expect: [204].concat(UNKNOWN) });
  if (UNKNOWN.includes(answer.status)) return undefined;
  let range = answer.headers.range ?? '0-0';
  if (range.startsWith('bytes=')) range = range.substring('bytes='.length);
  const [low, high, ...more] = range.split('-');
  const digits = high !== undefined && high !== '' && [...high].every((each) => '0123456789'.includes(each));
  if (low !== '0' || !digits || more.length > 0) return undefined;
  const last = Number(high);
  const sent = last > 0 ? last + 1 : 0;
  if (!(upload.sent <= sent && sent <= blob.size)) return undefined;
  const place = answer.headers.location;
  return { sent, chunkSize: upload.chunkSize, location: place ? place : upload.location };
}

/** The failures of one upload. */
class Failures {
  row = 0;
  most = 0;

  add(sent: number): void {
    if (sent > this.most) {
      this.row = 0;
      this.most = sent;
    }
    this.row++;
  }

  static mayPass({ kind, status }: { kind?: string; status?: number }): boolean {
    switch (kind) {
      case 'unreachable':
      case 'server':
      case 'too-many':
        return true;
      default:
        return status === 404 || status === 413 || status === 416;
    }
  }
}

export async function pushBlob(job: Job, blob: Blob, steps: contract.BlobSteps): Promise<contract.Pushed> {
  const failures = new Failures();
  let open: Upload | null = null;
  let chunkSize = 0;
  const cancel = async () => {
    const path = open?.location;
    open = null;
    if (path === undefined) return;
    try {
      const answer = await job.transport({
        method: 'DELETE',
        path,
        step: 'cancel',
        expect: [204, 202, 404, 405, 400],
      });
      await answer.discard();
    } catch {
      // It forgets it by itself.
    }
  };
  try {
    for (let time = 0; ; time++) {
      if (open === null) {
        const begun: contract.Begun = await steps.beginUpload(job, blob);
        if (begun.state === 'mounted') return begun;
        if (begun.state === 'exists') return time === 0 ? begun : { state: 'pushed' };
        open = { ...begun.upload };
        if (time > 0) open.chunkSize = chunkSize;
      }
      const error = await steps.sendBytes(job, blob, open).then(
        () => null,
        (thrown) => ({ thrown }),
      );
      if (error === null) return { state: 'pushed' };
      failures.add(open.sent);
      const { thrown } = error;
      if (job.signal.aborted || failures.row === 5 || !Failures.mayPass(thrown)) throw thrown;
      await job.pause(failures.row);
      if (thrown.status === 413) {
        if (open.chunkSize <= LEAST) throw thrown;
        open.chunkSize = Math.max(LEAST, (open.chunkSize - (open.chunkSize % QUARTER)) / QUARTER);
      }
      chunkSize = open.chunkSize;
      const again = await steps.resumeUpload(job, blob, open);
      if (again === undefined) await cancel();
      else open = again;
    }
  } catch (error) {
    await cancel();
    throw error;
  }
}

interface Document {
  config?: Blob;
  layers?: Blob[];
  manifests?: Blob[];
}

/** At most so many at the same time. */
class Gate {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(free: number) {
    this.#free = free;
  }

  async through(work: () => Promise<void>): Promise<void> {
    if (this.#free === 0) await new Promise<void>((enter) => this.#queue.push(enter));
    else this.#free--;
    try {
      await work();
    } finally {
      const enter = this.#queue.shift();
      if (enter) enter();
      else this.#free++;
    }
  }
}

export async function pushManifest(
  job: Job,
  manifest: Blob,
  { tag, concurrency }: contract.PushOptions,
  push: (blob: Blob, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const leave = () => stop.abort(job.signal.reason);
  if (job.signal.aborted) leave();
  job.signal.addEventListener('abort', leave);
  const gate = new Gate(concurrency);
  const remote = new Remote(job, stop.signal);
  const begun = new Map<string, Promise<void>>();
  const once = (digest: string, work: () => Promise<void>): Promise<void> => {
    const known = begun.get(digest) ?? work();
    begun.set(digest, known);
    return known;
  };

  const blob = (each: Blob): Promise<void> =>
    once(each.digest, () =>
      gate.through(async () => {
        if (stop.signal.aborted) return;
        try {
          await push(each, stop.signal);
        } catch (error) {
          stop.abort(error);
        }
      }),
    );

  const whole = async ({ digest, mediaType }: Blob, name: string): Promise<void> => {
    const body = await job.source.document(digest);
    const { config, layers, manifests }: Document = JSON.parse(new TextDecoder().decode(body));
    for (const each of manifests ?? [])
      await once(each.digest, async () => {
        if (!(await remote.knows(`manifests/${each.digest}`, { accept: each.mediaType })))
          await whole(each, each.digest);
      });
    await Promise.all([...(config ? [config] : []), ...(layers ?? [])].map(blob));
    const answer = await remote.ask({
      method: 'PUT',
      path: `manifests/${name}`,
      headers: { 'content-type': mediaType, 'content-length': `${body.length}` },
      body,
      expect: [201],
    });
    const said = answer.headers['docker-content-digest'] ?? digest;
    if (said !== digest) throw new PushError(`${said} is another digest`);
  };

  try {
    await whole(manifest, tag === undefined ? manifest.digest : tag);
  } finally {
    job.signal.removeEventListener('abort', leave);
  }
}
