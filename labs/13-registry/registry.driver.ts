/** How the judge hands requests to the plank `registry`. What is stored it looks at from outside, in the store's files. */

import type {
  Action,
  ErrorCode,
  NewManifest,
  RegistryPlank,
  RegistryResponse,
  RegistryStore,
  Upload,
} from '#contract/registry';
import { RequestRefused } from '#contract/registry';
import * as plank from '#registry';
import { PlainStore } from './plain-store.ts';

const { answer } = plank satisfies RegistryPlank;

/** A request as the judge describes it. */
export interface Question {
  method: string;
  target: string;
  headers?: Record<string, string>;
  /** The body, piece by piece. `blanks` are so many blanks, in pieces of 64 KiB. */
  body?: (Uint8Array | { blanks: number })[];
  /** What comes after the last piece; the end if absent. `forever`: the same piece again and again. */
  after?: 'end' | 'break' | 'forever';
  /** What `permit` refuses, as `ACTION REPOSITORY`, or all of it; nothing if absent. */
  deny?: string[] | 'everything';
  refusal?: { status: number; code: string; message: string; detail?: unknown; headers?: Record<string, string> };
  /** What begins with `calls` fails with this code, like a disk that is broken: `store`, `permit`, `permit pull NAME`. */
  failure?: { code: string; calls: string };
}

export interface Answered {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: Uint8Array;
  /** In their order: `permit pull NAME` when it was granted, `store blobSize NAME` for a call of the store. */
  calls: string[];
  /** What the store was given although it is not a name, a tag, a digest or an id. */
  strange: string[];
  /** How many pieces of the body were asked for. */
  asked: number;
}

const stores = new Map<string, PlainStore>();

function storeAt(root: string): PlainStore {
  const store = stores.get(root) ?? new PlainStore(root);
  stores.set(root, store);
  return store;
}

async function ask(root: string, question: Question): Promise<Answered> {
  const { method, target, headers = {}, deny = [], refusal } = question;
  const calls: string[] = [];
  const strange: string[] = [];
  let asked = 0;
  const failIf = (call: string) => {
    const { failure } = question;
    if (failure !== undefined && call.startsWith(failure.calls))
      throw Object.assign(new Error(`${failure.code}: the disk is broken`), { code: failure.code });
  };

  async function* body(): AsyncGenerator<Uint8Array> {
    const { body: given = [], after = 'end' } = question;
    const pieces = given.flatMap((each) => (each instanceof Uint8Array ? [each] : blanks(each.blanks)));
    for (const piece of pieces) {
      await soon();
      asked += 1;
      yield piece;
    }
    for (; after === 'forever'; asked += 1) {
      if (asked > MOST_PIECES) throw new Error(`The body has no end, and ${asked} pieces of it were read.`);
      await soon();
      yield pieces.at(-1)!;
    }
    if (after === 'break') throw Object.assign(new Error('the client went away'), { code: 'ECONNRESET' });
  }

  async function permit(action: Action, repository: string): Promise<void> {
    await soon();
    const asks = `${action} ${repository}`.trim();
    failIf(`permit ${asks}`);
    if (deny === 'everything' || deny.includes(asks)) {
      const { status, code, message, ...more } = refusal ?? { status: 403, code: 'DENIED', message: 'not for you' };
      throw new RequestRefused(status, code as ErrorCode, message, more);
    }
    calls.push(`permit ${asks}`);
  }

  const store = watched(storeAt(root), (call, complaints) => {
    calls.push(`store ${call}`);
    strange.push(...complaints);
    failIf(`store ${call}`);
  });
  const response = await answer({ method, target, headers, body: body(), permit }, store);
  if (typeof response?.status !== 'number' || typeof response.headers !== 'object')
    throw new Error('answer() should resolve to an object with a status and headers.');
  const content = method === 'HEAD' ? new Uint8Array() : await bytesOf(response.body);
  return { status: response.status, headers: lowerCase(response.headers), body: content, calls, strange, asked };
}

// A function that does not return is given up after some calls: one for each task, so that the tasks stay apart.
export const ask1 = ask;
export const ask2 = ask;
export const ask3 = ask;
export const ask4 = ask;
export const ask5 = ask;
export const ask6 = ask;

/** Two requests that are under way at the same time. */
export async function askBoth(root: string, one: Question, other: Question): Promise<Answered[]> {
  return await Promise.all([ask(root, one), ask(root, other)]);
}

/** Of a body without end: far more than a manifest may have. */
const MOST_PIECES = 1000;

function blanks(count: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let left = count; left > 0; left -= PIECE) pieces.push(Buffer.alloc(Math.min(left, PIECE), ' '));
  return pieces;
}

/** Bytes. */
const PIECE = 65_536;

/** As a network does, after everything that can go on by itself. */
function soon(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function bytesOf(body: RegistryResponse['body']): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array();
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body);
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

function lowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), `${value}`]));
}

// ---- what a store may be given ----

const COMPONENT = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;

const grammar = {
  repository: (text: string) => text.length <= 255 && text.split('/').every((part) => COMPONENT.test(part)),
  digest: (text: string) => /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(text),
  tag: (text: string) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(text),
  id: (text: string) => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text),
  reference: (text: string) => grammar.digest(text) || grammar.tag(text),
};

type Part = keyof typeof grammar;

/** What the first arguments of each function are. */
const takes: Record<keyof RegistryStore, Part[]> = {
  repositories: [],
  hasRepository: ['repository'],
  blobSize: ['repository', 'digest'],
  readBlob: ['digest'],
  mountBlob: ['digest', 'repository', 'repository'],
  deleteBlob: ['repository', 'digest'],
  beginUpload: ['repository'],
  uploadSize: ['repository', 'id'],
  withUpload: ['repository', 'id'],
  manifest: ['repository', 'reference'],
  putManifest: ['repository'],
  deleteManifest: ['repository', 'digest'],
  deleteTag: ['repository', 'tag'],
  tags: ['repository'],
  referrers: ['repository', 'digest'],
};

/** @param call the name of the function, and of the repositories that it was given. */
type Note = (call: string, complaints: string[]) => void;

/** The same store; `note` hears of each call before it is made. */
function watched(store: RegistryStore, note: Note): RegistryStore {
  return new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name) as unknown;
      const parts = takes[name as keyof RegistryStore];
      if (typeof member !== 'function' || parts === undefined) return member;
      return (...args: unknown[]) => {
        const given = parts.map((part, at): [Part, unknown] => [part, args[at]]);
        if (name === 'putManifest') given.push(...partsOf(args[1] as NewManifest));
        const repositories = given.filter(([part]) => part === 'repository').map(([, text]) => `${text}`);
        note([String(name), ...repositories].join(' '), complaintsOf(String(name), given));
        const answered = member.apply(
          target,
          name === 'withUpload' ? [...args.slice(0, 2), watchedUse(args[2], note)] : args,
        );
        return answered;
      };
    },
  });
}

function partsOf({ digest, tags, needs, subject }: NewManifest): [Part, unknown][] {
  return [
    ['digest', digest],
    ...tags.map((tag): [Part, unknown] => ['tag', tag]),
    ...needs.map((need): [Part, unknown] => ['digest', need.digest]),
    ...(subject === undefined ? [] : [['digest', subject.digest] as [Part, unknown]]),
  ];
}

function complaintsOf(name: string, given: [Part, unknown][]): string[] {
  return given
    .filter(([part, text]) => typeof text !== 'string' || !grammar[part](text))
    .map(([part, text]) => `${name} was given ${JSON.stringify(text)} as a ${part}`);
}

function watchedUse(use: unknown, note: Note): unknown {
  return (upload: Upload) =>
    (use as (upload: Upload) => unknown)({
      get size() {
        return upload.size;
      },
      append: (chunk) => upload.append(chunk),
      finish: (digest) => {
        note('finish', complaintsOf('finish', [['digest', digest]]));
        return upload.finish(digest);
      },
      cancel: () => upload.cancel(),
    } satisfies Upload);
}

// ---- what is in a store before the plank is asked ----

/** @returns the digest. */
export async function placeBlob(root: string, repository: string, content: Uint8Array, digest: string): Promise<void> {
  const store = storeAt(root);
  const id = store.beginUpload(repository, 'sha256');
  await store.withUpload(repository, id, async (upload) => {
    upload.append(content);
    if (!(await upload.finish(digest))) throw new Error(`${digest} is not the digest of the judge's own blob.`);
  });
}

export async function placeManifest(root: string, repository: string, manifest: NewManifest): Promise<void> {
  const missing = await storeAt(root).putManifest(repository, manifest);
  if (missing.length > 0) throw new Error(`The judge's own manifest needs ${missing.map(({ digest }) => digest)}.`);
}

/** An upload that has begun. @returns its id. */
export async function placeUpload(root: string, repository: string, content: Uint8Array): Promise<string> {
  const store = storeAt(root);
  const id = store.beginUpload(repository, 'sha256');
  await store.withUpload(repository, id, async (upload) => upload.append(content));
  return id;
}
