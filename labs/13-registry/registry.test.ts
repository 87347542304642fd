import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { nonce } from '../../grader/harness/evidence.ts';
import { mkdtempSync, readdirSync, readFileSync, removeTree, writeFileSync } from '../../grader/harness/files.ts';
import { draw } from '../../grader/harness/random.ts';
import { SubjectError } from '../../grader/harness/subject-error.ts';
import { exists, openSubject, type Subject } from '../../grader/harness/suite.ts';
import type { Answered, Question } from './registry.driver.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
/** Bytes. */
const MANIFEST_SIZE_MAX = 4 * 1024 * 1024;

const digestOf = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const anyDigest = () => digestOf(draw.bytes(16));
/** Bytes that no registry has seen before. */
const anyContent = (most = 5000) => Buffer.concat([draw.bytes(16), draw.bytes(draw.int(0, most))]);
const anyName = () => Array.from({ length: draw.int(1, 3) }, () => draw.word()).join('/');
const anyTag = () => `${draw.pick([...'abXYZ09_'])}${draw.word()}${draw.pick(['', '.1', '-x', '_2', '.A-b'])}`;
/** In pieces of so many bytes at most. */
function pieces(content: Uint8Array, most = draw.int(1, 3000)): Uint8Array[] {
  const count = Math.ceil(content.length / most);
  return Array.from({ length: count }, (_, at) => content.subarray(at * most, (at + 1) * most));
}

/** A registry of its own in the subject's scratch, asked for this task, and how the judge looks into its store. */
function newRegistry(task: number) {
  const above = `${subject.scratch}/${nonce()}`;
  const root = `${above}/registry`;
  const outside = (path = '') =>
    join(subject.outsidePath(subject.scratch), root.slice(subject.scratch.length + 1), path);
  const ask = async (method: string, target: string, more: Partial<Question> = {}) =>
    sound(`${method} ${target}`, (await subject.call(`ask${task}`, root, { method, target, ...more })) as Answered);
  return {
    root,
    ask,
    askBoth: async (one: Question, other: Question) => {
      const answers = (await subject.call('askBoth', root, one, other)) as Answered[];
      return answers.map((answer) => sound(`${one.method} ${one.target}`, answer));
    },
    /** What stands under the name of a blob; undefined if there is nothing. */
    stored: (digest: string) =>
      exists(outside(`blobs/${digest}`)) ? readFileSync(outside(`blobs/${digest}`)) : undefined,
    hasBlob: (name: string, digest: string) => exists(outside(`repositories/${name}/_blobs/${digest}`)),
    hasManifest: (name: string, digest: string) => exists(outside(`repositories/${name}/_manifests/${digest}`)),
    tag: (name: string, tag: string) =>
      exists(outside(`repositories/${name}/_tags/${tag}`))
        ? readFileSync(outside(`repositories/${name}/_tags/${tag}`), 'utf8')
        : undefined,
    /** The ids of the uploads that are under way, and what has arrived of them. */
    uploads: (name: string) =>
      exists(outside(`repositories/${name}/_uploads`)) ? readdirSync(outside(`repositories/${name}/_uploads`)) : [],
    arrived: (name: string, id: string) => readFileSync(outside(`repositories/${name}/_uploads/${id}`)),
    /** Files that are not below the store's own directories. */
    astray: () => readdirSync(outside('..')).filter((name) => name !== 'registry'),
    // What is there before the plank is asked.
    placeBlob: async (name: string, content: Uint8Array) => {
      await subject.call('placeBlob', root, name, content, digestOf(content));
      return digestOf(content);
    },
    placeUpload: async (name: string, content: Uint8Array) =>
      (await subject.call('placeUpload', root, name, content)) as string,
    placeManifest: async (name: string, tags: string[], bytes: Buffer, mediaType = MANIFEST) => {
      await subject.call('placeManifest', root, name, { digest: digestOf(bytes), mediaType, bytes, tags, needs: [] });
      return digestOf(bytes);
    },
    /** An image whose blobs are there, and whose manifest is not. */
    placeParts: async (name: string, image: ReturnType<typeof anyImage>) => {
      for (const part of [image.config, ...image.layers])
        await subject.call('placeBlob', root, name, part, digestOf(part));
    },
  };
}

type Registry = ReturnType<typeof newRegistry>;

/** What holds of every answer: the store was given names only, and a length is the length. */
function sound(what: string, answer: Answered): Answered {
  if (answer.strange.length > 0)
    throw new Error(`${what}: the store should be given what was checked, and ${answer.strange.join(', ')}.`);
  const length = answer.headers['content-length'];
  const isWithout = what.startsWith('HEAD') || answer.status === 204;
  if (length !== undefined && !isWithout && Number(length) !== answer.body.length)
    throw new Error(`${what}: content-length should be ${answer.body.length}, as the body has, and it is ${length}.`);
  return answer;
}

interface ErrorBody {
  errors?: { code?: string; message?: string; detail?: unknown }[];
}

function errorsOf({ body }: Answered): NonNullable<ErrorBody['errors']> {
  try {
    return (JSON.parse(Buffer.from(body).toString()) as ErrorBody).errors ?? [];
  } catch {
    return [];
  }
}

function inWords(answer: Answered): string {
  const [error] = errorsOf(answer);
  return `${answer.status}${error === undefined ? '' : ` ${error.code} (${error.message})`}`;
}

function expectStatus(what: string, answer: Answered, status: number): void {
  if (answer.status !== status) throw new Error(`${what} should be ${status}, and it is ${inWords(answer)}.`);
}

function expectRefused(what: string, answer: Answered, status: number, code: string): void {
  const [error] = errorsOf(answer);
  if (answer.status !== status || error?.code !== code)
    throw new Error(`${what} should be ${status} ${code}, and it is ${inWords(answer)}.`);
}

function expectHeaders(what: string, answer: Answered, headers: Record<string, string>): void {
  const is = Object.fromEntries(Object.keys(headers).map((name) => [name, answer.headers[name]]));
  expect(is, `headers of ${what}`).toEqual(headers);
}

const jsonOf = (answer: Answered) => JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown>;

function expectBytes(what: string, is: Uint8Array | undefined, should: Uint8Array): void {
  if (is !== undefined && Buffer.compare(is, should) === 0) return;
  throw new Error(
    `${what} should be ${should.length} bytes with the digest ${digestOf(should)}, and ` +
      (is === undefined ? 'there is nothing.' : `it is ${is.length} bytes with the digest ${digestOf(is)}.`),
  );
}

/** @returns undefined if the task that would answer is a later one, and is not written yet. */
async function unlessLater(answer: Promise<Answered>, task: number): Promise<Answered | undefined> {
  try {
    return await answer;
  } catch (error) {
    const missing = error instanceof SubjectError && error.name === 'NotImplemented';
    const [, which] = /task (\d+) is not written/.exec((error as Error).message) ?? [];
    if (missing && Number(which) > task) return undefined;
    throw error;
  }
}

/** The error with this code comes out of the plank, unless it has no answer yet. */
async function expectThrown(what: string, answer: Promise<Answered | undefined>, code: string): Promise<void> {
  const outcome = await answer.catch((error: Error) => error);
  if (outcome === undefined || (outcome instanceof SubjectError && outcome.code === code)) return;
  if (outcome instanceof Error) throw outcome;
  throw new Error(`${what} should throw that error, and it is ${inWords(outcome)}.`);
}

/** The documents of an image; the manifest as text that nobody else would write in the same way. */
function anyImage() {
  const layers = Array.from({ length: draw.int(1, 3) }, () => anyContent(2000));
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(digestOf) } }),
  );
  const document = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')),
  };
  return { layers, config, document, manifest: textOf(document) };
}

function anyIndex(manifests: Uint8Array[]) {
  const document = {
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: manifests.map((bytes) => ({
      ...descriptor(bytes, MANIFEST),
      platform: { os: 'linux', architecture: draw.word() },
    })),
  };
  return { document, index: textOf(document) };
}

const textOf = (document: object) =>
  Buffer.from(JSON.stringify({ ...document, annotations: { [draw.word()]: nonce() } }, null, draw.int(1, 4)));
const descriptor = (bytes: Uint8Array, mediaType: string) => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});

/** Each question is refused to a client that may not, before the store is asked; and the action is the right one. */
async function expectPermission(registry: Registry, questions: [asks: string, question: Question][]): Promise<void> {
  for (const [asks, question] of draw.some(questions)) {
    const { method, target, ...more } = question;
    const what = `${method} ${target}`;
    const denied = await registry.ask(method, target, { ...more, deny: 'everything' });
    expectStatus(`${what} by a client that may do nothing`, denied, 403);
    const touched = denied.calls.filter((call) => call.startsWith('store'));
    if (touched.length > 0)
      throw new Error(
        `${what}: without permission nothing should be asked of the store, and it was: ${touched.join(', ')}.`,
      );
    const granted = await registry.ask(method, target, more);
    if (granted.status >= 400) throw new Error(`${what} by a client that may do it: it is ${inWords(granted)}.`);
    if (granted.calls[0] !== `permit ${asks}`)
      throw new Error(
        `${what} should begin with permit ${asks}, and these were the calls: ${granted.calls.join(', ') || 'none'}.`,
      );
  }
}

/** With an encoded slash or newline, a path may also fit none of the endpoints. */
const mayLeadNowhere = (text: string, answer: Answered) => /%(?:2f|0a)/.test(text) && answer.status === 404;

const strangeDigests = () => {
  const hex = anyDigest().slice('sha256:'.length);
  return draw.some([
    `sha256:${hex.slice(1)}`,
    `sha256:${hex}0`,
    `sha256:${hex.slice(1)}G`,
    `sha256:${hex.slice(1)}F`,
    `sha256:${hex}%0a`,
    `md5:${hex.slice(0, 32)}`,
    `sha256:..%2f..%2f${draw.word()}`,
    `sha256:${'%2e%2e%2f'.repeat(4)}etc`,
  ]);
};
const strangeIds = () =>
  draw.some([
    '..',
    '%2e%2e',
    draw.word(),
    '0',
    '_blobs',
    `${nonce()}`,
    '..%2f_blobs',
    '12345678-1234-1234-1234-12345678901G',
  ]);

describe('requests and refusals', () => {
  test('task 1: GET /v2/ says that this is a registry', async () => {
    const registry = newRegistry(1);
    for (const target of ['/v2/', '/v2', `/v2/?${draw.word()}=${draw.word()}`])
      for (const method of ['GET', 'HEAD']) {
        const answer = await registry.ask(method, target);
        expectStatus(`${method} ${target}`, answer, 200);
        expect(answer.calls, 'the permission for /v2/').toEqual(['permit ping']);
      }
    const denied = await registry.ask('GET', '/v2/', { deny: ['ping'] });
    expectRefused('/v2/ of a client that may not', denied, 403, 'DENIED');
  });

  test('task 1: a path that is not an endpoint is 404, and a method that an endpoint does not take is 405', async () => {
    const registry = newRegistry(1);
    expectStatus('GET /v2/', await registry.ask('GET', '/v2/'), 200);
    const [name, digest] = [draw.word(), anyDigest()];
    const nowhere = [
      '/',
      '/v1/',
      '/v2x',
      `/v2/${name}`,
      `/v2/${name}/tags`,
      `/v2/${name}/tags/lists`,
      `/v2/${name}/blobs`,
    ];
    for (const target of draw.some([
      ...nowhere,
      `/v2/${name}/manifests`,
      `/v2/${name}/${draw.word()}/${digest}`,
      '/V2/',
    ]))
      expectRefused(`GET ${target}`, await registry.ask('GET', target), 404, 'UNSUPPORTED');
    const takes: [target: string, methods: string[]][] = [
      ['/v2/', ['GET', 'HEAD']],
      ['/v2/_catalog', ['GET', 'HEAD']],
      [`/v2/${name}/tags/list`, ['GET', 'HEAD']],
      [`/v2/${name}/blobs/${digest}`, ['GET', 'HEAD', 'DELETE']],
      [`/v2/${name}/blobs/uploads/`, ['POST']],
      [`/v2/${name}/blobs/uploads/${crypto.randomUUID()}`, ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE']],
      [`/v2/${name}/manifests/${draw.word()}`, ['GET', 'HEAD', 'PUT', 'DELETE']],
    ];
    for (const [target, methods] of draw.some(takes)) {
      const others = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'].filter((method) => !methods.includes(method));
      const other = draw.pick(others);
      const what = `${other} ${target}`;
      const answer = await registry.ask(other, target);
      expectRefused(what, answer, 405, 'UNSUPPORTED');
      const allowed = (answer.headers.allow ?? '').split(',').map((method) => method.trim());
      expect(allowed.sort(), `the header allow of ${what}`).toEqual(methods.sort());
    }
  });

  test('task 1: a refusal is an answer with its status, its headers, its code and its detail', async () => {
    const registry = newRegistry(1);
    for (const detail of [undefined, { [draw.word()]: draw.word() }, [draw.int(1, 99)]]) {
      const status = draw.pick([401, 403, 405, 429]);
      const code = draw.pick(['UNAUTHORIZED', 'DENIED', 'UNSUPPORTED', 'TOOMANYREQUESTS']);
      const [message, realm] = [`${draw.word()} ${draw.word()} "${draw.word()}"`, `Bearer realm="${draw.word()}"`];
      const refusal = { status, code, message, headers: { 'www-authenticate': realm }, ...(detail && { detail }) };
      const answer = await registry.ask('GET', '/v2/', { deny: ['ping'], refusal });
      expectRefused('a refusal by permit', answer, status, code);
      expectHeaders('the refusal', answer, { 'www-authenticate': realm });
      expect(answer.headers['content-type'], 'its content-type').toMatch(/^application\/json/);
      expect(errorsOf(answer), 'its errors').toEqual([{ code, message, ...(detail && { detail }) }]);
    }
    expectStatus('GET /v2/ when nothing is refused', await registry.ask('GET', '/v2/'), 200);
  });

  test('task 1: an error that is not a RequestRefused is thrown on', async () => {
    const registry = newRegistry(1);
    const name = anyName();
    expectStatus('GET /v2/', await registry.ask('GET', '/v2/'), 200);
    const targets = [`/v2/${name}/tags/list`, `/v2/${name}/blobs/${anyDigest()}`, `/v2/${name}/manifests/${anyTag()}`];
    const failing: [target: string, calls: string][] = ['/v2/', ...targets].map((target) => [target, 'permit']);
    for (const [target, calls] of draw.some([
      ...failing,
      ...targets.map((each): [string, string] => [each, 'store']),
    ])) {
      const code = `E${draw.word().toUpperCase()}`;
      const asked = registry.ask('GET', target, { failure: { code, calls } });
      await expectThrown(`GET ${target} when ${calls} fails with ${code}`, unlessLater(asked, 1), code);
    }
  });

  test('task 1: an invalid name is refused before the store sees it', async () => {
    const registry = newRegistry(1);
    const [word, digest] = [draw.word(), anyDigest()];
    const strange = [
      '..',
      '../..',
      `..%2f..%2f..%2f${word}`,
      `%2e%2e/%2e%2e/${word}`,
      `${word}/../${word}`,
      `${word}/./${word}`,
      `${word}//${word}`,
      `${word}/`,
      `/${word}`,
      `${word}..${word}`,
      `${word}___${word}`,
      `${word}._${word}`,
      `-${word}`,
      `${word}-`,
      `${word}/-${word}`,
      `.${word}`,
      `_${word}`,
      `${word.toUpperCase()}`,
      `${word}%0a`,
      `${word}%00`,
      `${word}%3f${word}`,
      `${word}:${word}`,
      `${word}%20`,
      `${word}%c3%a9`,
      `${word}%ff`,
      // Decoded twice it would be a name.
      `${word}%2561`,
      `${word}%`,
      'a'.repeat(256),
    ];
    const questions = (name: string): [string, string, Partial<Question>?][] => [
      ['GET', `/v2/${name}/tags/list`],
      ['GET', `/v2/${name}/blobs/${digest}`],
      ['DELETE', `/v2/${name}/blobs/${digest}`],
      ['POST', `/v2/${name}/blobs/uploads/`],
      ['GET', `/v2/${name}/manifests/${word}`],
      ['PUT', `/v2/${name}/manifests/${word}`, { headers: { 'content-type': MANIFEST }, body: [anyImage().manifest] }],
    ];
    for (const name of draw.some(strange))
      for (const [method, target, more] of questions(name)) {
        const answer = await registry.ask(method, target, more);
        if (mayLeadNowhere(name, answer)) continue;
        expectRefused(`${method} ${target}`, answer, 400, 'NAME_INVALID');
      }
    expect(registry.astray(), 'files beside the store').toEqual([]);
    const names = [
      word,
      `${word}/${word}`,
      `a.b_c__d-e---f/0${word}`,
      'a'.repeat(255),
      `${word}/manifests/b`,
      'a/tags/list',
    ];
    for (const name of draw.some([...names, `blobs/${word}/uploads/x`, `${word}%2f${word}`, '0']))
      for (const [method, target, more] of questions(name)) {
        const answer = await unlessLater(registry.ask(method, target, more), 1);
        if (answer === undefined) continue;
        const action = { GET: 'pull', DELETE: 'delete' }[method] ?? 'push';
        const asks = `permit ${action} ${decodeURIComponent(name)}`;
        if (answer.calls[0] !== asks)
          throw new Error(
            `${method} ${target} has a valid name, so the first call should be ${asks}. The calls were ` +
              `${answer.calls.join(', ') || 'none'}, and the answer is ${inWords(answer)}.`,
          );
      }
    expectStatus('GET /v2/', await registry.ask('GET', '/v2/'), 200);
  });
});

describe('blobs', () => {
  test('task 2: a blob is sent with its length and its digest', async () => {
    const registry = newRegistry(2);
    for (const size of [0, draw.int(1, 5000), 150_000]) {
      const [name, content] = [anyName(), draw.bytes(size)];
      const digest = await registry.placeBlob(name, content);
      const answer = await registry.ask('GET', `/v2/${name}/blobs/${digest}`);
      expectStatus('GET of a blob', answer, 200);
      expectHeaders('the blob', answer, { 'content-length': `${size}`, 'docker-content-digest': digest });
      expectBytes('its body', answer.body, content);
    }
  });

  test('task 2: HEAD of a blob has the headers of GET', async () => {
    const registry = newRegistry(2);
    const [name, content] = [anyName(), anyContent()];
    const digest = await registry.placeBlob(name, content);
    const answer = await registry.ask('HEAD', `/v2/${name}/blobs/${digest}`);
    expectStatus('HEAD of a blob', answer, 200);
    expectHeaders('HEAD', answer, { 'content-length': `${content.length}`, 'docker-content-digest': digest });
    expectStatus('HEAD of another blob', await registry.ask('HEAD', `/v2/${name}/blobs/${anyDigest()}`), 404);
  });

  test('task 2: a blob that only another repository has is 404', async () => {
    const registry = newRegistry(2);
    const [name, other] = [`a${anyName()}`, `b${anyName()}`];
    await registry.placeBlob(other, anyContent());
    const digest = await registry.placeBlob(name, anyContent());
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      const answer = await registry.ask(method, `/v2/${other}/blobs/${digest}`);
      if (method === 'HEAD') expectStatus('HEAD of a blob of another repository', answer, 404);
      else expectRefused(`${method} of a blob of another repository`, answer, 404, 'BLOB_UNKNOWN');
    }
    expectStatus('GET of the blob where it is', await registry.ask('GET', `/v2/${name}/blobs/${digest}`), 200);
  });

  test('task 2: a range is answered by these bytes and 206', async () => {
    const registry = newRegistry(2);
    const [name, content] = [anyName(), anyContent()];
    const { length: size } = content;
    const digest = await registry.placeBlob(name, content);
    const [first, last] = [draw.int(0, 9), draw.int(10, size - 1)];
    const parts: [range: string, start: number, end: number][] = [
      [`${first}-${last}`, first, last + 1],
      [`${first}-${first}`, first, first + 1],
      [`${last}-`, last, size],
      ['0-', 0, size],
      [`${first}-${size + draw.int(0, 999)}`, first, size],
      [`-${last}`, size - last, size],
      [`-${size + draw.int(1, 999)}`, 0, size],
    ];
    for (const [range, start, end] of draw.some(parts)) {
      const answer = await registry.ask('GET', `/v2/${name}/blobs/${digest}`, { headers: { range: `bytes=${range}` } });
      const what = `bytes=${range} of ${size} bytes`;
      expectStatus(what, answer, 206);
      expectHeaders(what, answer, {
        'content-length': `${end - start}`,
        'content-range': `bytes ${start}-${end - 1}/${size}`,
      });
      expectBytes(what, answer.body, content.subarray(start, end));
    }
  });

  test('task 2: a range behind the end is 416, and one of another form is ignored', async () => {
    const registry = newRegistry(2);
    const [name, content] = [anyName(), anyContent()];
    const { length: size } = content;
    const digest = await registry.placeBlob(name, content);
    const ask = (range: string) => registry.ask('GET', `/v2/${name}/blobs/${digest}`, { headers: { range } });
    for (const range of [`bytes=${size}-`, `bytes=${size + draw.int(1, 999)}-${size + 2000}`, 'bytes=-0']) {
      const answer = await ask(range);
      expectStatus(`${range} of ${size} bytes`, answer, 416);
      expectHeaders(range, answer, { 'content-range': `bytes */${size}` });
    }
    for (const range of draw.some([
      'bytes=9-3',
      'bytes=-',
      'bytes=',
      'bytes=1-2,4-5',
      'bits=1-2',
      'bytes=a-b',
      '1-2',
    ])) {
      const answer = await ask(range);
      expectStatus(range, answer, 200);
      expectBytes(`the body for ${range}`, answer.body, content);
    }
    expectStatus(`bytes=${size - 1}- of ${size} bytes`, await ask(`bytes=${size - 1}-`), 206);
  });

  test('task 2: a deleted blob stays in the other repositories', async () => {
    const registry = newRegistry(2);
    const [name, other, content] = [`a${anyName()}`, `b${anyName()}`, anyContent()];
    const digest = await registry.placeBlob(name, content);
    await registry.placeBlob(other, content);
    expectStatus('DELETE of a blob', await registry.ask('DELETE', `/v2/${name}/blobs/${digest}`), 202);
    expect([registry.hasBlob(name, digest), registry.hasBlob(other, digest)], 'who has it').toEqual([false, true]);
    expectBytes('the other one', registry.stored(digest), content);
    const again = await registry.ask('DELETE', `/v2/${name}/blobs/${digest}`);
    expectRefused('DELETE of a blob that is gone', again, 404, 'BLOB_UNKNOWN');
  });

  test('task 2: an invalid digest is refused before the store sees it', async () => {
    const registry = newRegistry(2);
    const name = anyName();
    const digest = await registry.placeBlob(name, anyContent());
    for (const strange of strangeDigests())
      for (const method of ['GET', 'DELETE']) {
        const answer = await registry.ask(method, `/v2/${name}/blobs/${strange}`);
        if (mayLeadNowhere(strange, answer)) continue;
        expectRefused(`${method} of the blob ${strange}`, answer, 400, 'DIGEST_INVALID');
      }
    expectStatus('GET of a digest', await registry.ask('GET', `/v2/${name}/blobs/${digest}`), 200);
  });

  test('task 2: the permission is asked for before the store', async () => {
    const registry = newRegistry(2);
    const name = anyName();
    const [one, two] = [await registry.placeBlob(name, anyContent()), await registry.placeBlob(name, anyContent())];
    await expectPermission(registry, [
      [`pull ${name}`, { method: 'GET', target: `/v2/${name}/blobs/${one}` }],
      [`pull ${name}`, { method: 'HEAD', target: `/v2/${name}/blobs/${one}` }],
      [`delete ${name}`, { method: 'DELETE', target: `/v2/${name}/blobs/${two}` }],
    ]);
  });
});

/** The id in a `location`, which has to be that of an upload of this repository. */
function idOf(what: string, name: string, answer: Answered): string {
  const { location = '' } = answer.headers;
  const before = `/v2/${name}/blobs/uploads/`;
  if (!location.startsWith(before) || location.length === before.length)
    throw new Error(`${what}: location should be ${before}ID, and it is ${location || 'missing'}.`);
  return location.slice(before.length);
}

const range = (size: number) => `0-${Math.max(0, size - 1)}`;

describe('uploads', () => {
  function expectCreated(what: string, answer: Answered, name: string, digest: string): void {
    expectStatus(what, answer, 201);
    expectHeaders(what, answer, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
  }

  /** The blob is there, with its bytes; and no upload is left. */
  function expectStored(registry: Registry, name: string, content: Uint8Array): void {
    expect(registry.hasBlob(name, digestOf(content)), `${name} has the blob`).toBe(true);
    expectBytes('the stored blob', registry.stored(digestOf(content)), content);
    expect(registry.uploads(name), 'uploads that are left').toEqual([]);
  }

  test('task 3: one POST with a digest stores a blob', async () => {
    const registry = newRegistry(3);
    for (const content of [anyContent(), Buffer.alloc(0), draw.bytes(150_000)]) {
      const [name, digest] = [anyName(), digestOf(content)];
      const target = `/v2/${name}/blobs/uploads/?digest=${draw.boolean() ? digest : encodeURIComponent(digest)}`;
      const body = pieces(content, 40_000);
      expectCreated('POST with a digest', await registry.ask('POST', target, { body }), name, digest);
      expectStored(registry, name, content);
    }
  });

  test('task 3: POST begins an upload, and PUT with a digest ends it', async () => {
    const registry = newRegistry(3);
    for (const slash of ['/', '']) {
      const [name, content] = [anyName(), anyContent()];
      const begun = await registry.ask('POST', `/v2/${name}/blobs/uploads${slash}`);
      expectStatus('POST', begun, 202);
      const id = idOf('POST', name, begun);
      expectHeaders('POST', begun, { range: '0-0' });
      expect(registry.uploads(name), 'uploads under way').toEqual([id]);
      const empty = await registry.ask('GET', `/v2/${name}/blobs/uploads/${id}`);
      expectHeaders('GET of an upload without a byte', empty, { range: '0-0' });
      const target = `/v2/${name}/blobs/uploads/${id}?digest=${digestOf(content)}`;
      const ended = await registry.ask('PUT', target, { body: pieces(content) });
      expectCreated('PUT with a digest', ended, name, digestOf(content));
      expectStored(registry, name, content);
      const again = await registry.ask('PUT', target, { body: pieces(content) });
      expectRefused('PUT to an upload that has ended', again, 404, 'BLOB_UPLOAD_UNKNOWN');
    }
  });

  test('task 3: chunks in their order make a blob', async () => {
    const registry = newRegistry(3);
    const [name, content] = [anyName(), anyContent(3000)];
    const id = await registry.placeUpload(name, Buffer.alloc(0));
    const target = `/v2/${name}/blobs/uploads/${id}`;
    const chunks = pieces(content, draw.int(300, 1000));
    const withPut = draw.boolean() ? chunks.pop()! : Buffer.alloc(0);
    let size = 0;
    const rangeOf = (chunk: Uint8Array): Record<string, string> =>
      draw.boolean()
        ? { 'content-range': `${size}-${size + chunk.length - 1}`, 'content-length': `${chunk.length}` }
        : {};
    for (const chunk of chunks) {
      const answer = await registry.ask('PATCH', target, { headers: rangeOf(chunk), body: pieces(chunk) });
      size += chunk.length;
      expectStatus('PATCH', answer, 202);
      expect(idOf('PATCH', name, answer), 'the id in its location').toBe(id);
      expectHeaders('PATCH', answer, { range: range(size) });
      expectBytes('what has arrived', registry.arrived(name, id), content.subarray(0, size));
      const status = await registry.ask('GET', target);
      expectStatus('GET of an upload', status, 204);
      expectHeaders('GET of an upload', status, { range: range(size), location: target });
    }
    const headers = withPut.length > 0 ? rangeOf(withPut) : {};
    const last = await registry.ask('PUT', `${target}?digest=${digestOf(content)}`, { headers, body: [withPut] });
    expectCreated('PUT', last, name, digestOf(content));
    expectStored(registry, name, content);
  });

  test('task 3: a chunk in the wrong place is 416, and the answer says where to go on', async () => {
    const registry = newRegistry(3);
    const [name, content, chunk] = [anyName(), anyContent(), anyContent(500)];
    const id = await registry.placeUpload(name, content);
    const target = `/v2/${name}/blobs/uploads/${id}`;
    const { length: size } = content;
    const questions = [
      ['PATCH', target],
      ['PUT', `${target}?digest=${digestOf(content)}`],
    ] as const;
    for (const first of draw.some([0, size - 1, size + 1, size + draw.int(2, 500)]))
      for (const [method, asked] of questions) {
        const answer = await registry.ask(method, asked, {
          headers: { 'content-range': `${first}-${first + chunk.length - 1}`, 'content-length': `${chunk.length}` },
          body: pieces(chunk),
        });
        const what = `${method} of a chunk for byte ${first} of an upload of ${size} bytes`;
        expectRefused(what, answer, 416, 'BLOB_UPLOAD_INVALID');
        expectHeaders(what, answer, { range: range(size), location: target });
        expectBytes('what has arrived', registry.arrived(name, id), content);
      }
    for (const strange of draw.some(['', draw.word(), '5', '-5', `${size}-x`]))
      for (const [method, asked] of questions) {
        const answer = await registry.ask(method, asked, { headers: { 'content-range': strange }, body: [chunk] });
        expectRefused(`${method} with the content-range "${strange}"`, answer, 400, 'BLOB_UPLOAD_INVALID');
        expectBytes('what has arrived', registry.arrived(name, id), content);
      }
    const right = { 'content-range': `${size}-${size + chunk.length - 1}`, 'content-length': `${chunk.length}` };
    expectStatus(
      'a chunk in the right place',
      await registry.ask('PATCH', target, { headers: right, body: [chunk] }),
      202,
    );
    expectBytes('what has arrived', registry.arrived(name, id), Buffer.concat([content, chunk]));
  });

  test('task 3: of two chunks for the same place that come at the same time, one is taken', async () => {
    const registry = newRegistry(3);
    for (let round = 0; round < 3; round++) {
      const [name, content] = [anyName(), anyContent(500)];
      const id = await registry.placeUpload(name, content);
      const chunks = [anyContent(2000), anyContent(2000)];
      const [one, other] = chunks.map(
        (chunk): Question => ({
          method: 'PATCH',
          target: `/v2/${name}/blobs/uploads/${id}`,
          headers: {
            'content-range': `${content.length}-${content.length + chunk.length - 1}`,
            'content-length': `${chunk.length}`,
          },
          body: pieces(chunk, 100),
        }),
      );
      const statuses = (await registry.askBoth(one!, other!)).map(({ status }) => status);
      expect([...statuses].sort(), 'the statuses of both').toEqual([202, 416]);
      const taken = chunks[statuses.indexOf(202)]!;
      expectBytes('what has arrived', registry.arrived(name, id), Buffer.concat([content, taken]));
    }
  });

  test('task 3: what has arrived stays when the client goes away', async () => {
    const registry = newRegistry(3);
    for (const method of ['PATCH', 'PUT'])
      for (const hasArrived of draw.some([true, false])) {
        const [name, content] = [anyName(), anyContent()];
        const id = await registry.placeUpload(name, Buffer.alloc(0));
        const target = `/v2/${name}/blobs/uploads/${id}`;
        const ending = `${target}?digest=${digestOf(content)}`;
        const body = hasArrived ? pieces(content, draw.int(10, content.length - 1)).slice(0, -1) : [];
        const arrived = Buffer.concat(body);
        const cut = registry.ask(method, method === 'PUT' ? ending : target, { body, after: 'break' });
        await expectThrown(`${method} with a body that fails with ECONNRESET`, cut, 'ECONNRESET');
        expect(registry.uploads(name), `uploads under way after the ${method}`).toEqual([id]);
        expectBytes('what has arrived', registry.arrived(name, id), arrived);
        const status = await registry.ask('GET', target);
        expectStatus('GET of the upload', status, 204);
        expectHeaders('GET of the upload', status, { range: range(arrived.length) });
        const rest = content.subarray(arrived.length);
        const ended = await registry.ask('PUT', ending, {
          headers: { 'content-range': `${arrived.length}-${content.length - 1}`, 'content-length': `${rest.length}` },
          body: [rest],
        });
        expectCreated('PUT of the rest', ended, name, digestOf(content));
        expectStored(registry, name, content);
      }
  });

  test('task 3: bytes that have another digest are not stored', async () => {
    const registry = newRegistry(3);
    const [name, content, digest] = [anyName(), anyContent(), anyDigest()];
    const posted = await registry.ask('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: pieces(content) });
    expectRefused('POST with another digest', posted, 400, 'DIGEST_INVALID');
    expect(registry.uploads(name), 'uploads that are left by the POST').toEqual([]);
    const id = await registry.placeUpload(name, content);
    const put = await registry.ask('PUT', `/v2/${name}/blobs/uploads/${id}?digest=${digest}`);
    expectRefused('PUT with another digest', put, 400, 'DIGEST_INVALID');
    expect(registry.uploads(name), 'uploads that are left by the PUT').toEqual([]);
    for (const each of [digest, digestOf(content)]) {
      expect(registry.hasBlob(name, each), `${name} has a blob ${each}`).toBe(false);
      expect(registry.stored(each), `there is a blob ${each}`).toBe(undefined);
    }
    const right = await registry.ask('POST', `/v2/${name}/blobs/uploads/?digest=${digestOf(content)}`, {
      body: [content],
    });
    expectCreated('POST with the digest', right, name, digestOf(content));
    expectStored(registry, name, content);
  });

  test('task 3: a POST whose client goes away leaves no upload', async () => {
    const registry = newRegistry(3);
    const [name, content] = [anyName(), anyContent()];
    const target = `/v2/${name}/blobs/uploads/?digest=${digestOf(content)}`;
    const cut = registry.ask('POST', target, { body: pieces(content), after: 'break' });
    await expectThrown('POST with a body that fails with ECONNRESET', cut, 'ECONNRESET');
    expect(registry.uploads(name), 'uploads that are left').toEqual([]);
    expect(registry.hasBlob(name, digestOf(content)), `${name} has the blob`).toBe(false);
    expectCreated('the whole POST', await registry.ask('POST', target, { body: [content] }), name, digestOf(content));
  });

  test('task 3: a cancelled upload is gone', async () => {
    const registry = newRegistry(3);
    const [name, content] = [anyName(), anyContent()];
    const [id, other] = [await registry.placeUpload(name, content), await registry.placeUpload(name, content)];
    const target = `/v2/${name}/blobs/uploads/${id}`;
    expectStatus('GET of an upload', await registry.ask('GET', target), 204);
    expectStatus('DELETE of an upload', await registry.ask('DELETE', target), 204);
    expect(registry.uploads(name), 'uploads that are left').toEqual([other]);
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const answer = await registry.ask(method, method === 'PUT' ? `${target}?digest=${digestOf(content)}` : target);
      expectRefused(`${method} of a cancelled upload`, answer, 404, 'BLOB_UPLOAD_UNKNOWN');
    }
  });

  test('task 3: a blob is mounted from another repository, and not sent', async () => {
    const registry = newRegistry(3);
    const [name, from, content] = [`a${anyName()}`, `b${anyName()}`, anyContent()];
    const digest = await registry.placeBlob(from, content);
    const target = `/v2/${name}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`;
    const mounted = await registry.ask('POST', target);
    expectCreated('POST with mount', mounted, name, digest);
    expectStored(registry, name, content);
    expect(registry.hasBlob(from, digest), `${from} still has the blob`).toBe(true);
    const missing = await registry.ask('POST', `/v2/${name}/blobs/uploads/?mount=${anyDigest()}&from=${from}`);
    expectStatus('POST with mount of a blob that is not there', missing, 202);
    expect(registry.uploads(name), 'the upload that has begun instead').toEqual([
      idOf('POST with mount', name, missing),
    ]);
  });

  test('task 3: a blob is mounted only for a client that may pull it', async () => {
    const registry = newRegistry(3);
    const [name, from, content] = [`a${anyName()}`, `b${anyName()}`, anyContent()];
    const digest = await registry.placeBlob(from, content);
    const target = `/v2/${name}/blobs/uploads/?mount=${digest}&from=${from}`;
    const secret = await registry.ask('POST', target, { deny: [`pull ${from}`] });
    expectStatus('POST with mount of what the client may not pull', secret, 202);
    expect(registry.hasBlob(name, digest), `${name} has the blob`).toBe(false);
    const begun = idOf('POST with mount', name, secret);
    expect(registry.uploads(name), 'the upload that has begun instead').toEqual([begun]);
    const looked = secret.calls.filter((call) => call.startsWith('store') && call.split(' ').includes(from));
    expect(looked, `what the store was asked about ${from} without its permission`).toEqual([]);
    const code = `E${draw.word().toUpperCase()}`;
    const broken = registry.ask('POST', target, { failure: { code, calls: `permit pull ${from}` } });
    await expectThrown(`POST with mount when permit('pull', '${from}') fails with ${code}`, broken, code);
    expect(registry.hasBlob(name, digest), `${name} has the blob`).toBe(false);
    const open = await registry.ask('POST', target);
    expectCreated('POST with mount of what the client may pull', open, name, digest);
    expect(open.calls, 'the permissions').toEqual(
      expect.arrayContaining([`permit push ${name}`, `permit pull ${from}`]),
    );
  });

  test('task 3: an invalid id, digest or name is refused before the store sees it', async () => {
    const registry = newRegistry(3);
    const [name, content] = [anyName(), anyContent()];
    const id = await registry.placeUpload(name, content);
    for (const strange of strangeIds())
      for (const method of ['GET', 'PATCH', 'DELETE', 'PUT']) {
        const target = `/v2/${name}/blobs/uploads/${strange}${method === 'PUT' ? `?digest=${anyDigest()}` : ''}`;
        const answer = await registry.ask(method, target, { body: method === 'GET' ? [] : [content] });
        expectStatus(`${method} ${target}`, answer, 404);
      }
    const stranger = await registry.ask('GET', `/v2/x${name}/blobs/uploads/${id}`);
    expectRefused('an upload of another repository', stranger, 404, 'BLOB_UPLOAD_UNKNOWN');
    for (const strange of strangeDigests())
      for (const [method, path] of [
        ['POST', `uploads/?digest=${strange}`],
        ['POST', `uploads/?mount=${strange}&from=x`],
        ['PUT', `uploads/${id}?digest=${strange}`],
      ] as const) {
        const answer = await registry.ask(method, `/v2/${name}/blobs/${path}`, { body: [content] });
        expectRefused(`${method} ${path}`, answer, 400, 'DIGEST_INVALID');
      }
    expect(registry.uploads(name), 'uploads under way').toEqual([id]);
    const without = await registry.ask('PUT', `/v2/${name}/blobs/uploads/${id}`, { body: [content] });
    expectRefused('PUT without a digest', without, 400, 'DIGEST_INVALID');
    const digest = await registry.placeBlob(draw.word(), anyContent());
    // Whatever the answer is: the store must not be asked about it.
    await registry.ask('POST', `/v2/${name}/blobs/uploads/?mount=${digest}&from=..%2f..%2f${draw.word()}`);
    expectBytes('the upload that is under way', registry.arrived(name, id), content);
    const ended = await registry.ask('PUT', `/v2/${name}/blobs/uploads/${id}?digest=${digestOf(content)}`);
    expectCreated('PUT', ended, name, digestOf(content));
  });

  test('task 3: the permission is asked for before the store', async () => {
    const registry = newRegistry(3);
    const [name, content] = [anyName(), anyContent()];
    const upload = async (): Promise<string> =>
      `/v2/${name}/blobs/uploads/${await registry.placeUpload(name, content)}`;
    await expectPermission(
      registry,
      [
        { method: 'POST', target: `/v2/${name}/blobs/uploads/` },
        { method: 'POST', target: `/v2/${name}/blobs/uploads/?digest=${digestOf(content)}`, body: [content] },
        { method: 'GET', target: await upload() },
        { method: 'PATCH', target: await upload(), body: [content] },
        { method: 'PUT', target: `${await upload()}?digest=${digestOf(content)}` },
        { method: 'DELETE', target: await upload() },
      ].map((question): [string, Question] => [`push ${name}`, question]),
    );
  });
});

describe('manifests', () => {
  const put = (registry: Registry, name: string, reference: string, body: Uint8Array, type: string | null = MANIFEST) =>
    registry.ask('PUT', `/v2/${name}/manifests/${reference}`, {
      headers: type === null ? {} : { 'content-type': type },
      body: pieces(body),
    });

  async function expectPut(registry: Registry, name: string, reference: string, body: Uint8Array, type = MANIFEST) {
    const answer = await put(registry, name, reference, body, type);
    const what = `PUT of the manifest ${reference}`;
    expectStatus(what, answer, 201);
    expectHeaders(what, answer, {
      location: `/v2/${name}/manifests/${reference}`,
      'docker-content-digest': digestOf(body),
    });
    expect(registry.hasManifest(name, digestOf(body)), `${name} has the manifest`).toBe(true);
    expectBytes('the stored manifest', registry.stored(digestOf(body)), body);
  }

  test('task 4: a manifest is sent as it was pushed, by its tag and by its digest', async () => {
    const registry = newRegistry(4);
    const [name, tag, image] = [anyName(), anyTag(), anyImage()];
    const digest = await registry.placeManifest(name, [tag], image.manifest);
    for (const reference of [tag, digest]) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await registry.ask(method, `/v2/${name}/manifests/${reference}`, { headers: { accept: '*/*' } });
        const what = `${method} of the manifest ${reference}`;
        expectStatus(what, answer, 200);
        expectHeaders(what, answer, {
          'content-type': MANIFEST,
          'content-length': `${image.manifest.length}`,
          'docker-content-digest': digest,
        });
        if (method === 'GET') expectBytes('its body', answer.body, image.manifest);
      }
    }
  });

  test('task 4: a manifest that is not there is MANIFEST_UNKNOWN, or NAME_UNKNOWN without its repository', async () => {
    const registry = newRegistry(4);
    const [name, tag] = [anyName(), anyTag()];
    await registry.placeManifest(name, [tag], anyImage().manifest);
    for (const reference of [`x${anyTag()}`, anyDigest()])
      for (const method of ['GET', 'DELETE']) {
        const here = await registry.ask(method, `/v2/${name}/manifests/${reference}`);
        expectRefused(`${method} of ${reference}, which is not there`, here, 404, 'MANIFEST_UNKNOWN');
        const nowhere = await registry.ask(method, `/v2/x${name}/manifests/${reference}`);
        expectRefused(`${method} of a manifest of a repository that is not there`, nowhere, 404, 'NAME_UNKNOWN');
      }
    expectStatus('GET of one that is there', await registry.ask('GET', `/v2/${name}/manifests/${tag}`), 200);
  });

  test('task 4: a manifest is stored byte for byte, under its tag and its digest', async () => {
    const registry = newRegistry(4);
    const [name, tag, first, second] = [anyName(), anyTag(), anyImage(), anyImage()];
    for (const [image, type] of [
      [first, `${MANIFEST}; charset=utf-8`],
      [second, MANIFEST],
    ] as const) {
      await registry.placeParts(name, image);
      await expectPut(registry, name, tag, image.manifest, type);
      expect(registry.tag(name, tag), `where the tag ${tag} points`).toBe(digestOf(image.manifest));
    }
    expect(registry.hasManifest(name, digestOf(first.manifest)), 'the first one is still there').toBe(true);
    const third = anyImage();
    await registry.placeParts(name, third);
    await expectPut(registry, name, digestOf(third.manifest), third.manifest);
    expect(registry.tag(name, tag), `where the tag ${tag} points`).toBe(digestOf(second.manifest));
  });

  test('task 4: a manifest whose blobs are missing is refused with a list of them', async () => {
    const registry = newRegistry(4);
    const [name, other, image] = [`a${anyName()}`, `b${anyName()}`, anyImage()];
    const parts = [image.config, ...image.layers];
    const [lost, ...rest] = draw.some(parts);
    for (const part of rest) await registry.placeBlob(name, part);
    // Another repository has it: that does not count.
    await registry.placeBlob(other, lost!);
    const answer = await put(registry, name, anyTag(), image.manifest);
    expectRefused('a manifest without one of its blobs', answer, 404, 'MANIFEST_BLOB_UNKNOWN');
    const detail = errorsOf(answer)[0]!.detail;
    const digests = (Array.isArray(detail) ? detail : []).map((each: { digest?: string }) => each?.digest);
    expect(digests, 'the digests in detail').toEqual([digestOf(lost!)]);
    expect(registry.hasManifest(name, digestOf(image.manifest)), 'the manifest is stored').toBe(false);
    await registry.placeBlob(name, lost!);
    const { config, layers } = image.document;
    const longer = <T extends { size: number }>(part: T): T => ({ ...part, size: part.size + draw.int(1, 9) });
    const at = draw.int(0, layers.length - 1);
    const lies = {
      config: longer(config),
      layers: layers.map((layer, which) => (which === at ? longer(layer) : layer)),
    };
    for (const key of ['config', 'layers'] as const) {
      const lying = await put(registry, name, anyTag(), textOf({ ...image.document, [key]: lies[key] }));
      expectRefused(`a wrong size in ${key}`, lying, 404, 'MANIFEST_BLOB_UNKNOWN');
    }
    await expectPut(registry, name, anyTag(), image.manifest);
  });

  test('task 4: an index needs its manifests', async () => {
    const registry = newRegistry(4);
    const [name, tag, one, two] = [anyName(), anyTag(), anyImage(), anyImage()];
    const { index, document } = anyIndex([one.manifest, two.manifest]);
    await registry.placeManifest(name, [], one.manifest);
    // The same bytes as a blob are not a manifest.
    await registry.placeBlob(name, two.manifest);
    const answer = await put(registry, name, tag, index, INDEX);
    expectRefused('an index without one of its manifests', answer, 404, 'MANIFEST_BLOB_UNKNOWN');
    expect(JSON.stringify(errorsOf(answer)[0]!.detail), 'detail').toContain(digestOf(two.manifest));
    await registry.placeManifest(name, [], two.manifest);
    const wrong = draw.int(0, 1);
    const manifests = document.manifests.map((each, at) => ({ ...each, size: each.size + (at === wrong ? 1 : 0) }));
    const lying = await put(registry, name, tag, textOf({ ...document, manifests }), INDEX);
    expectRefused('a wrong size in manifests', lying, 404, 'MANIFEST_BLOB_UNKNOWN');
    await expectPut(registry, name, tag, index, INDEX);
    expect(registry.tag(name, tag), `where the tag ${tag} points`).toBe(digestOf(index));
  });

  test('task 4: a manifest under the digest of other bytes is refused', async () => {
    const registry = newRegistry(4);
    const [name, image] = [anyName(), anyImage()];
    await registry.placeParts(name, image);
    for (const digest of [anyDigest(), digestOf(image.config)]) {
      const answer = await put(registry, name, digest, image.manifest);
      expectRefused('a manifest under another digest', answer, 400, 'DIGEST_INVALID');
      expect(registry.hasManifest(name, digest), `there is a manifest ${digest}`).toBe(false);
    }
    expect(registry.hasManifest(name, digestOf(image.manifest)), 'the manifest is stored').toBe(false);
    await expectPut(registry, name, digestOf(image.manifest), image.manifest);
  });

  test('task 4: what is not a manifest is refused', async () => {
    const registry = newRegistry(4);
    const [name, tag, image] = [anyName(), anyTag(), anyImage()];
    await registry.placeParts(name, image);
    const { document } = image;
    const { config, layers } = document;
    const strange: [string, Buffer][] = [
      ['an empty body', Buffer.alloc(0)],
      ['half a manifest', image.manifest.subarray(0, draw.int(1, image.manifest.length - 1))],
      ['a page', Buffer.from(`<html>${draw.word()}</html>`)],
      ['null', Buffer.from('null')],
      ['a list', Buffer.from(JSON.stringify([document]))],
      ['a text', Buffer.from(JSON.stringify(draw.word()))],
      ['a manifest that is an index, too', textOf({ ...document, manifests: [] })],
      ['a manifest without a config', textOf({ ...document, config: undefined })],
      ['layers that are not a list', textOf({ ...document, layers: { ...layers } })],
      ['a layer that is null', textOf({ ...document, layers: [...layers, null] })],
      ['a config without a digest', textOf({ ...document, config: { ...config, digest: undefined } })],
      ['a config whose digest climbs', textOf({ ...document, config: { ...config, digest: `../../${draw.word()}` } })],
      ['a config without a size', textOf({ ...document, config: { ...config, size: undefined } })],
      ['a size below 0', textOf({ ...document, config: { ...config, size: -1 } })],
      ['a size that is a text', textOf({ ...document, config: { ...config, size: `${config.size}` } })],
      ['half a byte', textOf({ ...document, config: { ...config, size: config.size + 0.5 } })],
    ];
    for (const [what, body] of draw.some(strange))
      expectRefused(what, await put(registry, name, tag, body), 400, 'MANIFEST_INVALID');
    const index = anyIndex([image.manifest]).document;
    for (const [what, body] of [
      ['an index with layers', textOf({ ...index, layers })],
      ['manifests that are not a list', textOf({ ...index, manifests: { ...index.manifests } })],
    ] as const)
      expectRefused(what, await put(registry, name, tag, body, INDEX), 400, 'MANIFEST_INVALID');
    expect(registry.tag(name, tag), `where the tag ${tag} points`).toBe(undefined);
    await expectPut(registry, name, tag, image.manifest);
  });

  test('task 4: the media type is that of the document or of the request, and both must agree', async () => {
    const registry = newRegistry(4);
    const [name, tag, image] = [anyName(), anyTag(), anyImage()];
    await registry.placeParts(name, image);
    const typeless = textOf({ ...image.document, mediaType: undefined });
    expectRefused('two types', await put(registry, name, tag, image.manifest, INDEX), 400, 'MANIFEST_INVALID');
    expectRefused('no type', await put(registry, name, tag, typeless, null), 400, 'MANIFEST_INVALID');
    expect(registry.tag(name, tag), `where the tag ${tag} points`).toBe(undefined);
    for (const [body, type] of draw.some([
      [image.manifest, null],
      [typeless, MANIFEST],
      [image.manifest, MANIFEST],
    ] as const)) {
      expectStatus('PUT', await put(registry, name, tag, body, type), 201);
      const answer = await registry.ask('GET', `/v2/${name}/manifests/${tag}`);
      expectHeaders('GET', answer, { 'content-type': MANIFEST });
    }
  });

  test('task 4: a manifest of more than 4 MiB is refused, and not read to its end', async () => {
    const registry = newRegistry(4);
    const [name, tag, image] = [anyName(), anyTag(), anyImage()];
    await registry.placeParts(name, image);
    const ask = (more: Partial<Question>) =>
      registry.ask('PUT', `/v2/${name}/manifests/${tag}`, { headers: { 'content-type': MANIFEST }, ...more });
    const room = MANIFEST_SIZE_MAX - image.manifest.length;
    const larger = await ask({ body: [image.manifest, { blanks: room + 1 }] });
    expectRefused('a manifest of 4 MiB and a byte', larger, 413, 'SIZE_INVALID');
    const piece = Buffer.alloc(65_536, ' ');
    const endless = await ask({ body: [piece], after: 'forever' });
    expectRefused('a manifest without end', endless, 413, 'SIZE_INVALID');
    const read = endless.asked * piece.length;
    if (read > MANIFEST_SIZE_MAX + 4 * piece.length)
      throw new Error(`Reading should end soon after ${MANIFEST_SIZE_MAX} bytes; ${read} bytes were read.`);
    expectStatus('a manifest of 4 MiB', await ask({ body: [image.manifest, { blanks: room }] }), 201);
  });

  test('task 4: deleting a tag leaves the manifest, and deleting the manifest takes its tags along', async () => {
    const registry = newRegistry(4);
    const [name, image, other] = [anyName(), anyImage(), anyImage()];
    const [one, two, three] = [`a${anyTag()}`, `b${anyTag()}`, `c${anyTag()}`];
    const digest = await registry.placeManifest(name, [one, two], image.manifest);
    const another = await registry.placeManifest(name, [three], other.manifest);
    const tags = () => [one, two, three].map((tag) => registry.tag(name, tag));
    expectStatus('DELETE of a tag', await registry.ask('DELETE', `/v2/${name}/manifests/${one}`), 202);
    expect(tags(), 'where the tags point').toEqual([undefined, digest, another]);
    expect(registry.hasManifest(name, digest), 'the manifest is there').toBe(true);
    expectStatus('DELETE of a manifest', await registry.ask('DELETE', `/v2/${name}/manifests/${digest}`), 202);
    expect(tags(), 'where the tags point').toEqual([undefined, undefined, another]);
    expect(registry.hasManifest(name, digest), 'the manifest is there').toBe(false);
    expect(registry.hasManifest(name, another), 'the other manifest is there').toBe(true);
  });

  test('task 4: an invalid tag or digest is refused before the store sees it', async () => {
    const registry = newRegistry(4);
    const [name, image] = [anyName(), anyImage()];
    await registry.placeParts(name, image);
    const body = { headers: { 'content-type': MANIFEST }, body: [image.manifest] };
    const tags = ['..', '%2e%2e', '.x', '-x', `${draw.word()}%0a`, 'a'.repeat(129), 'a%20b', '%c3%a9', 'a+b', '@x'];
    for (const strange of draw.some([...tags, ...strangeDigests()]))
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const answer = await registry.ask(method, `/v2/${name}/manifests/${strange}`, method === 'PUT' ? body : {});
        if (mayLeadNowhere(strange, answer)) continue;
        const code = strange.includes(':') ? 'DIGEST_INVALID' : 'MANIFEST_INVALID';
        expectRefused(`${method} of the manifest ${strange}`, answer, 400, code);
      }
    expect(registry.astray(), 'files beside the store').toEqual([]);
    for (const tag of ['a'.repeat(128), '_', 'A.b-c_D', '0']) await expectPut(registry, name, tag, image.manifest);
  });

  test('task 4: the permission is asked for before the store', async () => {
    const registry = newRegistry(4);
    const [name, image, tag] = [anyName(), anyImage(), anyTag()];
    await registry.placeParts(name, image);
    await registry.placeManifest(name, [`x${tag}`], anyImage().manifest);
    await registry.placeManifest(name, [`y${tag}`], anyImage().manifest);
    const body = { headers: { 'content-type': MANIFEST }, body: [image.manifest] };
    await expectPermission(registry, [
      [`pull ${name}`, { method: 'GET', target: `/v2/${name}/manifests/x${tag}` }],
      [`pull ${name}`, { method: 'HEAD', target: `/v2/${name}/manifests/x${tag}` }],
      [`push ${name}`, { method: 'PUT', target: `/v2/${name}/manifests/${tag}`, ...body }],
      [`delete ${name}`, { method: 'DELETE', target: `/v2/${name}/manifests/y${tag}` }],
    ]);
  });
});

describe('lists', () => {
  /** Some different names in the order of the store. */
  const anyNames = (count: number, make: () => string) => {
    const names = new Set<string>();
    while (names.size < count) names.add(make());
    return [...names].sort();
  };
  const bytes = () => anyImage().manifest;

  test('task 5: the tags of a repository are listed', async () => {
    const registry = newRegistry(5);
    const [name, tags] = [anyName(), anyNames(draw.int(2, 6), anyTag)];
    await registry.placeManifest(name, draw.some(tags), bytes());
    const target = `/v2/${name}/tags/list`;
    const answer = await registry.ask('GET', target);
    expectStatus('GET of the tags', answer, 200);
    expect(answer.headers['content-type'], 'content-type').toMatch(/^application\/json/);
    expect(jsonOf(answer)).toEqual({ name, tags });
    await registry.placeBlob(`x${name}`, anyContent());
    expect(jsonOf(await registry.ask('GET', `/v2/x${name}/tags/list`)), 'without a tag').toEqual({
      name: `x${name}`,
      tags: [],
    });
    const nowhere = await registry.ask('GET', `/v2/y${name}/tags/list`);
    expectRefused('the tags of a repository that is not there', nowhere, 404, 'NAME_UNKNOWN');
    await expectPermission(registry, [[`pull ${name}`, { method: 'GET', target }]]);
  });

  test('task 5: the repositories are listed', async () => {
    const registry = newRegistry(5);
    expect(jsonOf(await registry.ask('GET', '/v2/_catalog')), 'of an empty registry').toEqual({ repositories: [] });
    const names = anyNames(draw.int(2, 6), anyName);
    for (const name of draw.some(names)) await registry.placeBlob(name, anyContent());
    expect(jsonOf(await registry.ask('GET', '/v2/_catalog'))).toEqual({ repositories: names });
    await expectPermission(registry, [['catalog', { method: 'GET', target: '/v2/_catalog' }]]);
  });

  test('task 5: a long list comes in pages, and the header link leads from one to the next', async () => {
    const registry = newRegistry(5);
    const [name, tags] = [anyName(), anyNames(draw.int(5, 9), anyTag)];
    await registry.placeManifest(name, tags, bytes());
    const names = anyNames(draw.int(5, 9), () => `${draw.word()}/${draw.word()}`);
    for (const each of names) await registry.placeBlob(`z/${each}`, anyContent());
    const lists: [target: string, key: string, all: string[]][] = [
      [`/v2/${name}/tags/list`, 'tags', tags],
      ['/v2/_catalog', 'repositories', [name, ...names.map((each) => `z/${each}`)].sort()],
    ];
    for (const [target, key, all] of lists) {
      // Three pages at least, so that the second one has to say as well how long it may be.
      const n = draw.int(1, 2);
      const found: unknown[] = [];
      for (let next: string | undefined = `${target}?n=${n}`; next !== undefined; ) {
        const answer: Answered = await registry.ask('GET', next);
        expectStatus(`GET ${next}`, answer, 200);
        const page = jsonOf(answer)[key] as unknown[];
        expect(page, `GET ${next}`).toHaveLength(Math.min(n, all.length - found.length));
        found.push(...page);
        const { link } = answer.headers;
        const [, following] = /^<(\/[^>]+)>; *rel="?next"?$/.exec(link ?? '') ?? [];
        if (found.length < all.length && following === undefined)
          throw new Error(`GET ${next}: link should lead to the next page, and it is ${link ?? 'missing'}.`);
        if (found.length >= all.length) expect(link, `link of the last page, ${next}`).toBe(undefined);
        next = following;
      }
      expect(found, `all pages of ${target}`).toEqual(all);
    }
  });

  test('task 5: `last` and `n` choose a part of a list', async () => {
    const registry = newRegistry(5);
    const [name, tags] = [anyName(), anyNames(draw.int(5, 9), anyTag)];
    await registry.placeManifest(name, tags, bytes());
    const list = async (query: string) => {
      const answer = await registry.ask('GET', `/v2/${name}/tags/list?${query}`);
      expectStatus(`the list for ${query}`, answer, 200);
      return { tags: jsonOf(answer).tags, link: answer.headers.link };
    };
    const at = draw.int(1, tags.length - 2);
    const rest = tags.slice(at + 1);
    expect(await list(`last=${tags[at]}`), `after ${tags[at]}`).toEqual({ tags: rest, link: undefined });
    // The tag that the last page ended with may have been deleted meanwhile.
    const between = `${tags[at]}.`;
    expect(await list(`last=${between}`), `after ${between}`).toEqual({
      tags: tags.filter((tag) => tag > between),
      link: undefined,
    });
    expect(await list('last=zzzzzzzzzzzzz'), 'after all').toEqual({ tags: [], link: undefined });
    for (const n of [tags.length, tags.length + draw.int(1, 99), 10 ** draw.int(10, 13)])
      expect(await list(`n=${n}`), `n=${n} of ${tags.length}`).toEqual({ tags, link: undefined });
    expect(await list('n=0'), 'n=0').toEqual({ tags: [], link: undefined });
    for (const n of draw.some(['-1', draw.word(), '1.5', '1e1', '', '%2b1'])) {
      const answer = await registry.ask('GET', `/v2/${name}/tags/list?n=${n}`);
      expectRefused(`n=${n}`, answer, 400, 'UNSUPPORTED');
    }
  });
});

// ---- clients that nobody wrote for this ----

const run = promisify(execFile);

/** Whether this machine has one that can what is asked of it here: asked before anything of the subject is. */
const hasSkopeo = `${spawnSync('skopeo', ['copy', '--help']).stdout}`.includes('--preserve-digests');

/** All that is handed on of an answer's headers. */
const HANDED_ON = new Set(
  'allow content-length content-range content-type docker-content-digest link location range'.split(' '),
);

/**
 * The client runs outside of the sandbox, and would ask whatever host an answer of the submission names.
 * @param manifest the only one that there is: the layers of another may have addresses of their own.
 */
function leadsAway(asked: string, { status, headers, body }: Answered, manifest: Uint8Array): string | undefined {
  const { location, link, 'www-authenticate': login } = headers;
  if (!(status >= 200 && status < 300) && !(status >= 400 && status < 600)) return `the status ${status}`;
  if (login !== undefined) return `www-authenticate: ${login}`;
  if (location !== undefined && !location.startsWith('/v2/')) return `location: ${location}`;
  if (link !== undefined && !link.startsWith('</v2/')) return `link: ${link}`;
  const isManifest = /^GET [^?]*\/manifests\/[^/?]*(?:\?|$)/.test(asked) && status < 300;
  return isManifest && Buffer.compare(body, manifest) !== 0
    ? 'another manifest than the one that was pushed'
    : undefined;
}

/** The registry on a port of the loopback: the judge's own HTTP, each request of it handed to the plank. */
async function listening(registry: Registry, manifest: Uint8Array): Promise<{ host: string; failures: string[] }> {
  const failures: string[] = [];
  const server = http.createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    try {
      const sent = pieces(await buffer(request), 60_000);
      const flat = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, `${value}`]));
      const answer = await registry.ask(method, url, { headers: flat, body: sent });
      const away = leadsAway(`${method} ${url}`, answer, manifest);
      if (away !== undefined) throw new Error(`a client is not handed ${away}`);
      const told = Object.entries(answer.headers).filter(([name]) => HANDED_ON.has(name));
      const body = method === 'HEAD' ? undefined : answer.body;
      response.writeHead(answer.status, Object.fromEntries(told)).end(body);
    } catch (error) {
      failures.push(`${method} ${url}: ${(error as Error).message}`);
      response.writeHead(500).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, failures };
}

/** An image as skopeo has it in a directory. @returns its files, all of them named by what is in them. */
function imageIn(directory: string, image: ReturnType<typeof anyImage>): void {
  writeFileSync(join(directory, 'version'), 'Directory Transport Version: 1.1\n');
  writeFileSync(join(directory, 'manifest.json'), image.manifest);
  for (const part of [image.config, ...image.layers]) writeFileSync(join(directory, digestOf(part).slice(7)), part);
}

describe('clients', () => {
  async function skopeo(failures: string[], ...args: string[]): Promise<string> {
    try {
      return (await run('skopeo', ['--insecure-policy', ...args], { timeout: 60_000 })).stdout;
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      throw new Error([`skopeo ${args[0]} fails: ${stderr}`, ...failures].join('\n'));
    }
  }

  function emptyDirectory(): string {
    const directory = mkdtempSync(join(tmpdir(), 'skiff-lab-registry-'));
    onTestFinished(() => removeTree(directory));
    return directory;
  }

  /** What skopeo asks for when it pushes an image, one request after the other. */
  async function pushLikeSkopeo(registry: Registry, name: string, tag: string, image: ReturnType<typeof anyImage>) {
    expectStatus('GET /v2/', await registry.ask('GET', '/v2/'), 200);
    for (const part of [...image.layers, image.config]) {
      const digest = digestOf(part);
      expectStatus('HEAD of a blob', await registry.ask('HEAD', `/v2/${name}/blobs/${digest}`), 404);
      const begun = await registry.ask('POST', `/v2/${name}/blobs/uploads/`, { headers: { 'content-length': '0' } });
      expectStatus('POST', begun, 202);
      const sent = await registry.ask('PATCH', begun.headers.location!, { body: pieces(part) });
      expectStatus('PATCH', sent, 202);
      const target = `${sent.headers.location}?digest=${encodeURIComponent(digest)}`;
      expectStatus('PUT', await registry.ask('PUT', target), 201);
    }
    const headers = { 'content-type': MANIFEST };
    const pushed = await registry.ask('PUT', `/v2/${name}/manifests/${tag}`, { headers, body: [image.manifest] });
    expectStatus('PUT of the manifest', pushed, 201);
  }

  test('task 6: what skopeo pushes is stored, byte for byte', async () => {
    const registry = newRegistry(6);
    const [name, tag, image] = [anyName(), anyTag(), anyImage()];
    if (hasSkopeo) {
      const [source, { host, failures }] = [emptyDirectory(), await listening(registry, image.manifest)];
      imageIn(source, image);
      const target = `docker://${host}/${name}:${tag}`;
      await skopeo(failures, 'copy', '--preserve-digests', '--dest-tls-verify=false', `dir:${source}`, target);
    } else await pushLikeSkopeo(registry, name, tag, image);
    for (const part of [image.config, ...image.layers]) {
      expect(registry.hasBlob(name, digestOf(part)), `${name} has the blob ${digestOf(part)}`).toBe(true);
      expectBytes('the stored blob', registry.stored(digestOf(part)), part);
    }
    expect(registry.tag(name, tag), `where the tag ${tag} points`).toBe(digestOf(image.manifest));
    expectBytes('the stored manifest', registry.stored(digestOf(image.manifest)), image.manifest);
    expect(registry.uploads(name), 'uploads that are left').toEqual([]);
  });

  test('task 6: what skopeo pulls is what was pushed', async () => {
    const registry = newRegistry(6);
    const [name, tag, image] = [anyName(), anyTag(), anyImage()];
    await registry.placeParts(name, image);
    await registry.placeManifest(name, [tag], image.manifest);
    const parts = [image.config, ...image.layers];
    if (hasSkopeo) {
      const [target, { host, failures }] = [emptyDirectory(), await listening(registry, image.manifest)];
      await skopeo(
        failures,
        'copy',
        '--preserve-digests',
        '--src-tls-verify=false',
        `docker://${host}/${name}:${tag}`,
        `dir:${target}`,
      );
      expectBytes('the manifest that skopeo got', readFileSync(join(target, 'manifest.json')), image.manifest);
      for (const part of parts)
        expectBytes('a blob that skopeo got', readFileSync(join(target, digestOf(part).slice(7))), part);
    } else {
      const answer = await registry.ask('GET', `/v2/${name}/manifests/${tag}`, { headers: { accept: MANIFEST } });
      expectBytes('the manifest', answer.body, image.manifest);
      for (const part of parts)
        expectBytes('a blob', (await registry.ask('GET', `/v2/${name}/blobs/${digestOf(part)}`)).body, part);
    }
  });

  test('task 6: skopeo copies an image to another repository, lists its tags and deletes it', async () => {
    const registry = newRegistry(6);
    const [name, other, image] = [`a${anyName()}`, `b${anyName()}`, anyImage()];
    const tags = [`a${anyTag()}`, `b${anyTag()}`];
    await registry.placeParts(name, image);
    await registry.placeManifest(name, tags, image.manifest);
    if (hasSkopeo) {
      const { host, failures } = await listening(registry, image.manifest);
      const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
      const [from, to] = [`docker://${host}/${name}`, `docker://${host}/${other}`];
      await skopeo(failures, 'copy', '--preserve-digests', ...insecure, `${from}:${tags[0]}`, `${to}:copy`);
      const listed = JSON.parse(await skopeo(failures, 'list-tags', '--tls-verify=false', from)) as { Tags: string[] };
      expect(listed.Tags, 'the tags that skopeo lists').toEqual(tags);
      await skopeo(failures, 'delete', '--tls-verify=false', `${from}:${tags[0]}`);
    } else {
      for (const part of [...image.layers, image.config]) {
        const target = `/v2/${other}/blobs/uploads/?mount=${digestOf(part)}&from=${name}`;
        expectStatus('POST with mount', await registry.ask('POST', target), 201);
      }
      const more = { headers: { 'content-type': MANIFEST }, body: [image.manifest] };
      expectStatus('PUT of the manifest', await registry.ask('PUT', `/v2/${other}/manifests/copy`, more), 201);
      expect(jsonOf(await registry.ask('GET', `/v2/${name}/tags/list`))).toEqual({ name, tags });
      const target = `/v2/${name}/manifests/${digestOf(image.manifest)}`;
      expectStatus('DELETE of the manifest', await registry.ask('DELETE', target), 202);
    }
    expect(registry.tag(other, 'copy'), `where ${other}:copy points`).toBe(digestOf(image.manifest));
    expect(registry.hasManifest(name, digestOf(image.manifest)), `${name} has the manifest`).toBe(false);
    expect(registry.hasManifest(other, digestOf(image.manifest)), `${other} has the manifest`).toBe(true);
  });
});
