/**
 * How the judge asks the plank `push`. The registry is the judge's, in another process: what your functions ask of the
 * transport, of the source and of each other travels there as a message, and the judge's reply comes back.
 */

import { setTimeout as wait } from 'node:timers/promises';
import type { BlobSteps, PushDescriptor, PushJob, PushSource, Upload } from '#contract/push';
import type { RegistryRequest, RegistryResponse, Transport } from '#contract/transport';
import * as yours from '#push';
import { push as wholePush } from '../../engine/registry/client/push-with-progress.ts';

/** What is told to the judge. Those with an `id` wait for a reply. */
export type Message =
  | RequestMessage
  /** A piece of the body of that request. */
  | { type: 'body'; id: number; of: number; bytes: Uint8Array }
  /** All of the body was sent. */
  | { type: 'sent'; id: number; of: number }
  /** The body of an answer is free: it was read or discarded. */
  | { type: 'discarded'; of: number }
  | { type: 'read'; digest: string; from: number; length: number }
  /** That many bytes were taken from the source by now. */
  | { type: 'taken'; digest: string; bytes: number }
  | { type: 'pause'; id: number; failures: number }
  /** A function was called that was handed over. */
  | { type: 'call'; id: number; name: string; blob: PushDescriptor; upload?: Upload }
  /** The signal that a call was given aborted while it was under way. */
  | { type: 'aborted'; of: number }
  /** A reply is owed, and nothing more comes until it is given. */
  | { type: 'quiet' }
  | { type: 'end'; outcome: Outcome };

interface RequestMessage {
  type: 'request';
  id: number;
  method: string;
  path: string;
  headers: Record<string, string>;
  scopes: string[];
  hasBody: boolean;
  hasSignal: boolean;
}

/** What the judge says. */
export type Reply =
  | { status: number; headers?: Record<string, string> }
  /** The connection breaks. */
  | { cut: true }
  /** Go on with the body, or with the next thing. */
  | { go: true }
  /** The body again, from its beginning: the transport has to send it once more. */
  | { again: true }
  /** What a function that was handed over returns. */
  | { value: unknown; upload?: Partial<Upload> }
  /** What it throws: a TransportError, if it has a kind. `upload` is what it has made of the upload before. */
  | { failure: Failure; upload?: Partial<Upload> };

export interface Failure {
  message: string;
  kind?: string;
  status?: number;
}

export interface Setup {
  call: keyof typeof yours | 'push';
  blob?: PushDescriptor;
  upload?: Upload;
  manifest?: PushDescriptor;
  tag?: string;
  concurrency?: number;
  chunkSize: number;
  /** By digest. */
  contents: Record<string, Uint8Array>;
  mounts?: string[];
  /** Bytes that the source gives at once. */
  piece?: number;
}

/** What came of a call. */
export interface Outcome {
  value?: unknown;
  threw?: { name: string; message: string; kind?: string; status?: number };
  /** The upload that went in, as it is afterwards. */
  upload?: Upload;
}

// ---- messages and replies ----

let told: Message[] = [];
let heard: (() => void) | undefined;
/** What is not an outcome but an end of everything: the function is not written yet. */
let unwritten: unknown;
/** Of the call that is under way. */
let isOver = true;
/** Messages and replies so far. */
let words = 0;
const waiting = new Map<number, (reply: Reply) => void>();
let count = 0;
let ends = new AbortController();

function tell(message: Message): void {
  words += 1;
  told.push(message);
  heard?.();
}

/** Turns of some milliseconds each, without a word, after which nothing more comes; on a busy machine they are longer. */
const QUIET_TURNS = 150;

/** Tell the judge, once for each silence, that everything waits for a reply of theirs. */
async function listenForSilence(): Promise<void> {
  const mine = ends;
  for (let [before, turns] = [words, 0]; ends === mine && !isOver; turns += 1) {
    await wait(20);
    if (words !== before || waiting.size === 0) [before, turns] = [words, 0];
    else if (turns >= QUIET_TURNS) {
      tell({ type: 'quiet' });
      [before, turns] = [words, Number.NEGATIVE_INFINITY];
    }
  }
}

type Asking<T = Message> = T extends { id: number } ? Omit<T, 'id'> : never;

function ask(message: Asking): Promise<Reply> & { id: number } {
  const id = ++count;
  const reply = new Promise<Reply>((resolve) => waiting.set(id, resolve));
  tell({ ...message, id } as Message);
  return Object.assign(reply, { id });
}

/** Wait for so many turns of some milliseconds each; on a busy machine they are longer. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await wait(20);
}

/** The client goes away: the signal of the job aborts. */
export function goAway(reason: string): void {
  ends.abort(new Error(reason));
}

// ---- what the functions are given ----

class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly kind: string | undefined;
  readonly status: number | undefined;

  constructor({ message, kind, status }: Failure) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

const KINDS: Record<number, string> = { 401: 'unauthorized', 403: 'denied', 404: 'not-found', 429: 'too-many' };

const transport: Transport = async ({
  method,
  path,
  headers = {},
  body,
  expect = [200],
  step,
  scopes = [],
  signal,
}) => {
  const failed = (kind: string, why: string, status?: number) =>
    new TransportError({ message: `cannot ${step}: ${why}`, kind, status });
  const gone = () => failed('cancelled', 'it is not wanted any more');
  if (signal?.aborted) throw gone();
  const names = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  const hasBody = body !== undefined;
  const hasSignal = signal !== undefined;
  const request = ask({
    type: 'request',
    method,
    path,
    headers: Object.fromEntries(names),
    scopes,
    hasBody,
    hasSignal,
  });
  const of = request.id;
  const ended = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(gone())));
  ended.catch(() => {});
  const next = async (asked: Promise<Reply>): Promise<Reply> => {
    const answer = await Promise.race([asked, ended]);
    if ('cut' in answer) throw failed('unreachable', 'the connection broke');
    return answer;
  };
  let answer = await next(request);
  for (; !('status' in answer); ) {
    // The pieces of a body one after the other, as a connection takes them.
    for await (const bytes of piecesOf(body, `${method} ${path}`)) {
      answer = await next(ask({ type: 'body', of, bytes }));
      if ('status' in answer) break;
    }
    if (!('status' in answer)) answer = await next(ask({ type: 'sent', of }));
  }
  const { status } = answer;
  if (!expect.includes(status)) {
    // A transport discards itself what it does not hand out.
    tell({ type: 'discarded', of });
    const kind = KINDS[status] ?? (status >= 500 ? 'server' : 'protocol');
    throw failed(kind, `unexpected status ${status}`, status);
  }
  return answerOf(of, status, answer.headers ?? {});
};

/** A real connection takes no more at once. */
const PIECE_MOST = 128 * 1024;

async function* piecesOf(body: RegistryRequest['body'], what: string): AsyncGenerator<Uint8Array> {
  if (body === undefined) return;
  for await (const chunk of typeof body === 'function' ? body() : [body]) {
    if (!(chunk instanceof Uint8Array))
      throw new TypeError(`The body of ${what} should give Uint8Arrays, and it gave ${String(chunk).slice(0, 80)}.`);
    for (let at = 0; at < chunk.length; at += PIECE_MOST) yield chunk.subarray(at, at + PIECE_MOST);
  }
}

function answerOf(of: number, status: number, given: Record<string, string>): RegistryResponse {
  const headers = Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
  const free = () => tell({ type: 'discarded', of });
  async function* body(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(0);
    free();
  }
  return { status, headers, body: body(), discard: async () => free() };
}

function sourceOf({ contents, mounts = [], piece = 4096 }: Setup): PushSource {
  const bytesOf = (digest: string) => {
    const bytes = contents[digest];
    if (bytes === undefined) throw new Error(`the source does not have ${digest}`);
    return bytes;
  };
  return {
    document: async (digest) => bytesOf(digest),
    mounts: () => [...mounts],
    read: async function* (digest, from, length) {
      tell({ type: 'read', digest, from, length });
      const all = bytesOf(digest).subarray(from, from + length);
      if (all.length < length) throw new Error(`${digest} has no ${length} bytes from byte ${from} on`);
      for (let at = 0; at < all.length; at += piece) {
        tell({ type: 'taken', digest, bytes: from + Math.min(at + piece, all.length) });
        yield all.subarray(at, at + piece);
      }
    },
  };
}

/** A function of the judge's. @param upload which it may change. */
async function judges(name: string, blob: PushDescriptor, upload?: Upload, signal?: AbortSignal): Promise<unknown> {
  const asked = ask({ type: 'call', name, blob, ...(upload && { upload: { ...upload } }) });
  const abort = () => tell({ type: 'aborted', of: asked.id });
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort);
  const answer = await asked;
  signal?.removeEventListener('abort', abort);
  if (upload && 'upload' in answer) Object.assign(upload, answer.upload);
  if ('failure' in answer) throw new TransportError(answer.failure);
  return (answer as { value: unknown }).value;
}

/** The upload that went in is the judge's to know, so what is not said to be other is as it was. */
const judgesSteps: BlobSteps = {
  beginUpload: (_, blob) => judges('beginUpload', blob) as ReturnType<BlobSteps['beginUpload']>,
  sendBytes: (_, blob, upload) => judges('sendBytes', blob, upload) as Promise<void>,
  resumeUpload: async (_, blob, upload) => {
    const changed = (await judges('resumeUpload', blob, upload)) as Partial<Upload> | undefined;
    return changed === undefined ? undefined : { ...upload, ...changed };
  },
};

// ---- calls ----

/** Call one function of the plank; `push` is a whole push, by the engine, with your functions in it. */
async function outcomeOf(setup: Setup): Promise<Outcome> {
  const { blob, manifest, chunkSize } = setup;
  const upload = setup.upload && { ...setup.upload };
  const after = () => (upload ? { upload } : {});
  const job: PushJob = {
    transport,
    source: sourceOf(setup),
    chunkSize,
    signal: ends.signal,
    pause: async (failures) => {
      await ask({ type: 'pause', failures });
      ends.signal.throwIfAborted();
    },
  };
  const { tag, concurrency = 3 } = setup;
  const { signal } = job;
  const calls: Record<Setup['call'], () => Promise<unknown>> = {
    beginUpload: () => yours.beginUpload(job, blob!),
    sendBytes: () => yours.sendBytes(job, blob!, upload!),
    resumeUpload: () => yours.resumeUpload(job, blob!, upload!),
    pushBlob: () => yours.pushBlob(job, blob!, judgesSteps),
    pushManifest: () =>
      yours.pushManifest(job, manifest!, { tag, concurrency }, async (each, until) => {
        await judges('push', each, undefined, until);
      }),
    push: () => wholePush({ ...job, manifest: manifest!, tag, concurrency, signal, retryDelay: 1 }),
  };
  try {
    return { value: await calls[setup.call](), ...after() };
  } catch (error) {
    const { name, message, kind, status } = Object(error) as Error & { kind?: string; status?: number };
    // "Not written yet" is something else than a wrong answer.
    if (name === 'NotImplemented') throw error;
    return { threw: { name, message, kind, status }, ...after() };
  }
}

async function start(setup: Setup): Promise<void> {
  [told, unwritten, ends, isOver] = [[], undefined, new AbortController(), false];
  waiting.clear();
  void listenForSilence();
  try {
    const outcome = await outcomeOf(setup);
    isOver = true;
    tell({ type: 'end', outcome });
  } catch (error) {
    [unwritten, isOver] = [error, true];
    heard?.();
  }
}

/** One turn of the conversation: what the judge says, and the messages that have come since the last time, at least one. */
export interface Turn {
  /** Begin this call. */
  setup?: Setup;
  replies?: Replies;
}

type Replies = [id: number, reply: Reply][];

async function talk({ setup, replies = [] }: Turn): Promise<Message[]> {
  if (setup) void start(setup);
  hear(replies);
  if (told.length === 0 && unwritten === undefined)
    await new Promise<void>((resolve) => {
      heard = resolve;
    });
  if (unwritten !== undefined) throw unwritten;
  const all = told;
  [told, heard] = [[], undefined];
  return all;
}

function hear(replies: Replies): void {
  for (const [id, each] of replies) {
    words += 1;
    waiting.get(id)?.(each);
    waiting.delete(id);
  }
}

// The judge gives up a name that hung twice. So each function has names of its own, and one that hangs costs no other's points.
export const talkOfBeginUpload = (turn: Turn) => talk(turn);
export const talkOfSendBytes = (turn: Turn) => talk(turn);
export const talkOfResumeUpload = (turn: Turn) => talk(turn);
export const talkOfPushBlob = (turn: Turn) => talk(turn);
export const talkOfPushManifest = (turn: Turn) => talk(turn);
export const talkOfPush = (turn: Turn) => talk(turn);

/** Replies that come while a turn waits for messages. */
export const lateOfBeginUpload = (replies: Replies) => hear(replies);
export const lateOfSendBytes = (replies: Replies) => hear(replies);
export const lateOfResumeUpload = (replies: Replies) => hear(replies);
export const lateOfPushBlob = (replies: Replies) => hear(replies);
export const lateOfPushManifest = (replies: Replies) => hear(replies);
export const lateOfPush = (replies: Replies) => hear(replies);
