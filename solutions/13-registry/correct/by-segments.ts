// passes: all
/** By segments instead of patterns; a class for each request; permission is asked in one place. */

import crypto from 'node:crypto';
import {
  type ErrorCode,
  type RegistryRequest,
  type RegistryResponse,
  type RegistryStore,
  RequestRefused,
  type Upload,
} from '#contract/registry';

type Kind = 'base' | 'catalog' | 'tags' | 'uploads' | 'upload' | 'blob' | 'manifest';

const METHODS: Record<Kind, string[]> = {
  base: ['GET', 'HEAD'],
  catalog: ['HEAD', 'GET'],
  tags: ['GET', 'HEAD'],
  uploads: ['POST'],
  upload: ['DELETE', 'GET', 'HEAD', 'PATCH', 'PUT'],
  blob: ['DELETE', 'GET', 'HEAD'],
  manifest: ['DELETE', 'GET', 'HEAD', 'PUT'],
};

const no = (status: number, code: ErrorCode, message: string, headers: Record<string, string> = {}, detail?: unknown) =>
  new RequestRefused(status, code, message, { headers, detail });

const isIn = (text: string, alphabet: string) => [...text].every((letter) => alphabet.includes(letter));
const HEX = '0123456789abcdef';
const LOWER = 'abcdefghijklmnopqrstuvwxyz0123456789';
const TAGGED = `${LOWER}ABCDEFGHIJKLMNOPQRSTUVWXYZ_`;

function isDigest(text: string): boolean {
  return text.length === 71 && text.startsWith('sha256:') && isIn(text.slice(7), HEX);
}

function isTag(text: string): boolean {
  return text.length >= 1 && text.length <= 128 && TAGGED.includes(text[0]!) && isIn(text, `${TAGGED}.-`);
}

function isId(text: string): boolean {
  const groups = text.split('-');
  return groups.map(({ length }) => length).join() === '8,4,4,4,12' && groups.every((group) => isIn(group, HEX));
}

function isName(name: string): boolean {
  return name.length <= 255 && name.split('/').every(isComponent);
}

function isComponent(text: string): boolean {
  let separator = '';
  for (const letter of `_${text}_`.slice(1, -1)) {
    if (LOWER.includes(letter)) {
      if (separator !== '' && !['.', '_', '__'].includes(separator) && !isIn(separator, '-')) return false;
      separator = '';
    } else if ('._-'.includes(letter)) separator += letter;
    else return false;
  }
  return text !== '' && separator === '' && LOWER.includes(text[0]!);
}

/** Kind, name and what comes last. */
function parse(path: string): [Kind, string, string] | undefined {
  const all = path.split('/');
  if (all[0] !== '' || all[1] !== 'v2') return undefined;
  const rest = all.slice(2);
  const last = rest.at(-1) ?? '';
  const before = (count: number) => rest.slice(0, -count).join('/');
  const ends = (...words: string[]) =>
    rest.length > words.length && words.every((word, at) => rest.at(at - words.length) === word);
  if (rest.length === 0 || (rest.length === 1 && last === '')) return ['base', '', ''];
  if (rest.length === 1 && last === '_catalog') return ['catalog', '', ''];
  if (ends('tags', 'list')) return ['tags', before(2), ''];
  if (ends('blobs', 'uploads')) return ['uploads', before(2), ''];
  if (ends('blobs', 'uploads', '')) return ['uploads', before(3), ''];
  if (rest.length > 3 && rest.at(-3) === 'blobs' && rest.at(-2) === 'uploads') return ['upload', before(3), last];
  if (last === '' || rest.length < 3) return undefined;
  if (rest.at(-2) === 'blobs') return ['blob', before(2), last];
  if (rest.at(-2) === 'manifests') return ['manifest', before(2), last];
  return undefined;
}

class Exchange {
  readonly #request: RegistryRequest;
  readonly #store: RegistryStore;
  #kind: Kind = 'base';
  #name = '';
  #last = '';
  #query = new URLSearchParams();

  constructor(request: RegistryRequest, store: RegistryStore) {
    this.#request = request;
    this.#store = store;
  }

  async answer(): Promise<RegistryResponse> {
    const at = this.#request.target.indexOf('?');
    const path = at === -1 ? this.#request.target : this.#request.target.slice(0, at);
    if (at !== -1) this.#query = new URLSearchParams(this.#request.target.slice(at + 1));
    let plain: string;
    try {
      plain = decodeURIComponent(path);
    } catch {
      throw no(400, 'NAME_INVALID', 'This path is not encoded as it should be.');
    }
    const parsed = parse(plain);
    if (parsed === undefined) throw no(404, 'UNSUPPORTED', `${path} is not an endpoint.`);
    [this.#kind, this.#name, this.#last] = parsed;
    const { method } = this.#request;
    const methods = METHODS[this.#kind];
    if (!methods.includes(method)) throw no(405, 'UNSUPPORTED', `Not ${method}.`, { Allow: methods.join(',') });
    if (this.#kind !== 'base' && this.#kind !== 'catalog' && !isName(this.#name))
      throw no(400, 'NAME_INVALID', 'This is not a name.');
    await this.#permit(method);
    const verb = method === 'HEAD' ? 'GET' : method;
    if (this.#kind === 'base') return this.#json({});
    if (this.#kind === 'catalog') return this.#page('repositories', this.#store.repositories(), '/v2/_catalog', {});
    if (this.#kind === 'tags') return this.#tags();
    if (this.#kind === 'uploads') return await this.#begin();
    if (this.#kind === 'upload') return await this.#upload(verb);
    if (this.#kind === 'blob') return verb === 'GET' ? this.#blob() : this.#deleteBlob();
    if (verb === 'PUT') return await this.#putManifest();
    return verb === 'GET' ? this.#manifest() : this.#deleteManifest();
  }

  async #permit(method: string): Promise<void> {
    const { permit } = this.#request;
    if (this.#kind === 'base') return await permit('ping', '');
    if (this.#kind === 'catalog') return await permit('catalog', '');
    if (this.#kind === 'uploads' || this.#kind === 'upload') return await permit('push', this.#name);
    const action = method === 'DELETE' ? 'delete' : method === 'PUT' ? 'push' : 'pull';
    return await permit(action, this.#name);
  }

  #json(value: unknown, headers: Record<string, string> = {}): RegistryResponse {
    return {
      status: 200,
      headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
      body: JSON.stringify(value),
    };
  }

  #digest(text: string | null): string {
    if (text === null || !isDigest(text)) throw no(400, 'DIGEST_INVALID', `${text} is not a digest.`);
    return text;
  }

  #blob(): RegistryResponse {
    const digest = this.#digest(this.#last);
    const size = this.#store.blobSize(this.#name, digest);
    if (size === undefined) throw no(404, 'BLOB_UNKNOWN', 'No such blob.');
    const headers = { 'Docker-Content-Digest': digest, 'Content-Type': 'application/octet-stream' };
    const whole = () => ({
      status: 200,
      headers: { ...headers, 'Content-Length': String(size) },
      body: this.#store.readBlob(digest, 0, size),
    });
    const given = String(this.#request.headers.range ?? '');
    if (!given.startsWith('bytes=')) return whole();
    const ends = given.slice('bytes='.length).split('-');
    if (ends.length !== 2 || !ends.every((text) => isIn(text, '0123456789')) || ends.join('') === '') return whole();
    const [first, last] = ends as [string, string];
    if (first !== '' && last !== '' && Number(first) > Number(last)) return whole();
    const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === '' || last === '' ? size - 1 : Math.min(size - 1, Number(last));
    if (start > end) throw no(416, 'SIZE_INVALID', 'Behind the end.', { 'Content-Range': `bytes */${size}` });
    return {
      status: 206,
      headers: {
        ...headers,
        'Content-Length': String(end - start + 1),
        'Content-Range': `bytes ${start}-${end}/${size}`,
      },
      body: this.#store.readBlob(digest, start, end + 1),
    };
  }

  #deleteBlob(): RegistryResponse {
    if (this.#store.deleteBlob(this.#name, this.#digest(this.#last))) return { status: 202, headers: {} };
    throw no(404, 'BLOB_UNKNOWN', 'No such blob.');
  }

  async #begin(): Promise<RegistryResponse> {
    const mount = this.#query.get('mount');
    const from = this.#query.get('from');
    const digest = this.#query.get('digest');
    if (mount !== null && from !== null) {
      this.#digest(mount);
      const may = isName(from) && (await this.#mayPull(from));
      if (may && this.#store.mountBlob(mount, from, this.#name)) return this.#created(mount);
    }
    if (digest !== null) this.#digest(digest);
    this.#last = this.#store.beginUpload(this.#name, 'sha256');
    if (digest === null) return this.#progress(202, 0);
    return await this.#within(async (upload) => {
      let isDone = false;
      try {
        await this.#append(upload);
        isDone = true;
      } finally {
        if (!isDone) upload.cancel();
      }
      return await this.#finish(upload, digest);
    });
  }

  async #mayPull(repository: string): Promise<boolean> {
    return await this.#request.permit('pull', repository).then(
      () => true,
      (error) => {
        if (error instanceof RequestRefused) return false;
        throw error;
      },
    );
  }

  #created(digest: string): RegistryResponse {
    return { status: 201, headers: { Location: `/v2/${this.#name}/blobs/${digest}`, 'Docker-Content-Digest': digest } };
  }

  #progress(status: number, size: number): RegistryResponse {
    return {
      status,
      headers: { Location: `/v2/${this.#name}/blobs/uploads/${this.#last}`, Range: `0-${size > 0 ? size - 1 : 0}` },
    };
  }

  async #upload(verb: string): Promise<RegistryResponse> {
    if (verb === 'GET') {
      const size = isId(this.#last) ? this.#store.uploadSize(this.#name, this.#last) : undefined;
      if (size === undefined) throw no(404, 'BLOB_UPLOAD_UNKNOWN', 'No such upload.');
      return this.#progress(204, size);
    }
    const digest = verb === 'PUT' ? this.#digest(this.#query.get('digest')) : '';
    return await this.#within(async (upload) => {
      if (verb === 'DELETE') {
        upload.cancel();
        return { status: 204, headers: {} };
      }
      await this.#append(upload);
      return verb === 'PUT' ? await this.#finish(upload, digest) : this.#progress(202, upload.size);
    });
  }

  async #within(use: (upload: Upload) => Promise<RegistryResponse>): Promise<RegistryResponse> {
    const done = isId(this.#last) ? await this.#store.withUpload(this.#name, this.#last, use) : undefined;
    if (done === undefined) throw no(404, 'BLOB_UPLOAD_UNKNOWN', 'No such upload.');
    return done;
  }

  async #append(upload: Upload): Promise<void> {
    const given = this.#request.headers['content-range'];
    if (given !== undefined) {
      const ends = String(given).split('-');
      if (ends.length !== 2 || !ends.every((text) => text !== '' && isIn(text, '0123456789')))
        throw no(400, 'BLOB_UPLOAD_INVALID', 'Content-Range is FIRST-LAST.');
      const { headers } = this.#progress(416, upload.size);
      if (Number(ends[0]) !== upload.size) throw no(416, 'BLOB_UPLOAD_INVALID', `Go on at ${upload.size}.`, headers);
    }
    for await (const piece of this.#request.body) upload.append(piece);
  }

  async #finish(upload: Upload, digest: string): Promise<RegistryResponse> {
    if (!(await upload.finish(digest))) throw no(400, 'DIGEST_INVALID', 'These bytes have another digest.');
    return this.#created(digest);
  }

  #reference(): 'digest' | 'tag' {
    if (this.#last.includes(':')) {
      this.#digest(this.#last);
      return 'digest';
    }
    if (!isTag(this.#last)) throw no(400, 'MANIFEST_INVALID', 'This is not a tag.');
    return 'tag';
  }

  #unknown(): RequestRefused {
    return this.#store.hasRepository(this.#name)
      ? no(404, 'MANIFEST_UNKNOWN', 'No such manifest.')
      : no(404, 'NAME_UNKNOWN', 'No such repository.');
  }

  #manifest(): RegistryResponse {
    this.#reference();
    const found = this.#store.manifest(this.#name, this.#last);
    if (found === undefined) throw this.#unknown();
    return {
      status: 200,
      headers: {
        'Content-Type': found.mediaType,
        'Content-Length': String(found.bytes.byteLength),
        'Docker-Content-Digest': found.digest,
      },
      body: found.bytes,
    };
  }

  #deleteManifest(): RegistryResponse {
    const isGone =
      this.#reference() === 'tag'
        ? this.#store.deleteTag(this.#name, this.#last)
        : this.#store.deleteManifest(this.#name, this.#last);
    if (!isGone) throw this.#unknown();
    return { status: 202, headers: {} };
  }

  async #putManifest(): Promise<RegistryResponse> {
    const kind = this.#reference();
    const pieces: Uint8Array[] = [];
    let left = 4_194_304;
    for await (const piece of this.#request.body) {
      left -= piece.byteLength;
      if (left < 0) throw no(413, 'SIZE_INVALID', 'At most 4 MiB.');
      pieces.push(piece);
    }
    const bytes = new Uint8Array(Buffer.concat(pieces));
    const digest = `sha256:${crypto.createHash('sha256').update(bytes).digest('hex')}`;
    if (kind === 'digest' && this.#last !== digest) throw no(400, 'DIGEST_INVALID', `It is ${digest}.`);
    const document = this.#document(bytes);
    const missing = await this.#store.putManifest(this.#name, {
      digest,
      bytes,
      tags: kind === 'tag' ? [this.#last] : [],
      mediaType: this.#mediaType(document),
      needs: [
        ...(document.config === undefined ? [] : [this.#need(document.config, 'blob')]),
        ...this.#list(document.layers).map((each) => this.#need(each, 'blob')),
        ...this.#list(document.manifests).map((each) => this.#need(each, 'manifest')),
      ],
    });
    if (missing.length > 0) throw no(404, 'MANIFEST_BLOB_UNKNOWN', 'Push the rest first.', {}, missing);
    const location = `/v2/${this.#name}/manifests/${this.#last}`;
    return { status: 201, headers: { Location: location, 'Docker-Content-Digest': digest } };
  }

  #document(bytes: Uint8Array): Record<string, unknown> {
    let document: unknown;
    try {
      document = JSON.parse(Buffer.from(bytes).toString('utf8'));
    } catch (error) {
      throw no(400, 'MANIFEST_INVALID', String(error));
    }
    if (Object.prototype.toString.call(document) !== '[object Object]')
      throw no(400, 'MANIFEST_INVALID', 'Not an object.');
    const fields = document as Record<string, unknown>;
    const isIndex = 'manifests' in fields;
    if (isIndex === 'config' in fields || (isIndex && 'layers' in fields))
      throw no(400, 'MANIFEST_INVALID', 'It must be either a manifest or an index.');
    return fields;
  }

  #mediaType(document: Record<string, unknown>): string {
    const asked = String(this.#request.headers['content-type'] ?? '')
      .split(';')[0]!
      .trim();
    const own = document.mediaType;
    if (own === undefined ? asked === '' : typeof own !== 'string' || own === '' || (asked !== '' && asked !== own))
      throw no(400, 'MANIFEST_INVALID', 'Say of which type it is, once.');
    return own === undefined ? asked : String(own);
  }

  #list(value: unknown): unknown[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw no(400, 'MANIFEST_INVALID', 'Not a list.');
    return value;
  }

  #need<Kind extends 'blob' | 'manifest'>(value: unknown, kind: Kind) {
    const { digest, size } = Object(value) as Record<string, unknown>;
    if (typeof digest !== 'string' || !isDigest(digest) || !Number.isInteger(size) || Number(size) < 0)
      throw no(400, 'MANIFEST_INVALID', 'Not a descriptor.');
    return { digest, size: Number(size), kind };
  }

  #tags(): RegistryResponse {
    if (!this.#store.hasRepository(this.#name)) throw no(404, 'NAME_UNKNOWN', 'No such repository.');
    const tags = this.#store.tags(this.#name);
    return this.#page('tags', tags, `/v2/${this.#name}/tags/list`, { name: this.#name });
  }

  #page(key: string, all: string[], path: string, more: object): RegistryResponse {
    const [count, last] = [this.#query.get('n'), this.#query.get('last')];
    if (count !== null && (count === '' || !isIn(count, '0123456789'))) throw no(400, 'UNSUPPORTED', 'n is a number.');
    const after = last === null ? all : all.filter((name) => name > last);
    const page = count === null ? after : after.slice(0, Number(count));
    const next = new URLSearchParams({ last: page.at(-1) ?? '', n: count ?? '' });
    const isCut = page.length > 0 && page.length < after.length;
    return this.#json({ [key]: page, ...more }, isCut ? { Link: `<${path}?${next}>; rel="next"` } : {});
  }
}

export const answer = async (request: RegistryRequest, store: RegistryStore): Promise<RegistryResponse> => {
  try {
    return await new Exchange(request, store).answer();
  } catch (error) {
    if (error instanceof RequestRefused) {
      const { status, headers, ...said } = error;
      const errors = [
        { code: said.code, message: error.message, ...(said.detail === undefined ? {} : { detail: said.detail }) },
      ];
      return { status, headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify({ errors }) };
    }
    throw error;
  }
};
