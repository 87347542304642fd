/** Answers that several endpoints give. */

import { type Needed, type RegistryResponse, type RegistryStore, RequestRefused } from '#contract/registry';
import { clip } from './names.ts';

export function json(status: number, value: unknown, headers: Record<string, string> = {}): RegistryResponse {
  const body = JSON.stringify(value);
  const length = { 'content-length': `${Buffer.byteLength(body)}` };
  return { status, headers: { 'content-type': 'application/json', ...headers, ...length }, body };
}

export function empty(status: 202 | 204): RegistryResponse {
  return { status, headers: status === 204 ? {} : { 'content-length': '0' } };
}

export function content(digest: string): Record<string, string> {
  return { 'docker-content-digest': digest, etag: `"${digest}"` };
}

export function created(name: string, digest: string): RegistryResponse {
  return {
    status: 201,
    headers: { ...content(digest), location: `/v2/${name}/blobs/${digest}`, 'content-length': '0' },
  };
}

export function accepted(name: string, id: string, size: number): RegistryResponse {
  return {
    status: 202,
    headers: {
      location: `/v2/${name}/blobs/uploads/${id}`,
      range: `0-${Math.max(0, size - 1)}`,
      'docker-upload-uuid': id,
      'content-length': '0',
    },
  };
}

export function invalidUpload(why: string): RequestRefused {
  return new RequestRefused(400, 'BLOB_UPLOAD_INVALID', why);
}

export function unknownBlob(name: string, digest: string): RequestRefused {
  return new RequestRefused(404, 'BLOB_UNKNOWN', `repository ${name} has no blob ${digest}`, {
    detail: { name, digest },
  });
}

export function unknownUpload(name: string, id: string): RequestRefused {
  return new RequestRefused(
    404,
    'BLOB_UPLOAD_UNKNOWN',
    `repository ${name} has no upload ${clip(id)}; begin a new one`,
    { detail: { name } },
  );
}

/** RFC 9110, section 15.5.17. */
export function notInRange(digest: string, size: number, range: string): RequestRefused {
  return new RequestRefused(416, 'SIZE_INVALID', `blob ${digest} has ${size} bytes, so not the range ${clip(range)}`, {
    detail: { size },
    headers: { 'content-range': `bytes */${size}` },
  });
}

/** "Pushing a blob in chunks": the client learns where to go on. */
export function outOfOrder(name: string, id: string, { size, start }: { size: number; start: number }): RequestRefused {
  return new RequestRefused(416, 'BLOB_UPLOAD_INVALID', `the next chunk begins at byte ${size}, not ${start}`, {
    detail: { size },
    headers: accepted(name, id, size).headers,
  });
}

export function unknownName(name: string): RequestRefused {
  return new RequestRefused(404, 'NAME_UNKNOWN', `there is no repository ${name}`, { detail: { name } });
}

export function unknownManifest(store: RegistryStore, name: string, reference: string): RequestRefused {
  if (!store.hasRepository(name)) return unknownName(name);
  return new RequestRefused(404, 'MANIFEST_UNKNOWN', `repository ${name} has no manifest ${reference}`, {
    detail: { name, reference },
  });
}

export function missingParts(name: string, missing: Needed[]): RequestRefused {
  const [first] = missing as [Needed];
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  return new RequestRefused(
    404,
    'MANIFEST_BLOB_UNKNOWN',
    `repository ${name} has no ${first.kind} ${first.digest} of ${first.size} bytes${more}; push it first`,
    {
      detail: missing,
    },
  );
}
