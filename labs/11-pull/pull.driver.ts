/**
 * How the judge asks the plank `pull`: the registry is a script that is played here, in the place of a transport, and every
 * request to it is written down. So is what the store is given.
 */

import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type {
  Challenge,
  DownloadOptions,
  IndexEntry,
  PullEvent,
  PulledDescriptor,
  PullOptions,
  PullParts,
  PullPlatform,
  PullStore,
  RequestHead,
  TokenQuestion,
} from '#contract/pull';
import { PROOF, PullRefused } from '#contract/pull';
import type { RegistryRequest, RegistryResponse, Transport } from '#contract/transport';
import * as plank from '#pull';

/** What a call came to. */
export type Outcome = { value: unknown } | { threw: { name: string; kind?: string; message: string } };

async function outcomeOf(work: () => unknown): Promise<Outcome> {
  try {
    return { value: await work() };
  } catch (error) {
    // Anything may be thrown, also `undefined`.
    const { name = typeof error, message = String(error), kind } = Object(error) as Record<string, unknown>;
    // "Not written yet" is something else than a wrong answer.
    if (name === 'NotImplemented') throw error;
    return { threw: { name: String(name), message: String(message), ...(typeof kind === 'string' && { kind }) } };
  }
}

const each = <T>(questions: T[], ask: (question: T) => unknown): Promise<Outcome[]> =>
  Promise.all(questions.map((question) => outcomeOf(() => ask(question))));

export function readNames(texts: string[]): Promise<Outcome[]> {
  return each(texts, (text) => ({ ...plank.parseReference(text) }));
}

/** Challenges as they cross from here to the judge: the parameters sorted by their names. */
export interface Told {
  scheme: string;
  parameters: [string, string][];
}

export function readHeaders(headers: string[]): Promise<Outcome[]> {
  return each(headers, (header) =>
    plank.parseChallenges(header).map(({ scheme, parameters }): Told => {
      if (!(parameters instanceof Map)) throw new Error('`parameters` should be a Map.');
      return { scheme, parameters: [...parameters].sort(([one], [other]) => (one < other ? -1 : 1)) };
    }),
  );
}

export function askForTokens(asked: { parameters: [string, string][]; question: TokenQuestion }[]): Promise<Outcome[]> {
  return each(asked, ({ parameters, question }) => {
    const challenge: Challenge = { scheme: 'bearer', parameters: new Map(parameters) };
    return { ...plank.tokenRequest(challenge, question) };
  });
}

/** @returns for each the next request, and what was handed in as it is afterwards. */
export function follow(asked: { request: RequestHead; location: string }[]): Promise<Outcome[]> {
  return each(asked, ({ request, location }) => ({ next: { ...plank.followRedirect(request, location) }, request }));
}

/** @returns for each the place of what was chosen in `manifests`. */
export function choose(asked: { manifests: IndexEntry[]; platform: PullPlatform }[]): Promise<Outcome[]> {
  return each(asked, ({ manifests, platform }) =>
    manifests.indexOf(plank.choosePlatform(manifests, platform, 'use the index')),
  );
}

// ---- downloads ----

/** One answer of the scripted registry. */
export interface Answer {
  /** 200 if absent. */
  status?: number;
  headers?: Record<string, string>;
  chunks?: Uint8Array[];
  /** After the chunks. `forever` sends the last of them again and again; `never` sends nothing until the request is aborted. */
  tail?: 'end' | 'break' | 'forever' | 'never';
  /** The error of the tail `break`; a broken connection if absent. */
  breaksBy?: { kind: string; message: string };
  /** So many blanks come after the chunks. */
  blanks?: number;
  /** No answer at all, but this error of the transport. */
  error?: { kind: string; message: string };
}

export interface Asked {
  path: string;
  headers: Record<string, string>;
  expect: number[];
  /** Milliseconds, on a clock of its own. */
  at: number;
  /** Chunks of the answer that were read. */
  read: number;
  /** Its body was neither read to its end nor given back, and its signal not aborted. */
  isLeft: boolean;
}

const failure = (kind: string, message: string) => Object.assign(new Error(message), { name: 'RegistryError', kind });
const BROKEN = { kind: 'unreachable', message: 'The connection broke.' };
const FOREVER = 2000;
const BLANKS = Buffer.alloc(64 * 1024, ' ');

/** Milliseconds, on a clock that the harness has put out of reach of the plank: `performance` is everybody's. */
function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

function blanksOf(length: number): Uint8Array[] {
  const pieces = Array.from({ length: Math.ceil(length / BLANKS.length) }, (_, index) => index * BLANKS.length);
  return pieces.map((from) => BLANKS.subarray(0, Math.min(BLANKS.length, length - from)));
}

/** A registry that gives these answers, one for each request. */
function scripted(answers: (request: RegistryRequest) => Answer, asked: Asked[]): Transport {
  return async (request) => {
    request.signal?.throwIfAborted();
    const { path, headers = {}, expect = [200], signal, step, method } = request;
    if (method !== 'GET') throw new Error(`The method of a pull should be GET, not ${method}.`);
    if (typeof step !== 'string' || step === '') throw new Error('A request should say its step.');
    const record: Asked = { path, headers: { ...headers }, expect: [...expect], at: now(), read: 0, isLeft: false };
    asked.push(record);
    const answer = answers(request);
    const { status = 200, headers: own = {}, tail = 'end', breaksBy = BROKEN, blanks = 0, error } = answer;
    const chunks = [...(answer.chunks ?? []), ...blanksOf(blanks)];
    if (error !== undefined) throw failure(error.kind, error.message);
    if (!expect.includes(status)) throw failure('server', `The status ${status} is not expected.`);
    async function* read(): AsyncGenerator<Uint8Array> {
      try {
        const count = tail === 'forever' ? FOREVER : chunks.length;
        for (let index = 0; index < count; index++) {
          // A network is never at once.
          await new Promise(setImmediate);
          signal?.throwIfAborted();
          record.read += 1;
          yield new Uint8Array(chunks[Math.min(index, chunks.length - 1)]!);
        }
        if (tail === 'break') throw failure(breaksBy.kind, breaksBy.message);
        if (tail === 'never') await untilAborted(signal);
      } finally {
        close();
      }
    }
    const close = () => {
      record.isLeft = false;
      signal?.removeEventListener('abort', close);
    };
    record.isLeft = true;
    signal?.addEventListener('abort', close, { once: true });
    const response: RegistryResponse = {
      status,
      headers: own,
      body: closing(read(), close),
      discard: async () => close(),
    };
    return response;
  };
}

/** A generator that has not begun ends without its `finally`. */
function closing(body: AsyncGenerator<Uint8Array>, close: () => void): AsyncGenerator<Uint8Array> {
  const [giveBack, fail] = [body.return.bind(body), body.throw.bind(body)];
  body.return = (value) => {
    close();
    return giveBack(value);
  };
  body.throw = (error) => {
    close();
    return fail(error);
  };
  return body;
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

export interface Download {
  answers: Answer[];
  blob: Pick<PulledDescriptor, 'digest' | 'size'>;
  firstWait: number;
  /** Abort with this reason: once so many bytes have come, or at the event `retrying`. */
  cancel?: { at: number | 'retrying'; reason: string };
}

export interface Downloaded {
  asked: Asked[];
  /** All that was given on, in one. */
  bytes: Uint8Array;
  events: PullEvent[];
  ended: Outcome;
}

export async function downloadBlob({ answers, blob, firstWait, cancel }: Download): Promise<Downloaded> {
  const asked: Asked[] = [];
  const left = [...answers];
  const stop = new AbortController();
  const events: PullEvent[] = [];
  const options: DownloadOptions = {
    transport: scripted(
      () => left.shift() ?? { error: { kind: 'server', message: 'This request is one too many.' } },
      asked,
    ),
    firstWait,
    signal: stop.signal,
    onEvent: (event) => {
      events.push(structuredClone(event));
      if (event.type === 'retrying' && cancel?.at === 'retrying')
        setImmediate(() => stop.abort(new Error(cancel.reason)));
    },
  };
  const chunks: Uint8Array[] = [];
  let size = 0;
  const ended = await outcomeOf(async () => {
    for await (const chunk of plank.download(options, blob)) {
      // What is given on is used later: it may not change.
      chunks.push(new Uint8Array(chunk));
      size += chunk.length;
      if (typeof cancel?.at === 'number' && size >= cancel.at) stop.abort(new Error(cancel.reason));
    }
  });
  // A stream that is destroyed gives its body back a moment later.
  await new Promise(setImmediate);
  return { asked, bytes: Buffer.concat(chunks), events, ended };
}

export interface LargeDownload {
  chunk: Uint8Array;
  count: number;
  /** The connection breaks after so many chunks, unless it is all of them. */
  cut: number;
  blob: Download['blob'];
}

/** A blob of one chunk, many times. */
export async function downloadLarge({ chunk, count, cut, blob }: LargeDownload): Promise<Omit<Downloaded, 'bytes'>> {
  const chunks = Array.from({ length: count }, () => chunk);
  const place = `bytes ${cut * chunk.length}-${blob.size - 1}/${blob.size}`;
  const first: Answer = { chunks: chunks.slice(0, cut), tail: cut < count ? 'break' : 'end' };
  const rest: Answer = { status: 206, headers: { 'content-range': place }, chunks: chunks.slice(cut) };
  const asked: Asked[] = [];
  const events: PullEvent[] = [];
  const options: DownloadOptions = {
    transport: scripted(({ headers }) => (headers?.range === undefined ? first : rest), asked),
    firstWait: 1,
    signal: new AbortController().signal,
    onEvent: (event) => events.push(structuredClone(event)),
  };
  const ended = await outcomeOf(async () => {
    for await (const _ of plank.download(options, blob));
  });
  return { asked, events, ended };
}

// ---- whole pulls ----

export interface Pull {
  /** By path: `manifests/latest`, `manifests/sha256:…`, `blobs/sha256:…`. */
  answers: Record<string, Answer>;
  reference: string;
  platform: PullPlatform;
  concurrency: number;
  /** What the store has already, by digest. */
  stored?: Record<string, Uint8Array>;
  /** Use your own choosePlatform and download instead of the judge's plain ones. */
  isWhole?: boolean;
  /** The layer whose download fails once as many are on their way as may be; those then wait until they are aborted. */
  failing?: string;
  /** Abort with this reason once the first layer is on its way. */
  cancel?: string;
  /** The first layer ends only when one more has begun than may be on their way at the same time. */
  holdsFirst?: boolean;
}

export interface Pulled {
  asked: Asked[];
  /** In order: `document DIGEST`, `begin DIGEST`, `end DIGEST`, `failed DIGEST`, `over`; `kept DIGEST` if nothing aborted it. */
  log: string[];
  events: PullEvent[];
  ended: Outcome;
  /** The most layers that were on their way at the same time. */
  together: number;
  /** With `holdsFirst`: whether that one more has begun. */
  isRefilled: boolean;
}

/** Turns that a layer waits for what must come, each of some milliseconds; on a busy machine they are longer. */
const TURNS = 100;

/** Resolves when so many turns are over, or `isEnough` says so. */
async function turns(count: number, isEnough = () => false): Promise<void> {
  for (let turn = 0; turn < count && !isEnough(); turn++) await wait(20);
}

export async function pullImage(asked: Pull): Promise<Pulled> {
  const {
    answers,
    reference,
    platform,
    concurrency,
    stored = {},
    isWhole = false,
    failing,
    cancel,
    holdsFirst,
  } = asked;
  const requests: Asked[] = [];
  const log: string[] = [];
  const events: PullEvent[] = [];
  const stop = new AbortController();
  const meeting = new Meeting(concurrency);
  const store: PullStore = {
    findDocument: async (digest) => (Object.hasOwn(stored, digest) ? new Uint8Array(stored[digest]!) : undefined),
    putDocument: async (bytes, { digest, size }) => {
      if (digestOf(bytes) !== digest || bytes.length !== size)
        throw new Error(`What is stored as ${digest} has ${bytes.length} bytes and the digest ${digestOf(bytes)}.`);
      await new Promise(setImmediate);
      log.push(`document ${digest}`);
    },
    putLayer: async ({ digest, size }, download, signal) => {
      log.push(`begin ${digest}`);
      if (Object.hasOwn(stored, digest)) return 'present';
      const until = new AbortController();
      signal.addEventListener('abort', () => until.abort(signal.reason), { once: true });
      if (signal.aborted) until.abort(signal.reason);
      const isFirst = meeting.come();
      try {
        if (cancel !== undefined) stop.abort(new Error(cancel));
        const isTogether = cancel === undefined && (await meeting.complete());
        if (holdsFirst && isFirst && isTogether) await meeting.oneMore();
        if (failing === digest) throw failure('protocol', 'This layer is not what it should be.');
        if ((failing !== undefined && isTogether) || cancel !== undefined) {
          await turns(TURNS, () => until.signal.aborted);
          if (!until.signal.aborted) log.push(`kept ${digest}`);
          if (!until.signal.aborted) throw new Error('Its signal was not aborted.');
          until.signal.throwIfAborted();
        }
        const chunks: Uint8Array[] = [];
        for await (const chunk of download(until.signal)) chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        if (digestOf(bytes) !== digest || bytes.length !== size)
          throw new Error(`The layer ${digest} has other bytes.`);
        log.push(`end ${digest}`);
        return 'downloaded';
      } catch (error) {
        // A pull that does not wait for it is over by then.
        await wait(20);
        log.push(`failed ${digest}`);
        throw error;
      } finally {
        meeting.go();
      }
    },
  };
  const options: PullOptions = {
    transport: scripted(
      ({ path }) => answers[path] ?? { error: { kind: 'not-found', message: `There is no ${path}.` } },
      requests,
    ),
    store,
    reference,
    platform,
    concurrency,
    firstWait: 1,
    signal: stop.signal,
    onEvent: (event) => {
      events.push(structuredClone(event));
      if (event.type !== 'layers') return;
      const missing = event.layers.filter(({ digest }) => !Object.hasOwn(stored, digest));
      meeting.expect(new Set(missing.map(({ digest, diffId }) => `${digest} ${diffId}`)).size);
    },
  };
  const parts: PullParts = isWhole ? plank : plainParts;
  const ended = await outcomeOf(() => plank.pull(options, parts));
  log.push('over');
  // What goes on after the end is written down as well.
  await wait(failing === undefined ? 0 : 60);
  return { asked: requests, log, events, ended, together: meeting.most, isRefilled: meeting.isRefilled };
}

/** Layers that are on their way wait for each other, until as many are there as may be. */
class Meeting {
  most = 0;
  isRefilled = false;
  #begun = 0;
  #here = 0;
  #left = 0;
  #isAlone = false;
  readonly #concurrency: number;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  expect(layers: number): void {
    this.#left = layers;
  }

  /** @returns whether it is the first. */
  come(): boolean {
    this.#begun += 1;
    this.#here += 1;
    this.most = Math.max(this.most, this.#here);
    return this.#begun === 1;
  }

  go(): void {
    this.#here -= 1;
    this.#left -= 1;
  }

  /** Wait until more have begun than may be here at the same time, or none takes the place of one that has gone. */
  async oneMore(): Promise<void> {
    await turns(TURNS, () => this.#begun > this.#concurrency);
    this.isRefilled = this.#begun > this.#concurrency;
  }

  /** @returns whether as many have come as may. */
  async complete(): Promise<boolean> {
    const isComplete = () => this.#here >= Math.min(this.#concurrency, this.#left);
    await turns(TURNS, () => isComplete() || this.#isAlone);
    if (!isComplete()) this.#isAlone = true;
    // One more than may be would come now.
    await turns(1);
    return !this.#isAlone;
  }
}

/** What a pull needs at least, so that task 5 is judged for itself. */
const plainParts: PullParts = {
  choosePlatform: (manifests, { os, architecture }, step) => {
    const fits = manifests.find(
      ({ platform, annotations }) =>
        platform?.os === os && platform.architecture === architecture && annotations?.[PROOF] === undefined,
    );
    if (fits === undefined) throw new PullRefused('not-found', step, 'it has no image for this platform');
    return fits;
  },
  download: async function* ({ transport, signal }, { digest }) {
    const answer = await transport({ method: 'GET', path: `blobs/${digest}`, step: 'fetch a layer', signal });
    yield* answer.body;
  },
};

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
