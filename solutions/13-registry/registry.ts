/** Lab `registry`: what a registry answers. OCI distribution-spec 1.1. */

import { createHash } from 'node:crypto';
import {
  type ErrorCode,
  type Needed,
  type RegistryRequest,
  type RegistryResponse,
  type RegistryStore,
  RequestRefused,
  type Upload,
} from '#contract/registry';

const MANIFEST_SIZE_MAX = 4 * 1024 * 1024;

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** One request, taken apart. */
interface Call extends RegistryRequest {
  store: RegistryStore;
  name: string;
  /** What the path ends in: a digest, a tag or an upload's id. */
  last: string;
  query: URLSearchParams;
}

type Handler = (call: Call) => Promise<RegistryResponse>;

/* Task 1 */

const endpoints: [RegExp, Record<string, Handler>][] = [
  [/^\/v2\/?$/, { GET: support }],
  [/^\/v2\/_catalog$/, { GET: catalog }],
  [/^\/v2\/(.+)\/tags\/list$/, { GET: tagList }],
  [/^\/v2\/(.+)\/blobs\/uploads\/?$/, { POST: begin }],
  [/^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/, { GET: progress, PATCH: chunk, PUT: end, DELETE: cancel }],
  [/^\/v2\/(.+)\/blobs\/([^/]+)$/, { GET: blob, DELETE: deleteBlob }],
  [/^\/v2\/(.+)\/manifests\/([^/]+)$/, { GET: manifest, PUT: putManifest, DELETE: deleteManifest }],
];

export async function answer(request: RegistryRequest, store: RegistryStore): Promise<RegistryResponse> {
  try {
    const [handler, call] = route(request, store);
    return await handler(call);
  } catch (error) {
    if (!(error instanceof RequestRefused)) throw error;
    const { status, code, message, detail, headers } = error;
    return json(status, { errors: [{ code, message, detail }] }, headers);
  }
}

function route(request: RegistryRequest, store: RegistryStore): [Handler, Call] {
  const [encoded = '', query = ''] = request.target.split(/\?(.*)/s);
  const path = decoded(encoded);
  for (const [pattern, methods] of endpoints) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const [, name, last = ''] = match;
    const handler = methods[request.method === 'HEAD' ? 'GET' : request.method];
    if (handler === undefined) {
      const allow = Object.keys(methods).join(', ').replace('GET', 'GET, HEAD');
      throw refusal(405, 'UNSUPPORTED', `this endpoint takes ${allow}`, { headers: { allow } });
    }
    if (name !== undefined) requireName(name);
    return [handler, { ...request, store, name: name ?? '', last, query: new URLSearchParams(query) }];
  }
  throw refusal(404, 'UNSUPPORTED', 'there is no such endpoint');
}

async function support({ permit }: Call): Promise<RegistryResponse> {
  await permit('ping', '');
  return json(200, {});
}

/* Task 2 */

async function blob({ store, name, last, headers, permit }: Call): Promise<RegistryResponse> {
  await permit('pull', name);
  const digest = requireDigest(last);
  const size = store.blobSize(name, digest);
  if (size === undefined) throw noBlob(name, digest);
  const about = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
  };
  const range = rangeOf(`${headers.range ?? ''}`, size);
  if (range === 'outside')
    throw refusal(416, 'SIZE_INVALID', `the blob has ${size} bytes`, {
      headers: { 'content-range': `bytes */${size}` },
    });
  const [start, end] = range ?? [0, size];
  const body = store.readBlob(digest, start, end);
  const length = { ...about, 'content-length': `${end - start}` };
  if (range === undefined) return { status: 200, headers: length, body };
  return { status: 206, headers: { ...length, 'content-range': `bytes ${start}-${end - 1}/${size}` }, body };
}

/** From the first byte up to the one before the last; undefined for the whole. */
function rangeOf(header: string, size: number): [number, number] | 'outside' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') return Number(last) > 0 && size > 0 ? [Math.max(0, size - Number(last)), size] : 'outside';
  if (last !== '' && Number(last) < Number(first)) return undefined;
  if (Number(first) >= size) return 'outside';
  return [Number(first), last === '' ? size : Math.min(size, Number(last) + 1)];
}

async function deleteBlob({ store, name, last, permit }: Call): Promise<RegistryResponse> {
  await permit('delete', name);
  const digest = requireDigest(last);
  if (!store.deleteBlob(name, digest)) throw noBlob(name, digest);
  return { status: 202, headers: { 'content-length': '0' } };
}

/* Task 3 */

async function begin(call: Call): Promise<RegistryResponse> {
  const { store, name, query, permit } = call;
  await permit('push', name);
  const [mount, from, digest] = ['mount', 'from', 'digest'].map((key) => query.get(key));
  if (mount && from && (await mounted(call, requireDigest(mount), from))) return created(name, mount);
  if (digest) requireDigest(digest);
  const id = store.beginUpload(name, 'sha256');
  if (!digest) return accepted(name, id, 0);
  return await withUpload({ ...call, last: id }, async (upload) => {
    try {
      await receive(call, upload);
    } catch (error) {
      // The client has not been told the id: it cannot go on.
      upload.cancel();
      throw error;
    }
    return await finish(upload, name, digest);
  });
}

/** A client that may not read the other repository learns as much as if it had no such blob. */
async function mounted({ store, name, permit }: Call, digest: string, from: string): Promise<boolean> {
  requireName(from);
  try {
    await permit('pull', from);
  } catch (error) {
    if (error instanceof RequestRefused) return false;
    throw error;
  }
  return store.mountBlob(digest, from, name);
}

async function progress({ store, name, last, permit }: Call): Promise<RegistryResponse> {
  await permit('push', name);
  const size = UUID.test(last) ? store.uploadSize(name, last) : undefined;
  if (size === undefined) throw noUpload();
  return { ...accepted(name, last, size), status: 204 };
}

async function chunk(call: Call): Promise<RegistryResponse> {
  await call.permit('push', call.name);
  return await withUpload(call, async (upload) => {
    await receive(call, upload);
    return accepted(call.name, call.last, upload.size);
  });
}

async function end(call: Call): Promise<RegistryResponse> {
  await call.permit('push', call.name);
  const digest = requireDigest(call.query.get('digest') ?? '');
  return await withUpload(call, async (upload) => {
    await receive(call, upload);
    return await finish(upload, call.name, digest);
  });
}

async function cancel(call: Call): Promise<RegistryResponse> {
  await call.permit('push', call.name);
  return await withUpload(call, async (upload) => {
    upload.cancel();
    return { status: 204, headers: {} };
  });
}

async function withUpload(
  { store, name, last }: Call,
  use: (upload: Upload) => Promise<RegistryResponse>,
): Promise<RegistryResponse> {
  const response = UUID.test(last) ? await store.withUpload(name, last, use) : undefined;
  if (response === undefined) throw noUpload();
  return response;
}

async function receive({ headers, body, name, last }: Call, upload: Upload): Promise<void> {
  const range = headers['content-range'];
  const first = range === undefined ? `${upload.size}` : /^(\d+)-\d+$/.exec(`${range}`)?.[1];
  if (first === undefined) throw refusal(400, 'BLOB_UPLOAD_INVALID', 'Content-Range must be FIRST-LAST');
  if (Number(first) !== upload.size)
    throw refusal(416, 'BLOB_UPLOAD_INVALID', `the next chunk begins at ${upload.size}`, {
      headers: accepted(name, last, upload.size).headers,
    });
  for await (const piece of body) upload.append(piece);
}

async function finish(upload: Upload, name: string, digest: string): Promise<RegistryResponse> {
  if (await upload.finish(digest)) return created(name, digest);
  throw refusal(400, 'DIGEST_INVALID', `the bytes that came do not have the digest ${digest}`);
}

/* Task 4 */

async function manifest({ store, name, last, permit }: Call): Promise<RegistryResponse> {
  await permit('pull', name);
  const found = store.manifest(name, requireReference(last));
  if (found === undefined) throw noManifest(store, name, last);
  const { digest, mediaType, bytes } = found;
  const headers = {
    'content-type': mediaType,
    'docker-content-digest': digest,
    'content-length': `${bytes.length}`,
  };
  return { status: 200, headers, body: bytes };
}

async function putManifest({ store, name, last, headers, body, permit }: Call): Promise<RegistryResponse> {
  await permit('push', name);
  const reference = requireReference(last);
  const bytes = await wholeBody(body);
  const digest = digestOf(bytes);
  const tags = reference.includes(':') ? [] : [reference];
  if (tags.length === 0 && reference !== digest)
    throw refusal(400, 'DIGEST_INVALID', `the manifest has the digest ${digest}`);
  const { mediaType, needs } = readManifest(bytes, `${headers['content-type'] ?? ''}`);
  const missing = await store.putManifest(name, { digest, mediaType, bytes, needs, tags });
  if (missing.length > 0)
    throw refusal(404, 'MANIFEST_BLOB_UNKNOWN', 'parts of it are missing: push them first', { detail: missing });
  return {
    status: 201,
    headers: {
      location: `/v2/${name}/manifests/${reference}`,
      'docker-content-digest': digest,
      'content-length': '0',
    },
  };
}

async function wholeBody(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > MANIFEST_SIZE_MAX) throw refusal(413, 'SIZE_INVALID', `at most ${MANIFEST_SIZE_MAX} bytes are taken`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** @throws RequestRefused MANIFEST_INVALID */
function readManifest(bytes: Buffer, contentType: string): { mediaType: string; needs: Needed[] } {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString());
  } catch {
    throw invalid('it is not JSON');
  }
  if (!isObject(document)) throw invalid('it is not an object');
  const { config, layers, manifests } = document;
  const [declared = ''] = contentType.split(/\s*;/);
  const mediaType = document.mediaType ?? declared;
  if (typeof mediaType !== 'string' || mediaType === '') throw invalid('it does not say what it is');
  if (declared !== '' && declared !== mediaType) throw invalid('Content-Type and mediaType differ');
  if (manifests !== undefined && (config !== undefined || layers !== undefined))
    throw invalid('it is a manifest and an index');
  if (manifests === undefined && config === undefined) throw invalid('it is neither a manifest nor an index');
  const needs = [
    ...(config === undefined ? [] : [part(config, 'blob')]),
    ...listOf(layers).map((each) => part(each, 'blob')),
    ...listOf(manifests).map((each) => part(each, 'manifest')),
  ];
  return { mediaType, needs };
}

function part(value: unknown, kind: Needed['kind']): Needed {
  const { digest, size } = isObject(value) ? value : {};
  if (typeof digest !== 'string' || !DIGEST.test(digest)) throw invalid('a descriptor has no digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid('a descriptor has no size');
  return { digest, size, kind };
}

function listOf(value: unknown): unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid('what should be a list is not one');
  return value;
}

async function deleteManifest({ store, name, last, permit }: Call): Promise<RegistryResponse> {
  await permit('delete', name);
  const isDigest = requireReference(last).includes(':');
  if (!(isDigest ? store.deleteManifest(name, last) : store.deleteTag(name, last))) throw noManifest(store, name, last);
  return { status: 202, headers: { 'content-length': '0' } };
}

/* Task 5 */

async function tagList({ store, name, query, permit }: Call): Promise<RegistryResponse> {
  await permit('pull', name);
  if (!store.hasRepository(name)) throw noRepository(name);
  const [tags, headers] = page(store.tags(name), query, `/v2/${name}/tags/list`);
  return json(200, { name, tags }, headers);
}

async function catalog({ store, query, permit }: Call): Promise<RegistryResponse> {
  await permit('catalog', '');
  const [repositories, headers] = page(store.repositories(), query, '/v2/_catalog');
  return json(200, { repositories }, headers);
}

function page(all: string[], query: URLSearchParams, path: string): [string[], Record<string, string>] {
  const n = query.get('n');
  if (n !== null && !/^\d+$/.test(n)) throw refusal(400, 'UNSUPPORTED', 'n must be a number');
  const rest = all.filter((each) => each > (query.get('last') ?? ''));
  const some = rest.slice(0, n === null ? undefined : Number(n));
  if (some.length === 0 || some.length === rest.length) return [some, {}];
  return [some, { link: `<${path}?n=${n}&last=${encodeURIComponent(some.at(-1)!)}>; rel="next"` }];
}

/* Answers and refusals */

function json(status: number, value: unknown, headers: Record<string, string> = {}): RegistryResponse {
  const body = Buffer.from(JSON.stringify(value));
  return {
    status,
    headers: { 'content-type': 'application/json', 'content-length': `${body.length}`, ...headers },
    body,
  };
}

function created(name: string, digest: string): RegistryResponse {
  const location = `/v2/${name}/blobs/${digest}`;
  return { status: 201, headers: { location, 'docker-content-digest': digest, 'content-length': '0' } };
}

function accepted(name: string, id: string, size: number): RegistryResponse {
  const location = `/v2/${name}/blobs/uploads/${id}`;
  return { status: 202, headers: { location, range: `0-${Math.max(0, size - 1)}` } };
}

function refusal(
  status: number,
  code: ErrorCode,
  message: string,
  more: { detail?: unknown; headers?: Record<string, string> } = {},
): RequestRefused {
  return new RequestRefused(status, code, message, more);
}

const invalid = (why: string) => refusal(400, 'MANIFEST_INVALID', `the manifest is refused: ${why}`);
const noBlob = (name: string, digest: string) => refusal(404, 'BLOB_UNKNOWN', `${name} has no blob ${digest}`);
const noUpload = () => refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload: begin a new one');
const noRepository = (name: string) => refusal(404, 'NAME_UNKNOWN', `there is no repository ${name}`);

function noManifest(store: RegistryStore, name: string, reference: string): RequestRefused {
  if (!store.hasRepository(name)) return noRepository(name);
  return refusal(404, 'MANIFEST_UNKNOWN', `${name} has no manifest ${reference}`);
}

/* Names */

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw refusal(400, 'NAME_INVALID', 'the path cannot be decoded');
  }
}

function requireName(name: string): void {
  if (name.length > 255 || !name.split('/').every((component) => COMPONENT.test(component)))
    throw refusal(400, 'NAME_INVALID', 'this is not the name of a repository');
}

function requireDigest(text: string): string {
  if (!DIGEST.test(text)) throw refusal(400, 'DIGEST_INVALID', 'a digest is sha256: and 64 digits of 0-9 and a-f');
  return text;
}

/** A digest has a colon, which no tag has. */
function requireReference(text: string): string {
  if (text.includes(':')) return requireDigest(text);
  if (!TAG.test(text)) throw refusal(400, 'MANIFEST_INVALID', 'this is neither a tag nor a digest');
  return text;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
