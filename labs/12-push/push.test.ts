import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Begun, PushDescriptor, Upload } from '../../engine/registry/contract/push.ts';
import { nonce } from '../../grader/harness/evidence.ts';
import { draw } from '../../grader/harness/random.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';
import type { Failure, Message, Outcome, Reply, Setup } from './push.driver.ts';
import { converse } from './testing/converse.ts';
import { digestOf, type LocationStyle, RecordingRegistry, type Seen } from './testing/recording-registry.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject({ patience: 10_000 });
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const MIB = 1024 * 1024;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const STYLES: LocationStyle[] = ['path', 'query', 'elsewhere'];

const anyRepository = () => `${draw.word()}/${draw.word()}`;
const anyRegistry = () => new RecordingRegistry(anyRepository(), nonce);

/** A blob that is only named. */
function named(size = draw.int(1, 1_000_000)): PushDescriptor {
  return { mediaType: LAYER, digest: digestOf(draw.bytes(16)), size };
}

interface Content extends PushDescriptor {
  bytes: Buffer;
}

/** A blob, or a document, with bytes of its own. */
function contentOf(bytes: Buffer, mediaType = LAYER): Content {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

const anyBlob = (size: number) => contentOf(draw.bytes(size));
const contentsOf = (...all: Content[]) => Object.fromEntries(all.map(({ digest, bytes }) => [digest, bytes]));
const described = ({ mediaType, digest, size }: PushDescriptor) => ({ mediaType, digest, size });

type Call = Partial<Setup> & Pick<Setup, 'call'>;

/** Call a function that has to return. */
async function returned(registry: RecordingRegistry, setup: Call): Promise<Outcome> {
  const outcome = await called(registry, setup);
  if (outcome.threw)
    throw new Error(
      `${setup.call}() should return, and it threw ${outcome.threw.name}: ${outcome.threw.message}. ${asked(registry)}`,
    );
  return outcome;
}

/** Call a function that has to throw. */
async function threw(registry: RecordingRegistry, setup: Call, what: string): Promise<NonNullable<Outcome['threw']>> {
  const outcome = await called(registry, setup);
  if (!outcome.threw)
    throw new Error(`${what}: ${setup.call}() should throw, and it returned ${JSON.stringify(outcome.value)}.`);
  return outcome.threw;
}

function called(registry: RecordingRegistry, setup: Call): Promise<Outcome> {
  return converse(subject, { chunkSize: 1000, contents: {}, ...setup }, (message) => registry.answer(message));
}

/** Every request but a DELETE has a signal, and every answer is free again. */
function expectTidy(registry: RecordingRegistry): void {
  expect(registry.unsignalled, 'requests without a signal').toEqual([]);
  expect(
    [...registry.unread.values()].map(({ method }) => method),
    'answers whose body was not discarded',
  ).toEqual([]);
}

const asked = (registry: RecordingRegistry) => `The registry was asked: ${registry.lines.join(', ') || 'nothing'}.`;

describe('before a byte is sent', () => {
  const begin = (registry: RecordingRegistry, blob: PushDescriptor, more: Partial<Setup> = {}) =>
    returned(registry, { call: 'beginUpload', blob, ...more });

  test('task 1: a blob that the repository has is only looked for', async () => {
    for (let round = 0; round < 3; round++) {
      const registry = anyRegistry();
      const [there, missing] = [named(), named()];
      registry.blobs.set(there.digest, Buffer.alloc(0));
      const { value } = await begin(registry, there, { mounts: [anyRepository()] });
      expect(value, 'of a blob that is there').toEqual({ state: 'exists' });
      expect(registry.lines, 'for a blob that is there').toEqual([`HEAD blobs/${there.digest}`]);
      const other = await begin(registry, missing);
      expect((other.value as Begun).state, 'of a blob that is missing').toBe('begun');
      expect(registry.lines.slice(1)).toEqual([`HEAD blobs/${missing.digest}`, 'POST a new upload']);
    }
  });

  test('task 1: a missing blob begins an upload at the place that the registry names', async () => {
    for (const style of draw.some(STYLES)) {
      const registry = anyRegistry();
      registry.style = style;
      const blob = named();
      const chunkSize = draw.int(1, 5000);
      let location: string | undefined;
      registry.rule = ({ method }) => {
        if (method !== 'POST') return undefined;
        location = registry.begin();
        return { status: 202, headers: { Location: location } };
      };
      const { value } = await begin(registry, blob, { chunkSize });
      expect(value).toEqual({ state: 'begun', upload: { location, sent: 0, chunkSize } });
    }
  });

  test('task 1: a blob that another repository has is mounted', async () => {
    const registry = anyRegistry();
    const blob = named();
    const from = `${anyRepository()}-${draw.int(1, 9)}`;
    registry.mountable.add(from);
    const { value } = await begin(registry, blob, { mounts: [from, anyRepository()] });
    expect(value).toEqual({ state: 'mounted', from });
    expect(registry.lines).toEqual([`HEAD blobs/${blob.digest}`, `POST a mount from ${from}`]);
    const { url, scopes } = registry.of('POST')[0]!;
    expect(url.searchParams.get('mount'), 'mount= in the query').toBe(blob.digest);
    expect(scopes, 'the scopes of the request').toEqual([`repository:${from}:pull`]);
  });

  test('task 1: the upload that a registry begins in place of a mount is used', async () => {
    const registry = anyRegistry();
    const blob = named();
    const [from, other] = [anyRepository(), anyRepository()];
    registry.mountable.add(other);
    const { value } = await begin(registry, blob, { mounts: [from, other] });
    expect((value as Begun).state).toBe('begun');
    expect(registry.lines).toEqual([`HEAD blobs/${blob.digest}`, `POST a mount from ${from}`]);
    const [id, open] = [...registry.uploads][0]!;
    expect((value as { upload: Upload }).upload.location, 'the location').toBe(
      `/v2/${registry.name}/blobs/uploads/${id}.${open.token}`,
    );
  });

  test('task 1: after a refused mount the next repository is tried, up to the third', async () => {
    const names = Array.from({ length: 5 }, anyRepository);
    for (const count of draw.some([1, 2, 3, 4, 5])) {
      const registry = anyRegistry();
      registry.rule = ({ url }) => (url.searchParams.has('mount') ? { status: draw.pick([401, 403]) } : undefined);
      const blob = named();
      const mounts = names.slice(0, count);
      const { value } = await begin(registry, blob, { mounts });
      expect((value as Begun).state).toBe('begun');
      expect(registry.lines, `with ${count} repositories that refuse`).toEqual([
        `HEAD blobs/${blob.digest}`,
        ...mounts.slice(0, 3).map((name) => `POST a mount from ${name}`),
        'POST a new upload',
      ]);
    }
    const registry = anyRegistry();
    const [closed, open] = [anyRepository(), anyRepository()];
    registry.mountable.add(open);
    registry.rule = ({ url }) => (url.searchParams.get('from') === closed ? { status: 403 } : undefined);
    const { value } = await begin(registry, named(), { mounts: [closed, open] });
    expect(value).toEqual({ state: 'mounted', from: open });
  });

  test('task 1: a failure that is not a refusal ends it', async () => {
    const from = anyRepository();
    for (const line of ['HEAD', 'a mount', 'a new upload']) {
      const registry = anyRegistry();
      const status = draw.pick([500, 429, 503]);
      registry.rule = ({ method }) => {
        const isIt = line === 'HEAD' ? method === 'HEAD' : registry.lines.at(-1)!.includes(line);
        return isIt ? { status } : undefined;
      };
      const setup: Call = { call: 'beginUpload', blob: named(), mounts: line === 'a mount' ? [from] : [] };
      const error = await threw(registry, setup, `${status} to ${line}`);
      expect(error.status, `the status in the error, ${line}`).toBe(status);
      expect(registry.lines.at(-1), 'the last request').toMatch(line);
      registry.rule = () => undefined;
      expect((await returned(registry, setup)).value, 'without the failure').toMatchObject({ state: 'begun' });
    }
  });

  test('task 1: a registry may ask for larger chunks, and not for smaller ones', async () => {
    const from = anyRepository();
    // In the answer to a mount it counts as well.
    for (const mounts of [[], [from]]) {
      const [least, below, above] = [draw.int(3000, 6000), draw.int(1, 2999), draw.int(6001, 9000)];
      for (const [header, chunkSize, expected] of draw.some<[string, number, number]>([
        [String(least), below, least],
        [String(least), above, above],
        [draw.word(), below, below],
        ['0', below, below],
      ])) {
        const registry = anyRegistry();
        registry.uploadHeaders = { 'OCI-Chunk-Min-Length': header };
        const { value } = await begin(registry, named(), { chunkSize, mounts });
        expect(
          (value as { upload: Upload }).upload.chunkSize,
          `a least size of ${header}, with ${chunkSize}, ${mounts.length === 0 ? 'a new upload' : 'in place of a mount'}`,
        ).toBe(expected);
      }
    }
  });

  test('task 1: an upload without a Location is a PushError', async () => {
    for (const mounts of draw.some([[], [anyRepository()]]))
      for (const headers of draw.some<Record<string, string>>([{}, { Location: '' }])) {
        const registry = anyRegistry();
        registry.rule = ({ method }) => (method === 'POST' ? { status: 202, headers } : undefined);
        const setup: Call = { call: 'beginUpload', blob: named(), mounts };
        const error = await threw(registry, setup, `202 with ${JSON.stringify(headers)}`);
        expect(error.name, 'the name of the error').toBe('PushError');
        registry.rule = () => undefined;
        expect((await returned(registry, setup)).value).toMatchObject({ state: 'begun' });
      }
  });

  test('task 1: requests have the signal, and answers are discarded or read', async () => {
    const registry = anyRegistry();
    const from = anyRepository();
    registry.mountable.add(from);
    const there = named();
    registry.blobs.set(there.digest, Buffer.alloc(0));
    for (const [blob, mounts] of [
      [there, []],
      [named(), []],
      [named(), [from]],
      [named(), [anyRepository()]],
    ] as [PushDescriptor, string[]][])
      await begin(registry, blob, { mounts });
    expect(registry.lines.length, 'the number of requests').toBe(7);
    expectTidy(registry);
  });
});

/** What the registry has to see of an upload in parts. */
function partsOf({ size }: PushDescriptor, chunkSize: number, from = 0): Record<string, unknown>[] {
  const parts: Record<string, unknown>[] = [];
  const part = (method: string, at: number, length: number) => ({
    method,
    'content-type': 'application/octet-stream',
    'content-length': String(length),
    'content-range': length === 0 || length === size ? undefined : `${at}-${at + length - 1}`,
    bytes: length,
  });
  let at = from;
  for (; size - at > chunkSize; at += chunkSize) parts.push(part('PATCH', at, chunkSize));
  parts.push(part('PUT', at, size - at));
  return parts;
}

const partOf = ({ method, headers, body }: Seen) => ({
  method,
  'content-type': headers['content-type'],
  'content-length': headers['content-length'],
  'content-range': headers['content-range'],
  bytes: body.length,
});

describe('bytes', () => {
  /** A registry with an upload that has begun, and has the first bytes of the blob. */
  function begun(
    blob: Content,
    chunkSize: number,
    { style = 'path', sent = 0 }: { style?: LocationStyle; sent?: number },
  ) {
    const registry = anyRegistry();
    registry.style = style;
    const upload: Upload = { location: registry.begin(blob.bytes.subarray(0, sent)), sent, chunkSize };
    const call: Call = { call: 'sendBytes', blob: described(blob), upload, contents: contentsOf(blob), piece: 700 };
    return { registry, upload, call };
  }

  async function sent(blob: Content, chunkSize: number, more: { style?: LocationStyle; sent?: number } = {}) {
    const { registry, call } = begun(blob, chunkSize, more);
    await returned(registry, call);
    const what = `${blob.size} bytes in chunks of ${chunkSize}, from byte ${more.sent ?? 0} on`;
    expect(registry.seen.map(partOf), what).toEqual(partsOf(blob, chunkSize, more.sent));
    expect(registry.blobs.get(blob.digest)?.equals(blob.bytes), `the registry has the blob: ${what}`).toBe(true);
    return registry;
  }

  test('task 2: a blob that fits into one request is one PUT', async () => {
    const chunkSize = draw.int(1000, 5000);
    for (const size of [1, chunkSize, draw.int(2, chunkSize - 1)]) await sent(anyBlob(size), chunkSize);
  });

  test('task 2: an empty blob is one PUT without bytes', async () => {
    await sent(anyBlob(0), draw.int(1, 1000));
    await sent(anyBlob(1), draw.int(1, 1000));
  });

  test('task 2: a longer blob comes in chunks, the last of them with the PUT', async () => {
    const chunkSize = draw.int(500, 3000);
    const sizes = [chunkSize + 1, 2 * chunkSize, 3 * chunkSize, draw.int(3 * chunkSize + 1, 4 * chunkSize - 1)];
    for (const size of draw.some(sizes)) await sent(anyBlob(size), chunkSize);
  });

  test('task 2: each request goes to the place that the answer before it named', async () => {
    for (const style of draw.some(STYLES)) {
      const chunkSize = draw.int(500, 2000);
      await sent(anyBlob(draw.int(2 * chunkSize + 1, 4 * chunkSize)), chunkSize, { style });
      await sent(anyBlob(draw.int(1, chunkSize)), chunkSize, { style });
    }
  });

  test('task 2: an upload that is under way goes on at its offset', async () => {
    const chunkSize = draw.int(500, 2000);
    const blob = anyBlob(draw.int(3 * chunkSize, 4 * chunkSize));
    const offsets = [1, draw.int(2, chunkSize), blob.size - chunkSize, blob.size - 1, blob.size];
    for (const offset of draw.some(offsets)) await sent(blob, chunkSize, { sent: offset });
  });

  test('task 2: the upload says how far it got when a request fails', async () => {
    const chunkSize = draw.int(500, 2000);
    const blob = anyBlob(4 * chunkSize);
    for (const fails of draw.some([0, 1, 2, 3])) {
      const { registry, upload, call } = begun(blob, chunkSize, { style: draw.pick(STYLES) });
      const locations = [upload.location];
      const status = draw.pick([500, 404, 416]);
      registry.rule = () => (registry.seen.length > fails ? { status } : undefined);
      const outcome = await converse(subject, { chunkSize, contents: {}, ...call }, (message) => {
        const reply = registry.answer(message);
        const location = reply && 'headers' in reply ? reply.headers?.Location : undefined;
        if (location !== undefined) locations.push(location);
        return reply;
      });
      expect(outcome.threw?.status, `the status in the error, when request ${fails + 1} fails`).toBe(status);
      expect(outcome.upload, `upload, when request ${fails + 1} fails`).toEqual({
        location: locations[fails],
        sent: fails * chunkSize,
        chunkSize,
      });
    }
  });

  test('task 2: a chunk whose answer has no Location is a PushError', async () => {
    const blob = anyBlob(3000);
    for (const headers of draw.some<Record<string, string>>([{}, { Location: '' }])) {
      const { registry, call } = begun(blob, 1000, {});
      registry.rule = () => ({ status: 202, headers });
      const error = await threw(registry, call, `202 with ${JSON.stringify(headers)}`);
      expect(error.name, 'the name of the error').toBe('PushError');
    }
    await sent(blob, 1000);
  });

  test('task 2: requests have the signal, and answers are discarded', async () => {
    const chunkSize = draw.int(500, 2000);
    expectTidy(await sent(anyBlob(draw.int(1, chunkSize)), chunkSize));
    expectTidy(await sent(anyBlob(draw.int(2 * chunkSize + 1, 3 * chunkSize)), chunkSize));
  });

  test('task 2: bytes are sent as they are read', async () => {
    const blob = anyBlob(draw.int(600_000, 700_000));
    const most = 200_000;
    for (const chunkSize of [blob.size, 400_000]) {
      const { registry, call } = begun(blob, chunkSize, {});
      let [ahead, taken] = [0, 0];
      await converse(subject, { chunkSize, contents: {}, ...call, piece: 5000 }, (message) => {
        if (message.type === 'taken') taken = message.bytes;
        const reply = registry.answer(message);
        ahead = Math.max(ahead, taken - registry.received);
        return reply;
      });
      expect(registry.blobs.has(blob.digest), 'the registry has the blob').toBe(true);
      if (ahead > most)
        throw new Error(
          `At most ${most} bytes should be read and not yet sent. There were ${ahead}, of a blob of ${blob.size} bytes in chunks of ${chunkSize}, in pieces of 5000.`,
        );
    }
  });

  test('task 2: a body that the transport sends again begins anew', async () => {
    const chunkSize = draw.int(500, 2000);
    const blob = anyBlob(draw.int(2 * chunkSize, 3 * chunkSize));
    const { registry, call } = begun(blob, chunkSize, {});
    registry.rule = ({ method }) => (registry.seen.length === 1 || method === 'PUT' ? { again: true } : undefined);
    await returned(registry, call);
    expect(registry.seen.map(partOf), 'what came the last time').toEqual(partsOf(blob, chunkSize));
    expect(registry.blobs.get(blob.digest)?.equals(blob.bytes), 'the registry has the blob').toBe(true);
  });
});

describe('after a break', () => {
  const blob = () => named(draw.int(2000, 9000));
  /** The registry that was asked last. */
  let latest: RecordingRegistry;

  /** @returns the upload that is gone on with; what went in, and the answer to the GET, are as given. */
  async function resumed(upload: Upload, of: PushDescriptor, status: number, headers: Record<string, string> = {}) {
    const registry = anyRegistry();
    registry.rule = () => ({ status, headers });
    const { value, upload: after } = await returned(registry, { call: 'resumeUpload', blob: of, upload });
    const [first, ...others] = registry.seen;
    expect([first?.method, first?.path, others.length], 'method, path, further requests').toEqual([
      'GET',
      upload.location,
      0,
    ]);
    expect(after, 'the upload that was handed in, which does not change').toEqual(upload);
    latest = registry;
    return value;
  }

  const anyUpload = (sent = 0): Upload => ({
    location: `${draw.pick(['', 'https://storage.example'])}/v2/${anyRepository()}/blobs/uploads/${nonce()}`,
    sent,
    chunkSize: draw.int(1, 5000),
  });

  test('task 3: the range of the answer says where to go on', async () => {
    for (const form of draw.some(['0-', 'bytes=0-'])) {
      const of = blob();
      for (const sent of draw.some([2, draw.int(3, of.size - 1), of.size])) {
        const [upload, location] = [anyUpload(draw.pick([0, 1, sent])), `/v2/x/${nonce()}`];
        const headers = { Range: `${form}${sent - 1}`, Location: location };
        expect(
          await resumed(upload, of, 204, headers),
          `Range: ${headers.Range}, of a blob of ${of.size} bytes`,
        ).toEqual({
          ...upload,
          location,
          sent,
        });
      }
    }
  });

  test('task 3: 0-0 and a missing range say that nothing has come', async () => {
    for (const headers of draw.some<Record<string, string>>([{ Range: '0-0' }, {}, { Range: 'bytes=0-0' }])) {
      const upload = anyUpload();
      expect(await resumed(upload, blob(), 204, headers), JSON.stringify(headers)).toEqual(upload);
    }
    const upload = anyUpload();
    expect(await resumed(upload, blob(), 204, { Range: '0-1' })).toEqual({ ...upload, sent: 2 });
  });

  test('task 3: without a new Location the old one is kept', async () => {
    for (const headers of draw.some<Record<string, string>>([{}, { Location: '' }])) {
      const [upload, of] = [anyUpload(), blob()];
      const sent = draw.int(2, of.size);
      expect(await resumed(upload, of, 204, { ...headers, Range: `0-${sent - 1}` })).toEqual({ ...upload, sent });
    }
  });

  test('task 3: a range that cannot be true is not believed', async () => {
    const of = blob();
    const sent = draw.int(1000, of.size - 1);
    const upload = anyUpload(sent);
    const strange = [
      [`0-${of.size}`, 'one byte more than the blob has'],
      [`0-${of.size + draw.int(1, 1e9)}`, 'more bytes than the blob has'],
      [`0-${sent - 2}`, 'fewer bytes than it had'],
      ['0-0', 'no byte, where it had some'],
      [undefined, 'no range, where it had some'],
      [`1-${sent}`, 'a range that does not begin at 0'],
      ['0-', 'a range without an end'],
      ['0--5', 'a negative end'],
      [`0-${sent}x`, 'something behind the range'],
      [`x0-${sent}`, 'something before the range'],
      [`${sent}`, 'a number'],
    ] as const;
    for (const [range, what] of draw.some(strange)) {
      const headers: Record<string, string> = range === undefined ? {} : { Range: range };
      expect(await resumed(upload, of, 204, headers), `${what}: ${range}`).toBe(undefined);
    }
    expect(await resumed(upload, of, 204, { Range: `0-${sent - 1}` }), 'what it had').toEqual(upload);
  });

  test('task 3: 400, 404, 405 and 416 return undefined; other statuses are errors', async () => {
    const sent = draw.int(2, 1000);
    const headers = { Range: `0-${sent - 1}` };
    for (const status of draw.some([400, 404, 405, 416]))
      expect(await resumed(anyUpload(), blob(), status, headers), `after ${status}`).toBe(undefined);
    for (const status of draw.some([401, 403, 429, 500])) {
      const registry = anyRegistry();
      registry.rule = () => ({ status });
      const error = await threw(
        registry,
        { call: 'resumeUpload', blob: blob(), upload: anyUpload() },
        `after ${status}`,
      );
      expect(error.status, 'the status in the error').toBe(status);
    }
    const upload = anyUpload();
    expect(await resumed(upload, blob(), 204, headers), 'after 204').toEqual({ ...upload, sent });
  });

  test('task 3: the request has the signal, and its answer is discarded', async () => {
    const upload = anyUpload();
    const sent = draw.int(2, 1000);
    expect(await resumed(upload, blob(), 204, { Range: `0-${sent - 1}` })).toEqual({ ...upload, sent });
    expectTidy(latest);
    for (const status of draw.some([400, 404, 405, 416])) {
      await resumed(anyUpload(), blob(), status);
      expectTidy(latest);
    }
  });
});

describe('one blob', () => {
  type Said = { value: unknown; upload?: Partial<Upload> } | { failure: Failure; upload?: Partial<Upload> };
  type Script = [step: 'beginUpload' | 'sendBytes' | 'resumeUpload', said: Said | (() => Promise<Said>)][];

  const allPassing = (): Failure[] => [
    { message: 'broken', kind: 'unreachable' },
    { message: 'failed', kind: 'server', status: draw.pick([500, 502, 503]) },
    { message: 'too many', kind: 'too-many', status: 429 },
    { message: 'forgotten', kind: 'not-found', status: 404 },
    { message: 'does not fit', kind: 'protocol', status: 416 },
  ];
  const passing = () => draw.pick(allPassing());
  const fails = (failure: Failure, upload: Partial<Upload> = {}): Said => ({ failure, upload });
  const beginsAt = (location: string, chunkSize = 8 * MIB): Said => ({
    value: { state: 'begun', upload: { location, sent: 0, chunkSize } },
  });
  const anyLocation = () => `/v2/uploads/${nonce()}`;

  /**
   * Push a blob. The judge's functions do what the script says, step by step; what happened is a list of lines.
   * @param uploads of each call that is given one, as it was.
   */
  async function scripted(script: Script, blob = named(40 * MIB), onDelete: () => Reply = () => ({ status: 204 })) {
    const [happened, uploads]: [string[], Upload[]] = [[], []];
    const left = [...script];
    const unread = new Set<number>();
    const outcome = await converse(subject, { call: 'pushBlob', blob, chunkSize: 8 * MIB, contents: {} }, (message) => {
      if (message.type === 'pause') {
        happened.push(`pause ${message.failures}`);
        return { go: true };
      }
      if (message.type === 'request') {
        happened.push(`${message.method} ${message.path}`);
        const answer: Reply = message.method === 'DELETE' ? onDelete() : { status: 404 };
        if ('status' in answer) unread.add(message.id);
        return answer;
      }
      if (message.type === 'discarded') unread.delete(message.of);
      if (message.type !== 'call') return undefined;
      happened.push(message.name);
      if (message.upload) uploads.push(message.upload);
      const [expected, said] = left.shift() ?? [];
      if (said === undefined || expected !== message.name)
        return { failure: { message: `${message.name}() should not be called here`, kind: 'judge' } };
      return typeof said === 'function' ? said() : said;
    });
    return { outcome, happened, uploads, unread };
  }

  test('task 4: a blob that need not be sent is not sent', async () => {
    for (const value of draw.some<Begun>([{ state: 'exists' }, { state: 'mounted', from: anyRepository() }])) {
      const { outcome, happened } = await scripted([['beginUpload', { value }]]);
      expect(outcome.value).toEqual(value);
      expect(happened).toEqual(['beginUpload']);
    }
    const { outcome, happened } = await scripted([
      ['beginUpload', beginsAt(anyLocation())],
      ['sendBytes', { value: undefined }],
    ]);
    expect(outcome.value, 'of a blob that is sent').toEqual({ state: 'pushed' });
    expect(happened).toEqual(['beginUpload', 'sendBytes']);
  });

  test('task 4: after a failure that may pass it goes on where the registry stopped', async () => {
    for (const failure of draw.some(allPassing())) {
      const [first, second, third] = [anyLocation(), anyLocation(), anyLocation()];
      const [confirmed, received] = [draw.int(1, MIB), draw.int(MIB, 2 * MIB)];
      const { outcome, happened, uploads } = await scripted([
        ['beginUpload', beginsAt(first)],
        ['sendBytes', fails(failure, { location: second, sent: confirmed })],
        ['resumeUpload', { value: { location: third, sent: received } }],
        ['sendBytes', { value: undefined }],
      ]);
      expect(happened, `after ${failure.kind} ${failure.status ?? ''}`).toEqual([
        ...['beginUpload', 'sendBytes', 'pause 1', 'resumeUpload', 'sendBytes'],
      ]);
      expect(outcome.value).toEqual({ state: 'pushed' });
      expect(
        uploads.map(({ location, sent }) => ({ location, sent })),
        'the uploads that sendBytes and resumeUpload were given',
      ).toEqual([
        { location: first, sent: 0 },
        { location: second, sent: confirmed },
        { location: third, sent: received },
      ]);
    }
  });

  test('task 4: a failure that does not pass ends it at once, and the upload is cancelled', async () => {
    const failures: Failure[] = [
      { message: 'denied', kind: 'denied', status: 403 },
      { message: 'log in', kind: 'unauthorized', status: 401 },
      { message: 'wrong digest', kind: 'protocol', status: 400 },
      { message: 'the certificate has expired', kind: 'tls' },
      { message: 'the disk failed' },
    ];
    const answers = draw.some<Reply>([
      { status: 204 },
      { status: 202 },
      { status: 404 },
      { status: 500 },
      { cut: true },
    ]);
    for (const [index, failure] of draw.some(failures).entries()) {
      const [first, second] = [anyLocation(), anyLocation()];
      const { outcome, happened, unread } = await scripted(
        [
          ['beginUpload', beginsAt(first)],
          ['sendBytes', fails(failure, { location: second, sent: draw.int(1, MIB) })],
        ],
        undefined,
        () => answers[index]!,
      );
      expect(outcome.threw?.message, 'the message of the error').toBe(failure.message);
      expect(happened, failure.message).toEqual(['beginUpload', 'sendBytes', `DELETE ${second}`]);
      expect(unread.size, 'answers to the DELETE that were not discarded').toBe(0);
    }
    const { outcome } = await scripted([['beginUpload', fails({ message: 'no entry', kind: 'denied', status: 403 })]]);
    expect(outcome.threw?.message).toBe('no entry');
  });

  test('task 4: five failures in a row end it with the last one', async () => {
    const location = anyLocation();
    const failures = Array.from({ length: 5 }, (_, index) => ({ ...passing(), message: `${index + 1}: ${nonce()}` }));
    const { outcome, happened } = await scripted([
      ['beginUpload', beginsAt(location)],
      ...failures.flatMap(
        (failure): Script => [
          ['sendBytes', fails(failure)],
          ['resumeUpload', { value: {} }],
        ],
      ),
    ]);
    expect(happened.filter((line) => line.startsWith('pause'))).toEqual(['pause 1', 'pause 2', 'pause 3', 'pause 4']);
    expect(
      happened.filter((line) => line === 'sendBytes'),
      'the attempts',
    ).toHaveLength(5);
    expect(happened.at(-1)).toBe(`DELETE ${location}`);
    expect(outcome.threw?.message, 'the message of the error').toBe(failures[4]!.message);
  });

  test('task 4: failures are counted from 1 again when more bytes got through', async () => {
    const sizes = [0, 0];
    let furthest = 0;
    // More than ever before; then as much again, or less and as much, or nothing and nearly as much.
    for (const back of draw.some([[0], [1, 0], [0, Number.POSITIVE_INFINITY, 1], [2, 1]])) {
      furthest += draw.int(3, MIB);
      sizes.push(furthest, ...back.map((less) => Math.max(0, furthest - less)));
    }
    sizes.push(furthest + 1);
    const pauses: number[] = [];
    for (const [index, sent] of sizes.entries())
      pauses.push(sent > Math.max(0, ...sizes.slice(0, index)) ? 1 : (pauses.at(-1) ?? 0) + 1);
    const { outcome, happened } = await scripted([
      ['beginUpload', beginsAt(anyLocation())],
      ...sizes.flatMap(
        (sent): Script => [
          ['sendBytes', fails(passing(), { sent })],
          ['resumeUpload', { value: {} }],
        ],
      ),
      ['sendBytes', { value: undefined }],
    ]);
    expect(
      happened.filter((line) => line.startsWith('pause')).map((line) => Number(line.slice(6))),
      `the pauses, with ${sizes.join(', ')} bytes at the failures`,
    ).toEqual(pauses);
    expect(outcome.value).toEqual({ state: 'pushed' });
  });

  test('task 4: an upload that cannot be resumed is cancelled, and begun anew', async () => {
    const from = anyRepository();
    for (const [again, expected] of draw.some<[Said, unknown]>([
      [{ value: { state: 'exists' } }, { state: 'pushed' }],
      [{ value: { state: 'mounted', from } }, { state: 'mounted', from }],
      [beginsAt('/v2/second', 9 * MIB), { state: 'pushed' }],
    ])) {
      const [first, chunkSize] = [anyLocation(), draw.int(2, 8) * MIB];
      const { outcome, happened, uploads } = await scripted([
        ['beginUpload', beginsAt(first, chunkSize)],
        ['sendBytes', fails(passing())],
        ['resumeUpload', { value: undefined }],
        ['beginUpload', again],
        ['sendBytes', { value: undefined }],
      ]);
      const sent = 'value' in again && (again.value as Begun).state === 'begun';
      expect(happened).toEqual([
        ...['beginUpload', 'sendBytes', 'pause 1', 'resumeUpload', `DELETE ${first}`, 'beginUpload'],
        ...(sent ? ['sendBytes'] : []),
      ]);
      expect(outcome.value).toEqual(expected);
      if (sent) expect(uploads.at(-1), 'the second upload').toEqual({ location: '/v2/second', sent: 0, chunkSize });
    }
    const first = anyLocation();
    const { happened } = await scripted([
      ['beginUpload', beginsAt(first)],
      ['sendBytes', fails(passing())],
      ['resumeUpload', { value: undefined }],
      ['beginUpload', fails({ message: 'denied', kind: 'denied', status: 403 })],
    ]);
    expect(
      happened.filter((line) => line.startsWith('DELETE')),
      'no upload is open at the end',
    ).toEqual([`DELETE ${first}`]);
  });

  test('task 4: a resumed upload that fails for good is cancelled at its newest place', async () => {
    const [first, second, third] = [anyLocation(), anyLocation(), anyLocation()];
    const denied = { message: nonce(), kind: 'denied', status: 403 };
    const resumed = await scripted([
      ['beginUpload', beginsAt(first)],
      ['sendBytes', fails(passing())],
      ['resumeUpload', { value: { location: second } }],
      ['sendBytes', fails(denied, { location: third })],
    ]);
    expect(resumed.happened.at(-1)).toBe(`DELETE ${third}`);
    expect(resumed.outcome.threw?.message).toBe(denied.message);
    const asked = await scripted([
      ['beginUpload', beginsAt(first)],
      ['sendBytes', fails(passing(), { location: second })],
      ['resumeUpload', fails(denied)],
    ]);
    expect(asked.happened.slice(2), 'when resumeUpload throws').toEqual([
      'pause 1',
      'resumeUpload',
      `DELETE ${second}`,
    ]);
    expect(asked.outcome.threw?.message).toBe(denied.message);
  });

  test('task 4: what is too large comes in chunks of a quarter, down to 1 MiB', async () => {
    const tooLarge = { message: `413 ${nonce()}`, kind: 'protocol', status: 413 };
    const start = draw.int(17 * MIB, 60 * MIB);
    const sizes = [start];
    while (sizes.at(-1)! > MIB) sizes.push(Math.max(Math.floor(sizes.at(-1)! / 4), MIB));
    const location = anyLocation();
    const script: Script = [
      ['beginUpload', beginsAt(location, start)],
      ...sizes.slice(1).flatMap(
        (): Script => [
          ['sendBytes', fails(tooLarge)],
          ['resumeUpload', { value: {} }],
        ],
      ),
    ];
    const { outcome } = await scripted([...script, ['sendBytes', { value: undefined }]]);
    expect(outcome.value).toEqual({ state: 'pushed' });
    const ends = await scripted([...script, ['sendBytes', fails(tooLarge)]]);
    const given = ends.uploads.map(({ chunkSize }) => chunkSize);
    expect([...new Set(given)], 'the chunk sizes, one after the other').toEqual(sizes);
    expect(ends.outcome.threw?.message).toBe(tooLarge.message);
    expect(ends.happened.at(-1)).toBe(`DELETE ${location}`);
    const small = draw.int(1, MIB - 1);
    const fails413 = await scripted([
      ['beginUpload', beginsAt(location, small)],
      ['sendBytes', fails(tooLarge)],
    ]);
    expect(
      fails413.happened.filter((line) => !line.startsWith('pause')),
      `a 413 to chunks of ${small} bytes, which are less than 1 MiB`,
    ).toEqual(['beginUpload', 'sendBytes', `DELETE ${location}`]);
    expect(fails413.outcome.threw?.message).toBe(tooLarge.message);
  });

  test('task 4: an upload is cancelled when the client goes away', async () => {
    for (const when of draw.some(['sendBytes', 'pause'])) {
      const [location, reason, broken] = [anyLocation(), nonce(), nonce()];
      const happened: string[] = [];
      const leave = async (reply: Reply): Promise<Reply> => {
        await subject.call('goAway', reason);
        return reply;
      };
      const setup: Setup = { call: 'pushBlob', blob: named(), chunkSize: MIB, contents: {} };
      const outcome = await converse(subject, setup, (message) => {
        if (message.type === 'pause') {
          happened.push(`pause ${message.failures}`);
          return when === 'pause' ? leave({ go: true }) : { go: true };
        }
        if (message.type === 'request') {
          happened.push(`${message.method} ${message.path}`);
          return { status: 204 };
        }
        if (message.type !== 'call') return undefined;
        happened.push(message.name);
        if (message.name === 'beginUpload') return beginsAt(location) as Reply;
        if (message.name !== 'sendBytes') return { value: undefined };
        const failure = { failure: { message: broken, kind: 'unreachable' } };
        return when === 'sendBytes' ? leave(failure) : failure;
      });
      expect(happened, `the client goes away during ${when}`).toEqual([
        ...['beginUpload', 'sendBytes', ...(when === 'pause' ? ['pause 1'] : [])],
        `DELETE ${location}`,
      ]);
      // The cause is the client, and what broke is the failure: both are right while bytes are sent.
      const right = when === 'pause' ? [reason] : [broken, reason];
      expect(right, 'the messages that the error may have').toContain(outcome.threw?.message);
    }
  });
});

describe('a whole image', () => {
  const document = (value: unknown, mediaType: string) => contentOf(Buffer.from(JSON.stringify(value)), mediaType);

  /** An image with so many layers. `all` are its blobs. */
  function image(layers: Content[] = Array.from({ length: draw.int(2, 4) }, () => anyBlob(draw.int(1, 3000)))) {
    const config = contentOf(Buffer.from(`{"made":"${nonce()}"}`), 'application/vnd.oci.image.config.v1+json');
    const text = { schemaVersion: 2, mediaType: MANIFEST, config: described(config), layers: layers.map(described) };
    const all = [...new Map([...layers, config].map((each) => [each.digest, each])).values()];
    return { manifest: document(text, MANIFEST), all };
  }

  const indexOf = (...manifests: PushDescriptor[]) =>
    document({ schemaVersion: 2, mediaType: INDEX, id: nonce(), manifests: manifests.map(described) }, INDEX);

  interface Blobs {
    /** The digests of the blobs that were pushed, in the order in which they were begun. */
    begun: string[];
    /** The most at one time. */
    most: number;
    now: number;
    aborted: string[];
  }

  /** The judge pushes the blobs. `onPush` may hold one back, or let it fail. */
  async function pushed(
    registry: RecordingRegistry,
    manifest: Content,
    contents: Content[],
    {
      // A blob is there a little later, so that code that does not wait for it is found out.
      onPush = () => new Promise((resolve) => setTimeout(() => resolve({ value: undefined }), 30)),
      onMessage = () => {},
      ...more
    }: Partial<Setup> & {
      onPush?: (digest: string, blobs: Blobs) => Reply | Promise<Reply>;
      onMessage?: (message: Message, blobs: Blobs) => void;
    } = {},
  ) {
    const blobs: Blobs = { begun: [], most: 0, now: 0, aborted: [] };
    const calls = new Map<number, string>();
    const setup: Setup = {
      call: 'pushManifest',
      manifest: described(manifest),
      chunkSize: 1000,
      contents: contentsOf(manifest, ...contents),
      concurrency: draw.int(1, 4),
      ...more,
    };
    const outcome = await converse(subject, setup, (message) => {
      onMessage(message, blobs);
      if (message.type === 'aborted') blobs.aborted.push(calls.get(message.of)!);
      if (message.type !== 'call') return registry.answer(message);
      const { digest } = message.blob;
      calls.set(message.id, digest);
      blobs.begun.push(digest);
      blobs.now += 1;
      blobs.most = Math.max(blobs.most, blobs.now);
      const end = (reply: Reply): Reply => {
        blobs.now -= 1;
        if (!('failure' in reply)) registry.blobs.set(digest, Buffer.alloc(0));
        return reply;
      };
      const said = onPush(digest, blobs);
      return said instanceof Promise ? said.then(end) : end(said);
    });
    if (blobs.most > setup.concurrency!)
      throw new Error(`At most ${setup.concurrency} blobs should be on their way at once; there were ${blobs.most}.`);
    return { outcome, blobs };
  }

  /** In the sandbox: whatever it could begin meanwhile, it has begun. */
  const aWhile = async () => {
    await subject.call('turns', 10);
    return { value: undefined };
  };

  const failed = ({ threw }: Outcome) => threw && `${threw.name}: ${threw.message}`;

  test('task 5: the manifest comes byte for byte after all its blobs', async () => {
    for (let round = 0; round < 2; round++) {
      const registry = anyRegistry();
      const { manifest, all } = image();
      const tag = draw.word();
      const { outcome, blobs } = await pushed(registry, manifest, all, { tag });
      expect(failed(outcome), 'what was thrown').toBe(undefined);
      expect(blobs.begun.toSorted(), 'the blobs that were pushed').toEqual(all.map(({ digest }) => digest).toSorted());
      expect(registry.lines).toEqual([`PUT manifests/${tag}`]);
      expect(registry.seen[0]!.headers['content-type']).toBe(MANIFEST);
      expect(registry.manifests.get(tag)?.equals(manifest.bytes), 'the manifest is the same, byte for byte').toBe(true);
      expect(registry.incomplete, 'manifests that came before their blobs').toEqual([]);
    }
  });

  test('task 5: without a tag the manifest is named by its digest', async () => {
    const registry = anyRegistry();
    const { manifest, all } = image();
    await pushed(registry, manifest, all);
    expect(registry.lines).toEqual([`PUT manifests/${manifest.digest}`]);
  });

  test('task 5: a blob that is named several times is pushed once', async () => {
    const shared = anyBlob(draw.int(1, 3000));
    const [one, other] = [image(draw.some([shared, anyBlob(20), shared])), image([shared, anyBlob(30)])];
    const index = indexOf(one.manifest, other.manifest, one.manifest);
    const registry = anyRegistry();
    const all = [...new Map([...one.all, ...other.all].map((each) => [each.digest, each])).values()];
    const { outcome, blobs } = await pushed(registry, index, [...all, one.manifest, other.manifest]);
    expect(failed(outcome), 'what was thrown').toBe(undefined);
    expect(blobs.begun.toSorted()).toEqual(all.map(({ digest }) => digest).toSorted());
    expect(registry.of('PUT')).toHaveLength(3);
    expect(registry.incomplete, 'documents that came before what they name').toEqual([]);
  });

  test('task 5: as many blobs as may be are on their way at once, and no more', async () => {
    const concurrency = draw.int(2, 4);
    const { manifest, all } = image(Array.from({ length: concurrency + draw.int(2, 4) }, () => anyBlob(40)));
    const waiting: (() => void)[] = [];
    const release = () => {
      for (const end of waiting.splice(0)) end();
    };
    let first: (() => void) | undefined;
    let missing: string | undefined;
    const { blobs: seen } = await pushed(anyRegistry(), manifest, all, {
      concurrency,
      onPush: (_, { begun }) => {
        const number = begun.length;
        // None ends before so many are on their way, and the first not before one more has begun.
        if (number > concurrency || missing !== undefined) {
          first?.();
          return aWhile();
        }
        const held = new Promise<Reply>((resolve) => {
          const end = () => resolve({ value: undefined });
          if (number === 1) first = end;
          else waiting.push(end);
        });
        // Code that begins more than may be can do so now.
        if (number === concurrency) void aWhile().then(release, release);
        return held;
      },
      onMessage: (message, { begun }) => {
        if (message.type !== 'quiet') return;
        missing ??=
          begun.length < concurrency
            ? `${concurrency} blobs should be on their way at the same time; there were never more than ${begun.length}.`
            : 'When a blob has ended, the next one should begin, also while another is still on its way.';
        first?.();
        release();
      },
    });
    if (missing !== undefined) throw new Error(missing);
    expect(seen.most, 'blobs on their way at the same time').toBe(concurrency);
    // Not so many for each manifest of an index, but in all.
    const [one, other] = [image([anyBlob(40)]), image([anyBlob(50)])];
    const index = indexOf(one.manifest, other.manifest);
    const contents = [one, other].flatMap(({ manifest, all }) => [manifest, ...all]);
    const both = await pushed(anyRegistry(), index, contents, { concurrency: 2, onPush: aWhile });
    expect([failed(both.outcome), both.blobs.begun.length], 'an index of two images').toEqual([undefined, 4]);
    const few = image([]);
    const { outcome, blobs } = await pushed(anyRegistry(), few.manifest, few.all, { concurrency });
    expect([failed(outcome), blobs.begun.length], 'an image without layers').toEqual([undefined, 1]);
  });

  test('task 5: the manifests of an index come before it, unless they are there', async () => {
    const [one, two, three] = [image(), image(), image()];
    const inner = indexOf(two.manifest);
    const entries = draw.some<Content>([one.manifest, inner, three.manifest]);
    const index = indexOf(...entries);
    const registry = anyRegistry();
    registry.manifests.set(three.manifest.digest, three.manifest.bytes);
    const tag = draw.word();
    const contents = [one, two].flatMap(({ manifest, all }) => [manifest, ...all]);
    const { outcome, blobs } = await pushed(registry, index, [...contents, inner], { tag });
    expect(failed(outcome), 'what was thrown').toBe(undefined);
    const blobsOf = (...images: { all: Content[] }[]) => images.flatMap(({ all }) => all.map(({ digest }) => digest));
    expect(blobs.begun.toSorted(), 'the blobs that were pushed').toEqual(blobsOf(one, two).toSorted());
    const puts = registry.lines.filter((line) => line.startsWith('PUT'));
    expect(puts.toSorted()).toEqual(
      [one.manifest.digest, two.manifest.digest, inner.digest, tag].map((name) => `PUT manifests/${name}`).toSorted(),
    );
    expect(registry.incomplete, 'documents that came before what they name').toEqual([]);
    const heads = registry.of('HEAD').map(({ url, headers }) => [url.pathname.split('/').at(-1)!, headers.accept]);
    expect(
      Object.fromEntries(heads.map(([name, accept]) => [decodeURIComponent(name!), accept])),
      'what was looked for, and the media type that was accepted',
    ).toEqual({
      [one.manifest.digest]: MANIFEST,
      [two.manifest.digest]: MANIFEST,
      [three.manifest.digest]: MANIFEST,
      [inner.digest]: INDEX,
    });
    for (const status of draw.some([401, 403, 500])) {
      const { manifest, all } = image();
      const closed = anyRegistry();
      closed.rule = ({ method }) => (method === 'HEAD' ? { status } : undefined);
      const { outcome, blobs } = await pushed(closed, indexOf(manifest), [manifest, ...all]);
      expect(outcome.threw?.status, `the status in the error, after ${status} to the HEAD of a manifest`).toBe(status);
      expect([blobs.begun, closed.of('PUT').length], 'blobs and manifests that were pushed then').toEqual([[], 0]);
    }
  });

  test('task 5: the first failure aborts the others, and is thrown when they have ended', async () => {
    const { manifest, all } = image(Array.from({ length: 6 }, () => anyBlob(40)));
    const registry = anyRegistry();
    const reason = nonce();
    const held = new Map<string, (reply: Reply) => void>();
    let [signalled, left] = [0, 0];
    let missing: string | undefined;
    const cancel = () => {
      for (const [digest, end] of held) {
        end({ failure: { message: 'it is not wanted any more', kind: 'cancelled' } });
        held.delete(digest);
      }
    };
    const { outcome, blobs } = await pushed(registry, manifest, all, {
      concurrency: 3,
      onPush: (digest, { begun }) => {
        if (begun.length < 3 && missing === undefined) return new Promise((resolve) => held.set(digest, resolve));
        return { failure: { message: reason, kind: 'denied', status: 403 } };
      },
      onMessage: (message, { begun, aborted, now }) => {
        if (message.type === 'end') [signalled, left] = [aborted.length, now];
        if (message.type === 'quiet')
          missing ??=
            begun.length < 3
              ? `Three blobs should be on their way at the same time; there were never more than ${begun.length}.`
              : 'When one blob had failed, the signal of the others should abort. It never did.';
        // Only now do the others end, each with an error of its own.
        if (message.type === 'aborted' || message.type === 'quiet') cancel();
      },
    });
    if (missing !== undefined) throw new Error(missing);
    expect(outcome.threw?.message, 'the message of the error').toBe(reason);
    expect(signalled, 'blobs on their way whose signal has aborted').toBe(2);
    expect(left, 'blobs still on their way when it was thrown').toBe(0);
    expect(blobs.begun, 'the blobs that were begun').toHaveLength(3);
    expect(registry.lines, 'requests').toEqual([]);
    // The same inside of an index: neither its manifest nor the index comes then.
    const inner = image();
    const [index, closed] = [indexOf(inner.manifest), anyRegistry()];
    const inside = await pushed(closed, index, [inner.manifest, ...inner.all], {
      onPush: () => ({ failure: { message: reason, kind: 'denied', status: 403 } }),
    });
    expect(inside.outcome.threw?.message, 'the message of the error, inside of an index').toBe(reason);
    expect(
      closed.lines.filter((line) => line.startsWith('PUT')),
      'documents that came although a blob failed',
    ).toEqual([]);
  });

  test('task 5: requests have the signal, and answers are discarded', async () => {
    const [one, other] = [image(), image()];
    const index = indexOf(one.manifest, other.manifest);
    const registry = anyRegistry();
    registry.manifests.set(other.manifest.digest, other.manifest.bytes);
    const { outcome } = await pushed(registry, index, [one.manifest, ...one.all]);
    expect(failed(outcome), 'what was thrown').toBe(undefined);
    expect(registry.lines.length, 'requests').toBe(4);
    expectTidy(registry);
  });

  test('task 5: the client that goes away ends it', async () => {
    const { manifest, all } = image(Array.from({ length: 4 }, () => anyBlob(40)));
    const registry = anyRegistry();
    const reason = nonce();
    let signalled = 0;
    const { outcome, blobs } = await pushed(registry, manifest, all, {
      concurrency: 1,
      onPush: async () => {
        await subject.call('goAway', reason);
        return { failure: { message: 'cancelled', kind: 'cancelled' } };
      },
      onMessage: (message) => {
        if (message.type === 'aborted') signalled += 1;
      },
    });
    expect(outcome.threw?.message, 'the message of the error').toBe(reason);
    expect([blobs.begun.length, signalled], 'blobs that were begun, signals that aborted').toEqual([1, 1]);
    expect(registry.lines, 'requests').toEqual([]);
    const again = await pushed(registry, manifest, all);
    expect(failed(again.outcome), 'a client that stays').toBe(undefined);
  });

  test('task 5: a manifest that got another digest is a PushError', async () => {
    const { manifest, all } = image();
    const tag = draw.word();
    const other = digestOf(draw.bytes(8));
    for (const [headers, expected] of draw.some<[Record<string, string>, string | undefined]>([
      [{ 'Docker-Content-Digest': other }, 'PushError'],
      [{ 'Docker-Content-Digest': manifest.digest }, undefined],
      [{}, undefined],
    ])) {
      const registry = anyRegistry();
      registry.rule = () => ({ status: 201, headers });
      const { outcome } = await pushed(registry, manifest, all, { tag });
      expect(outcome.threw?.name, `an answer with ${JSON.stringify(headers)}`).toBe(expected);
    }
  });

  test('task 5: an image arrives whole over connections that break', async () => {
    const registry = anyRegistry();
    registry.style = draw.pick(STYLES);
    const layers = [anyBlob(draw.int(4000, 9000)), anyBlob(draw.int(500, 1500)), anyBlob(draw.int(2000, 6000))];
    const { manifest, all } = image(layers);
    const kept = layers[1]!;
    registry.blobs.set(kept.digest, kept.bytes);
    let [faults, isLost] = [0, false];
    registry.rule = ({ method, url, headers }) => {
      const isPart = url.pathname.includes('/uploads/') && (method === 'PATCH' || method === 'PUT');
      const length = Number(headers['content-length']);
      // Once everything arrives, and only the answer is lost.
      if (isPart && method === 'PUT' && !isLost) {
        isLost = true;
        return { cutAnswer: true };
      }
      if (!isPart || !(length > 3) || faults === 4 || (faults > 0 && draw.boolean())) return undefined;
      faults += 1;
      return { cutAfter: draw.int(2, length - 1) };
    };
    const setup: Setup = { call: 'push', manifest: described(manifest), chunkSize: draw.int(1000, 2000), contents: {} };
    const contents = contentsOf(manifest, ...all);
    const outcome = await converse(subject, { ...setup, contents, tag: 'latest', piece: 500 }, (message) =>
      registry.answer(message),
    );
    expect(failed(outcome), `what was thrown. ${asked(registry)}`).toBe(undefined);
    for (const { digest, bytes } of all)
      expect(registry.blobs.get(digest)?.equals(bytes), `the registry has ${digest}`).toBe(true);
    expect(registry.manifests.get('latest')?.equals(manifest.bytes), 'the manifest is the same, byte for byte').toBe(
      true,
    );
    const missing = all.filter(({ digest }) => digest !== kept.digest).reduce((sum, { size }) => sum + size, 0);
    expect(registry.received, 'bytes that were sent: each missing blob once, and the manifest').toBe(
      missing + manifest.size,
    );
    expect(registry.uploads.size, 'uploads that are open at the end').toBe(0);
  });
});
