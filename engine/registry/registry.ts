/** What a registry answers. OCI distribution-spec 1.1; the sections are named where they apply. */

import {
  type Referrer,
  type RegistryRequest,
  type RegistryResponse,
  type RegistryStore,
  RequestRefused,
  type Upload,
} from '#contract/registry';
import {
  accepted,
  content,
  created,
  empty,
  invalidUpload,
  json,
  missingParts,
  notInRange,
  outOfOrder,
  unknownBlob,
  unknownManifest,
  unknownName,
  unknownUpload,
} from './server/answers.ts';
import { accepts, isKnown, rangeOf, unlessChanged } from './server/headers.ts';
import { INDEX, readManifest } from './server/manifest-document.ts';
import {
  ALGORITHMS,
  clip,
  decoded,
  digestOf,
  invalidDigest,
  isDigest,
  isUuid,
  requireDigest,
  requireName,
  requireReference,
  requireTag,
} from './server/names.ts';
import { linkTo, pageOf } from './server/pages.ts';

/** Bytes. "Pushing Manifests": at least 4 megabytes should be supported. */
const MANIFEST_SIZE_MAX = 4 * 1024 * 1024;
const REFERRERS_BYTES_MAX = MANIFEST_SIZE_MAX - 1024;
/** A client may push a manifest under so many tags at once. */
const TAGS_MAX = 100;

/** One request, read: who may do it is asked before anything else. */
interface Call extends RegistryRequest {
  store: RegistryStore;
  name: string;
  /** A digest, a tag or an upload's id, whichever the path ends in. */
  reference: string;
  query: URLSearchParams;
}

type Handler = (call: Call) => Promise<RegistryResponse> | RegistryResponse;

/** "Endpoints" */
const ROUTES: [path: RegExp, methods: Record<string, Handler>][] = [
  [/^\/v2\/?$/, { GET: support }],
  [/^\/v2\/_catalog$/, { GET: listRepositories }],
  [/^\/v2\/(.+)\/tags\/list$/, { GET: listTags }],
  [/^\/v2\/(.+)\/blobs\/uploads\/?$/, { POST: beginUpload }],
  [
    /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/,
    { GET: uploadStatus, PATCH: uploadChunk, PUT: endUpload, DELETE: cancelUpload },
  ],
  [/^\/v2\/(.+)\/blobs\/([^/]+)$/, { GET: getBlob, DELETE: deleteBlob }],
  [/^\/v2\/(.+)\/manifests\/([^/]+)$/, { GET: getManifest, PUT: putManifest, DELETE: deleteManifest }],
  [/^\/v2\/(.+)\/referrers\/([^/]+)$/, { GET: listReferrers }],
];

export async function answer(request: RegistryRequest, store: RegistryStore): Promise<RegistryResponse> {
  try {
    return await route(request, store);
  } catch (error) {
    if (!(error instanceof RequestRefused)) throw error;
    const { status, code, message, detail, headers } = error;
    return json(status, { errors: [{ code, message, ...(detail !== undefined && { detail }) }] }, headers);
  }
}

async function route(request: RegistryRequest, store: RegistryStore): Promise<RegistryResponse> {
  const mark = `${request.target}?`.indexOf('?');
  const path = decoded(request.target.slice(0, mark));
  for (const [pattern, methods] of ROUTES) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const [, name = '', reference = ''] = match;
    const handler = methods[request.method === 'HEAD' ? 'GET' : request.method];
    if (handler === undefined) {
      const allowed = Object.keys(methods).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
      throw new RequestRefused(405, 'UNSUPPORTED', `${clip(path)} takes ${allowed.join(', ')}, not ${request.method}`, {
        headers: { allow: allowed.join(', ') },
      });
    }
    if (match[1] !== undefined) requireName(name);
    const query = new URLSearchParams(request.target.slice(mark));
    return await handler({ ...request, store, name, reference, query });
  }
  throw new RequestRefused(404, 'UNSUPPORTED', `There is no endpoint ${clip(path)}. The API begins at /v2/.`);
}

/** "Determining Support" */
async function support(call: Call): Promise<RegistryResponse> {
  await call.permit('ping', '');
  return json(200, {});
}

/* Blobs */

/** "Pulling blobs" and "Checking if content exists in the registry" */
async function getBlob({ store, name, reference, headers, permit }: Call): Promise<RegistryResponse> {
  await permit('pull', name);
  const digest = requireDigest(reference);
  const size = store.blobSize(name, digest);
  if (size === undefined) throw unknownBlob(name, digest);
  const about = {
    ...content(digest),
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'cache-control': 'max-age=31536000',
  };
  if (isKnown(headers, digest)) return { status: 304, headers: about };
  const range = unlessChanged(headers, digest) ? rangeOf(`${headers.range ?? ''}`, size) : undefined;
  if (range === 'unsatisfiable') throw notInRange(digest, size, `${headers.range}`);
  const [start, end] = range ?? [0, size];
  const body = store.readBlob(digest, start, end);
  const length = { 'content-length': `${end - start}` };
  if (range === undefined) return { status: 200, headers: { ...about, ...length }, body };
  return { status: 206, headers: { ...about, ...length, 'content-range': `bytes ${start}-${end - 1}/${size}` }, body };
}

/** "Deleting Blobs" */
async function deleteBlob({ store, name, reference, permit }: Call): Promise<RegistryResponse> {
  await permit('delete', name);
  const digest = requireDigest(reference);
  if (!store.deleteBlob(name, digest)) throw unknownBlob(name, digest);
  return empty(202);
}

/* Uploads */

/** "Pushing a blob monolithically", "in chunks", "Mounting a blob from another repository" */
async function beginUpload(call: Call): Promise<RegistryResponse> {
  const { store, name, query, permit } = call;
  await permit('push', name);
  const mount = query.get('mount');
  if (mount !== null && (await mounted(call, requireDigest(mount)))) return created(name, mount);
  const digest = query.get('digest');
  const algorithm = query.get('digest-algorithm') ?? digest?.split(':')[0] ?? 'sha256';
  if (digest !== null) requireDigest(digest);
  else if (!ALGORITHMS.includes(algorithm)) throw invalidDigest(`the algorithm "${clip(algorithm)}" is not supported`);
  const id = store.beginUpload(name, algorithm);
  if (digest === null) return accepted(name, id, 0);
  return await withUpload({ ...call, reference: id }, async (upload) => {
    try {
      await receive(call, upload);
    } catch (error) {
      // The client does not know the upload's id, so it cannot go on with it.
      upload.cancel();
      throw error;
    }
    return await finish(upload, name, digest);
  });
}

/** Whether another repository that the client may read has the blob: the one that it names, or any. */
async function mounted({ store, name, query, permit }: Call, digest: string): Promise<boolean> {
  const from = query.get('from');
  if (from !== null && from !== '') requireName(from);
  for (const source of from ? [from] : store.repositories()) {
    // Of the one that the client names nothing is asked before the permission, not even whether it has the blob.
    if (!from && store.blobSize(source, digest) === undefined) continue;
    const mayRead = await permit('pull', source).then(
      () => true,
      (error) => (error instanceof RequestRefused ? false : Promise.reject(error)),
    );
    if (mayRead && store.mountBlob(digest, source, name)) return true;
  }
  return false;
}

/** "Pushing a blob in chunks": the status after a 416 */
async function uploadStatus({ store, name, reference, permit }: Call): Promise<RegistryResponse> {
  await permit('push', name);
  const size = isUuid(reference) ? store.uploadSize(name, reference) : undefined;
  if (size === undefined) throw unknownUpload(name, reference);
  return { ...accepted(name, reference, size), status: 204 };
}

async function uploadChunk(call: Call): Promise<RegistryResponse> {
  await call.permit('push', call.name);
  return await withUpload(call, async (upload) => {
    await receive(call, upload);
    return accepted(call.name, call.reference, upload.size);
  });
}

/** The last chunk may come along. */
async function endUpload(call: Call): Promise<RegistryResponse> {
  await call.permit('push', call.name);
  const digest = requireDigest(call.query.get('digest') ?? '');
  return await withUpload(call, async (upload) => {
    await receive(call, upload);
    return await finish(upload, call.name, digest);
  });
}

/** "Cancel a blob upload" */
async function cancelUpload(call: Call): Promise<RegistryResponse> {
  await call.permit('push', call.name);
  return await withUpload(call, async (upload) => {
    upload.cancel();
    return empty(204);
  });
}

async function withUpload(call: Call, use: (upload: Upload) => Promise<RegistryResponse>): Promise<RegistryResponse> {
  const { store, name, reference } = call;
  const response = isUuid(reference) ? await store.withUpload(name, reference, use) : undefined;
  if (response === undefined) throw unknownUpload(name, reference);
  return response;
}

/**
 * Append the body. What has arrived stays when the client goes away: it may go on from there.
 * @throws RequestRefused 416 if its range does not begin where the upload ends, 400 if its length is not that of the range
 */
async function receive({ body, headers, name, reference }: Call, upload: Upload): Promise<void> {
  const given = headers['content-range'];
  const range =
    given === undefined ? undefined : /^(?:bytes[ =])?(\d+)-(\d+)(?:\/(?:\d+|\*))?$/.exec(`${given}`.trim());
  if (range === null) throw invalidUpload(`Content-Range must be FIRST-LAST, not "${clip(`${given}`)}"`);
  const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const [start, end] =
    range === undefined ? [upload.size, Number.POSITIVE_INFINITY] : [Number(range[1]), Number(range[2]) + 1];
  if (range !== undefined && length !== undefined && length !== end - start) {
    throw new RequestRefused(
      400,
      'SIZE_INVALID',
      `the range ${given} has ${end - start} bytes, and the body ${length}`,
    );
  }
  if (start !== upload.size) throw outOfOrder(name, reference, { size: upload.size, start });
  for await (const chunk of body) {
    if (upload.size + chunk.length > end)
      throw new RequestRefused(400, 'SIZE_INVALID', `the body is longer than its range ${given}`);
    upload.append(chunk);
  }
  if (range !== undefined && upload.size !== end)
    throw new RequestRefused(400, 'SIZE_INVALID', `the body is shorter than its range ${given}`);
}

async function finish(upload: Upload, name: string, digest: string): Promise<RegistryResponse> {
  const { size } = upload;
  if (await upload.finish(digest)) return created(name, digest);
  throw new RequestRefused(400, 'DIGEST_INVALID', `the ${size} bytes of the upload do not have the digest ${digest}`, {
    detail: { digest, size },
  });
}

/* Manifests */

/** "Pulling manifests" */
async function getManifest({ store, name, reference, headers, permit }: Call): Promise<RegistryResponse> {
  await permit('pull', name);
  const manifest = store.manifest(name, requireReference(reference));
  if (manifest === undefined) throw unknownManifest(store, name, reference);
  const { digest, mediaType, bytes } = manifest;
  if (!accepts(headers.accept, mediaType)) {
    throw new RequestRefused(404, 'MANIFEST_UNKNOWN', `${name} has ${clip(reference)} as ${mediaType} only`, {
      detail: { mediaType, accept: headers.accept },
    });
  }
  const about = { ...content(digest), 'content-type': mediaType, vary: 'Accept' };
  if (isKnown(headers, digest)) return { status: 304, headers: about };
  return { status: 200, headers: { ...about, 'content-length': `${bytes.length}` }, body: bytes };
}

/** "Pushing Manifests" */
async function putManifest(call: Call): Promise<RegistryResponse> {
  const { store, name, query, permit } = call;
  await permit('push', name);
  const reference = requireReference(call.reference);
  const tags = query.getAll('tag');
  tags.forEach(requireTag);
  if (tags.length > TAGS_MAX)
    throw new RequestRefused(414, 'UNSUPPORTED', `at most ${TAGS_MAX} tags can be pushed at once`);
  const bytes = await wholeBody(call);
  const wanted = isDigest(reference) ? reference : (query.get('digest') ?? undefined);
  const digest = digestOf(bytes, wanted === undefined ? 'sha256' : requireDigest(wanted));
  if (wanted !== undefined && digest !== wanted) {
    throw new RequestRefused(400, 'DIGEST_INVALID', `the manifest has the digest ${digest}, not ${wanted}`, {
      detail: { digest },
    });
  }
  if (wanted !== reference) tags.unshift(reference);
  const { mediaType, needs, subject, artifactType, annotations } = readManifest(bytes, call.headers['content-type']);
  const referrer = {
    mediaType,
    digest,
    size: bytes.length,
    ...(artifactType && { artifactType }),
    ...(annotations && { annotations }),
  };
  const missing = await store.putManifest(name, {
    digest,
    mediaType,
    bytes,
    needs,
    tags,
    ...(subject !== undefined && { subject: { digest: subject, referrer } }),
  });
  if (missing.length > 0) throw missingParts(name, missing);
  return {
    status: 201,
    headers: {
      ...content(digest),
      location: `/v2/${name}/manifests/${reference}`,
      'content-length': '0',
      ...(subject !== undefined && { 'oci-subject': subject }),
      ...(tags.length > 0 && { 'oci-tag': tags.join(', ') }),
    },
  };
}

/** @throws RequestRefused 413 */
async function wholeBody({ body, headers }: Call): Promise<Uint8Array> {
  const tooLarge = () =>
    new RequestRefused(413, 'SIZE_INVALID', `a manifest may have ${MANIFEST_SIZE_MAX} bytes at most`);
  if (Number(headers['content-length'] ?? 0) > MANIFEST_SIZE_MAX) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MANIFEST_SIZE_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** "Deleting tags" and "Deleting Manifests" */
async function deleteManifest({ store, name, reference, permit }: Call): Promise<RegistryResponse> {
  await permit('delete', name);
  const known = isDigest(requireReference(reference))
    ? store.deleteManifest(name, reference)
    : store.deleteTag(name, reference);
  if (!known) throw unknownManifest(store, name, reference);
  return empty(202);
}

/* Lists */

/** "Listing Tags" */
async function listTags({ store, name, query, permit }: Call): Promise<RegistryResponse> {
  await permit('pull', name);
  if (!store.hasRepository(name)) throw unknownName(name);
  const { page, link } = pageOf(store.tags(name), query, `/v2/${name}/tags/list`);
  return json(200, { name, tags: page }, link);
}

/** Docker's registry API, "Catalog". */
async function listRepositories({ store, query, permit }: Call): Promise<RegistryResponse> {
  await permit('catalog', '');
  const { page, link } = pageOf(store.repositories(), query, '/v2/_catalog');
  return json(200, { repositories: page }, link);
}

/** "Listing Referrers" */
async function listReferrers({ store, name, reference, query, permit }: Call): Promise<RegistryResponse> {
  await permit('pull', name);
  const subject = requireDigest(reference);
  const [artifactType, last] = [query.get('artifactType'), query.get('last') ?? ''];
  const manifests: Referrer[] = [];
  let [bytes, isFull] = [0, false];
  for await (const each of store.referrers(name, subject, last)) {
    if (artifactType !== null && each.artifactType !== artifactType) continue;
    bytes += Buffer.byteLength(JSON.stringify(each)) + 1;
    isFull = manifests.length > 0 && bytes > REFERRERS_BYTES_MAX;
    if (isFull) break;
    manifests.push(each);
  }
  const next = { ...(artifactType !== null && { artifactType }), last: manifests.at(-1)?.digest ?? '' };
  return json(
    200,
    { schemaVersion: 2, mediaType: INDEX, manifests },
    {
      'content-type': INDEX,
      ...(artifactType !== null && { 'oci-filters-applied': 'artifactType' }),
      ...(isFull && linkTo(`/v2/${name}/referrers/${subject}`, next)),
    },
  );
}
