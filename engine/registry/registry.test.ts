/** The endpoints of the distribution specification, request by request, against the real server. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, INDEX, MANIFEST, manifestOf, pushBlob, pushImage, putManifest, sha256, sha512 } from './testing/ask.ts';
import { type OurRegistry, startOurRegistry } from './testing/our-registry.ts';

let registry: OurRegistry;
let url: string;

beforeAll(async () => {
  registry = await startOurRegistry();
  url = registry.url;
});

afterAll(async () => {
  await registry?.stop();
});

const code = (answer: { json: { errors: { code: string }[] } }) => answer.json.errors[0]?.code;
const begin = async (name: string, query = '') => {
  const { status, headers } = await ask(url, 'POST', `/v2/${name}/blobs/uploads/${query}`);
  expect(status).toBe(202);
  return headers.location!;
};

describe('blobs', () => {
  test('a blob comes back whole, with its digest, its size and an ETag', async () => {
    const digest = await pushBlob(url, 'blobs/get', 'hello');
    const got = await ask(url, 'GET', `/v2/blobs/get/blobs/${digest}`);
    expect([got.status, got.text]).toEqual([200, 'hello']);
    expect(got.headers).toMatchObject({
      'docker-content-digest': digest,
      'content-length': '5',
      'content-type': 'application/octet-stream',
      etag: `"${digest}"`,
      'docker-distribution-api-version': 'registry/2.0',
    });
    const head = await ask(url, 'HEAD', `/v2/blobs/get/blobs/${digest}`);
    expect([head.status, head.headers['content-length'], head.text]).toEqual([200, '5', '']);
    const known = await ask(url, 'GET', `/v2/blobs/get/blobs/${digest}`, {
      headers: { 'if-none-match': `"${digest}"` },
    });
    expect([known.status, known.text]).toEqual([304, '']);
  });

  test('a percent-encoded digest is the same digest', async () => {
    const digest = await pushBlob(url, 'blobs/get', 'hello');
    expect((await ask(url, 'GET', `/v2/blobs/get/blobs/${digest.replace(':', '%3A')}`)).text).toBe('hello');
  });

  test.each([
    ['bytes=0-0', 206, 'h', 'bytes 0-0/5'],
    ['bytes=1-3', 206, 'ell', 'bytes 1-3/5'],
    ['bytes=3-', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=-2', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=-99', 206, 'hello', 'bytes 0-4/5'],
    ['bytes=2-99', 206, 'llo', 'bytes 2-4/5'],
    ['bytes=4-2', 200, 'hello', undefined],
    ['bytes=0-1,3-4', 200, 'hello', undefined],
    ['lines=1-2', 200, 'hello', undefined],
  ])('the range %s answers %i with %j', async (range, status, text, contentRange) => {
    const digest = await pushBlob(url, 'blobs/range', 'hello');
    const got = await ask(url, 'GET', `/v2/blobs/range/blobs/${digest}`, { headers: { range } });
    expect([got.status, got.text, got.headers['content-range']]).toEqual([status, text, contentRange]);
  });

  test.each(['bytes=5-', 'bytes=5-9', 'bytes=-0'])('the range %s of five bytes is 416', async (range) => {
    const digest = await pushBlob(url, 'blobs/range', 'hello');
    const got = await ask(url, 'GET', `/v2/blobs/range/blobs/${digest}`, { headers: { range } });
    expect([got.status, got.headers['content-range']]).toEqual([416, 'bytes */5']);
  });

  test('If-Range with another ETag gives the whole blob', async () => {
    const digest = await pushBlob(url, 'blobs/range', 'hello');
    const headers = { range: 'bytes=1-2', 'if-range': `"${sha256('other')}"` };
    expect((await ask(url, 'GET', `/v2/blobs/range/blobs/${digest}`, { headers })).status).toBe(200);
  });

  test('a blob of one repository is unknown to another, and gone after DELETE', async () => {
    const digest = await pushBlob(url, 'blobs/mine', 'mine');
    const other = await ask(url, 'GET', `/v2/blobs/yours/blobs/${digest}`);
    expect([other.status, code(other)]).toEqual([404, 'BLOB_UNKNOWN']);
    expect(other.json.errors[0].detail).toEqual({ name: 'blobs/yours', digest });
    expect((await ask(url, 'DELETE', `/v2/blobs/mine/blobs/${digest}`)).status).toBe(202);
    expect((await ask(url, 'GET', `/v2/blobs/mine/blobs/${digest}`)).status).toBe(404);
    expect((await ask(url, 'DELETE', `/v2/blobs/mine/blobs/${digest}`)).status).toBe(404);
  });

  test('the empty blob is a blob', async () => {
    const digest = await pushBlob(url, 'blobs/empty', '');
    const got = await ask(url, 'GET', `/v2/blobs/empty/blobs/${digest}`);
    expect([got.status, got.headers['content-length'], got.text]).toEqual([200, '0', '']);
  });
});

describe('uploads', () => {
  test('chunks in order make a blob, and the status says how far it is', async () => {
    const location = await begin('uploads/chunks');
    for (const [range, body, end] of [
      ['0-3', 'abcd', '0-3'],
      ['4-6', 'efg', '0-6'],
    ]) {
      const put = await ask(url, 'PATCH', location, { headers: { 'content-range': range }, body });
      expect([put.status, put.headers.range, put.headers.location]).toEqual([202, end, location]);
    }
    const status = await ask(url, 'GET', location);
    expect([status.status, status.headers.range]).toEqual([204, '0-6']);
    const digest = sha256('abcdefgh');
    const end = await ask(url, 'PUT', `${location}?digest=${digest}`, {
      headers: { 'content-range': '7-7' },
      body: 'h',
    });
    expect([end.status, end.headers.location]).toEqual([201, `/v2/uploads/chunks/blobs/${digest}`]);
    expect((await ask(url, 'GET', end.headers.location!)).text).toBe('abcdefgh');
    expect((await ask(url, 'GET', location)).status).toBe(404);
  });

  test.each(['1-4', '3-6', '9-12'])('a chunk %s after four bytes is 416, and says where to go on', async (range) => {
    const location = await begin('uploads/order');
    await ask(url, 'PATCH', location, { headers: { 'content-range': '0-3' }, body: 'abcd' });
    const [first, last] = range.split('-').map(Number) as [number, number];
    for (const [method, path] of [
      ['PATCH', location],
      ['PUT', `${location}?digest=${sha256('x')}`],
    ] as const) {
      const refused = await ask(url, method, path, {
        headers: { 'content-range': range },
        body: 'x'.repeat(last - first + 1),
      });
      expect([refused.status, refused.headers.range, refused.headers.location]).toEqual([416, '0-3', location]);
    }
    const end = await ask(url, 'PUT', `${location}?digest=${sha256('abcd')}`);
    expect(end.status).toBe(201);
  });

  test.each([
    ['4-1', 'SIZE_INVALID'],
    ['0-9', 'SIZE_INVALID'],
    ['nonsense', 'BLOB_UPLOAD_INVALID'],
    ['-', 'BLOB_UPLOAD_INVALID'],
  ])('the Content-Range %s for two bytes is 400', async (range, expected) => {
    const location = await begin('uploads/range');
    const refused = await ask(url, 'PATCH', location, { headers: { 'content-range': range }, body: 'ab' });
    expect([refused.status, code(refused)]).toEqual([400, expected]);
  });

  test('a cancelled upload is unknown', async () => {
    const location = await begin('uploads/cancel');
    expect((await ask(url, 'DELETE', location)).status).toBe(204);
    for (const method of ['GET', 'PATCH', 'DELETE'])
      expect([(await ask(url, method, location)).status, method]).toEqual([404, method]);
    const end = await ask(url, 'PUT', `${location}?digest=${sha256('')}`);
    expect([end.status, code(end)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
  });

  test('an upload belongs to its repository', async () => {
    const location = (await begin('uploads/mine')).replace('/mine/', '/yours/');
    expect((await ask(url, 'PATCH', location, { body: 'x' })).status).toBe(404);
  });

  test('a digest that is not that of the bytes is 400, and leaves no blob and no upload', async () => {
    const location = await begin('uploads/lie');
    const refused = await ask(url, 'PUT', `${location}?digest=${sha256('truth')}`, { body: 'a lie' });
    expect([refused.status, code(refused)]).toEqual([400, 'DIGEST_INVALID']);
    expect((await ask(url, 'GET', `/v2/uploads/lie/blobs/${sha256('truth')}`)).status).toBe(404);
    expect((await ask(url, 'GET', location)).status).toBe(404);
  });

  test.each(['', '?digest=', '?digest=md5:abc', `?digest=sha256:${'A'.repeat(64)}`, '?digest=sha256:../../etc/passwd'])(
    'an upload cannot end with %j',
    async (query) => {
      const location = await begin('uploads/digest');
      const refused = await ask(url, 'PUT', `${location}${query}`);
      expect([refused.status, code(refused)]).toEqual([400, 'DIGEST_INVALID']);
    },
  );

  test.each(['?digest-algorithm=md5', '?digest=md5:abc', '?mount=sha256:abc'])(
    'an upload cannot begin with %s',
    async (query) => {
      const refused = await ask(url, 'POST', `/v2/uploads/begin/blobs/uploads/${query}`);
      expect([refused.status, code(refused)]).toEqual([400, 'DIGEST_INVALID']);
    },
  );

  test('sha512 works: in one request, announced, and found out at the end', async () => {
    const digest = sha512('wide');
    const one = await ask(url, 'POST', `/v2/uploads/wide/blobs/uploads/?digest=${digest}`, { body: 'wide' });
    expect(one.status).toBe(201);
    for (const query of ['?digest-algorithm=sha512', '']) {
      const location = await begin('uploads/wide', query);
      await ask(url, 'PATCH', location, { body: 'wide' });
      expect((await ask(url, 'PUT', `${location}?digest=${digest}`)).status).toBe(201);
    }
    expect((await ask(url, 'GET', `/v2/uploads/wide/blobs/${digest}`)).text).toBe('wide');
  });

  test('two chunks at the same time are written one after the other', async () => {
    const location = await begin('uploads/both');
    const answers = await Promise.all(
      ['a', 'b'].map((body) => ask(url, 'PATCH', location, { body: body.repeat(1 << 20) })),
    );
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect((await ask(url, 'GET', location)).headers.range).toBe(`0-${(2 << 20) - 1}`);
    const halves = ['a'.repeat(1 << 20), 'b'.repeat(1 << 20)];
    const ends = [halves.join(''), halves.reverse().join('')].map(sha256);
    const first = await ask(url, 'PUT', `${location}?digest=${ends[0]}`);
    // Either order is right; a mixture of both is not.
    if (first.status !== 201) {
      const again = await begin('uploads/both');
      await ask(url, 'PATCH', again, { body: halves.join('') });
      expect((await ask(url, 'PUT', `${again}?digest=${ends[1]}`)).status).toBe(201);
    }
  });
});

describe('mounts', () => {
  test('a blob is mounted from the repository that is named', async () => {
    const digest = await pushBlob(url, 'mounts/from', 'shared');
    const mounted = await ask(url, 'POST', `/v2/mounts/to/blobs/uploads/?mount=${digest}&from=mounts/from`);
    expect([mounted.status, mounted.headers.location]).toEqual([201, `/v2/mounts/to/blobs/${digest}`]);
    expect((await ask(url, 'GET', `/v2/mounts/to/blobs/${digest}`)).text).toBe('shared');
  });

  test('without a name it is found in any repository', async () => {
    const digest = await pushBlob(url, 'mounts/somewhere', 'anywhere');
    expect((await ask(url, 'POST', `/v2/mounts/auto/blobs/uploads/?mount=${digest}`)).status).toBe(201);
  });

  test('what is not there begins an upload', async () => {
    for (const from of ['&from=mounts/nowhere', '']) {
      const begun = await ask(url, 'POST', `/v2/mounts/none/blobs/uploads/?mount=${sha256('none')}${from}`);
      expect([begun.status, begun.headers.location]).toEqual([202, expect.stringContaining('/blobs/uploads/')]);
    }
  });

  test('a mounted blob stays when the one it was mounted from is deleted', async () => {
    const digest = await pushBlob(url, 'mounts/first', 'stays');
    await ask(url, 'POST', `/v2/mounts/second/blobs/uploads/?mount=${digest}&from=mounts/first`);
    await ask(url, 'DELETE', `/v2/mounts/first/blobs/${digest}`);
    expect((await ask(url, 'GET', `/v2/mounts/second/blobs/${digest}`)).text).toBe('stays');
  });
});

describe('manifests', () => {
  test('a manifest comes back byte for byte, by tag and by digest', async () => {
    const manifest = await pushImage(url, 'manifests/get', 'one');
    for (const reference of ['one', sha256(manifest)]) {
      const got = await ask(url, 'GET', `/v2/manifests/get/manifests/${reference}`);
      expect([got.status, got.text]).toEqual([200, manifest]);
      expect(got.headers).toMatchObject({ 'content-type': MANIFEST, 'docker-content-digest': sha256(manifest) });
      const head = await ask(url, 'HEAD', `/v2/manifests/get/manifests/${reference}`);
      expect([head.status, head.headers['content-length']]).toEqual([200, `${manifest.length}`]);
    }
  });

  test('spaces and the order of fields are part of a manifest', async () => {
    await pushImage(url, 'manifests/bytes', 'one');
    const manifest = `\n ${manifestOf('{}', [], { z: 1, a: [1, 2] })}  \n`;
    expect((await putManifest(url, 'manifests/bytes', 'two', manifest)).status).toBe(201);
    expect((await ask(url, 'GET', '/v2/manifests/bytes/manifests/two')).text).toBe(manifest);
  });

  test.each([
    [undefined, 200],
    ['*/*', 200],
    ['application/*', 200],
    [MANIFEST, 200],
    [`${INDEX}, ${MANIFEST};q=0.5`, 200],
    ['application/json', 200],
    [INDEX, 404],
    [`${MANIFEST};q=0`, 404],
  ])('with Accept %s the answer is %i', async (accept, status) => {
    await pushImage(url, 'manifests/accept', 'one');
    const headers = accept === undefined ? {} : { accept };
    expect((await ask(url, 'GET', '/v2/manifests/accept/manifests/one', { headers })).status).toBe(status);
  });

  test('a manifest is pushed with many tags at once', async () => {
    await pushImage(url, 'manifests/tags', 'one');
    const manifest = manifestOf('{}', [], { annotations: { many: 'tags' } });
    const path = `/v2/manifests/tags/manifests/${sha256(manifest)}?tag=a&tag=b&tag=c`;
    const put = await ask(url, 'PUT', path, { headers: { 'content-type': MANIFEST }, body: manifest });
    expect([put.status, put.headers['oci-tag']]).toEqual([201, 'a, b, c']);
    expect((await ask(url, 'GET', '/v2/manifests/tags/tags/list')).json.tags).toEqual(['a', 'b', 'c', 'one']);
  });

  test('a manifest is pushed by its sha512 digest', async () => {
    await pushImage(url, 'manifests/wide', 'one');
    const manifest = manifestOf('{}', []);
    expect((await putManifest(url, 'manifests/wide', sha512(manifest), manifest)).status).toBe(201);
    const got = await ask(url, 'GET', `/v2/manifests/wide/manifests/${sha512(manifest)}`);
    expect([got.text, got.headers['docker-content-digest']]).toEqual([manifest, sha512(manifest)]);
  });

  test.each([
    ['HTML', '<html></html>'],
    ['an empty body', ''],
    ['a list', '[]'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['no schemaVersion', '{"config":{},"layers":[]}'],
    ['no config', JSON.stringify({ schemaVersion: 2, layers: [] })],
    ['no layers', manifestOf('{}', [], { layers: undefined })],
    ['a layer without a digest', manifestOf('{}', [], { layers: [{ mediaType: 'x/y', size: 1 }] })],
    ['a digest that is a path', manifestOf('{}', [], { layers: [{ digest: 'sha256:../../x', size: 1 }] })],
    ['a negative size', manifestOf('{}', [], { layers: [{ digest: sha256('x'), size: -1 }] })],
    ['another mediaType', manifestOf('{}', [], { mediaType: INDEX })],
    ['both layers and manifests', manifestOf('{}', [], { manifests: [] })],
    ['annotations that are numbers', manifestOf('{}', [], { annotations: { a: 1 } })],
    ['a subject that is a string', manifestOf('{}', [], { subject: sha256('x') })],
    ['two million brackets', '['.repeat(2_000_000)],
  ])('a manifest that is %s is 400', async (_what, body) => {
    await pushImage(url, 'manifests/bad', 'one');
    const refused = await ask(url, 'PUT', '/v2/manifests/bad/manifests/two', {
      headers: { 'content-type': MANIFEST },
      body,
    });
    expect([refused.status, code(refused)]).toEqual([400, 'MANIFEST_INVALID']);
    expect((await ask(url, 'GET', '/v2/manifests/bad/tags/list')).json.tags).toEqual(['one']);
  });

  test('schema 1 is refused by name', async () => {
    const type = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
    const refused = await putManifest(url, 'manifests/old', 'one', '{"schemaVersion":1}', type);
    expect([refused.status, refused.json.errors[0].message]).toEqual([400, expect.stringContaining('schema 1')]);
  });

  test('a missing layer, a layer of another size, and a missing child are refused, with all of them in detail', async () => {
    await pushImage(url, 'manifests/needs', 'one');
    const missing = await putManifest(url, 'manifests/needs', 'two', manifestOf('{}', ['not pushed', 'neither']));
    expect([missing.status, code(missing)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
    expect(missing.json.errors[0].detail).toEqual([
      { kind: 'blob', digest: sha256('not pushed'), size: 10 },
      { kind: 'blob', digest: sha256('neither'), size: 7 },
    ]);
    const sized = manifestOf('{}', [], { layers: [{ mediaType: 'x/y', digest: sha256('{}'), size: 3 }] });
    expect((await putManifest(url, 'manifests/needs', 'two', sized)).status).toBe(404);
    const child = { mediaType: MANIFEST, digest: sha256('child'), size: 5 };
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [child] });
    const refused = await putManifest(url, 'manifests/needs', 'two', index, INDEX);
    expect([refused.status, code(refused)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
    expect((await ask(url, 'GET', '/v2/manifests/needs/tags/list')).json.tags).toEqual(['one']);
  });

  test('an index of a manifest that is there is stored, also one that names itself by tag', async () => {
    const manifest = await pushImage(url, 'manifests/index', 'one');
    const child = { mediaType: MANIFEST, digest: sha256(manifest), size: manifest.length };
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [child, child] });
    expect((await putManifest(url, 'manifests/index', 'all', index, INDEX)).status).toBe(201);
    expect((await ask(url, 'GET', '/v2/manifests/index/manifests/all')).headers['content-type']).toBe(INDEX);
  });

  test('layers that stay elsewhere need not be pushed', async () => {
    await pushImage(url, 'manifests/foreign', 'one');
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    const layers = [{ mediaType, digest: sha256('elsewhere'), size: 9, urls: ['https://example.test/x'] }];
    expect((await putManifest(url, 'manifests/foreign', 'two', manifestOf('{}', [], { layers }))).status).toBe(201);
  });

  test('a manifest of four MiB is stored, and one byte more is 413', async () => {
    await pushImage(url, 'manifests/large', 'one');
    const [base, most] = [manifestOf('{}', [], { annotations: { fill: '' } }), 4 * 1024 * 1024];
    const fitting = base.replace('"fill":""', `"fill":"${'x'.repeat(most - base.length)}"`);
    expect(fitting.length).toBe(most);
    expect((await putManifest(url, 'manifests/large', 'fits', fitting)).status).toBe(201);
    const larger = fitting.replace('xx', 'xxx');
    expect((await putManifest(url, 'manifests/large', 'larger', larger)).status).toBe(413);
    const headers = { 'content-type': MANIFEST, 'transfer-encoding': 'chunked' };
    const path = '/v2/manifests/large/manifests/larger';
    expect((await ask(url, 'PUT', path, { headers, body: larger })).status).toBe(413);
    expect((await ask(url, 'GET', path)).status).toBe(404);
  });

  test('a manifest under a digest that is not its own is 400', async () => {
    await pushImage(url, 'manifests/digest', 'one');
    const refused = await putManifest(url, 'manifests/digest', sha256('other'), manifestOf('{}', []));
    expect([refused.status, code(refused)]).toEqual([400, 'DIGEST_INVALID']);
  });

  test('a deleted tag leaves the manifest, and a deleted manifest takes all its tags along', async () => {
    const manifest = await pushImage(url, 'manifests/delete', 'one');
    await putManifest(url, 'manifests/delete', 'two', manifest);
    await putManifest(url, 'manifests/delete', 'three', manifest);
    expect((await ask(url, 'DELETE', '/v2/manifests/delete/manifests/one')).status).toBe(202);
    expect((await ask(url, 'GET', '/v2/manifests/delete/manifests/one')).status).toBe(404);
    expect((await ask(url, 'GET', `/v2/manifests/delete/manifests/${sha256(manifest)}`)).status).toBe(200);
    expect((await ask(url, 'DELETE', `/v2/manifests/delete/manifests/${sha256(manifest)}`)).status).toBe(202);
    expect((await ask(url, 'GET', '/v2/manifests/delete/tags/list')).json).toEqual({
      name: 'manifests/delete',
      tags: [],
    });
    const again = await ask(url, 'DELETE', `/v2/manifests/delete/manifests/${sha256(manifest)}`);
    expect([again.status, code(again)]).toEqual([404, 'MANIFEST_UNKNOWN']);
  });
});

describe('referrers', () => {
  test('whatever has a subject is listed, with its type and annotations, also before the subject is there', async () => {
    await pushBlob(url, 'referrers/all', '{}');
    const subject = manifestOf('{}', []);
    const of = { subject: { mediaType: MANIFEST, digest: sha256(subject), size: subject.length } };
    const signature = manifestOf('{}', [], {
      ...of,
      artifactType: 'application/x.signature',
      annotations: { by: 'ann' },
    });
    const plain = manifestOf('{}', [], of);
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [], ...of });
    for (const [body, type] of [
      [signature, MANIFEST],
      [plain, MANIFEST],
      [index, INDEX],
    ] as const) {
      const put = await putManifest(url, 'referrers/all', sha256(body), body, type);
      expect([put.status, put.headers['oci-subject']]).toEqual([201, sha256(subject)]);
    }
    const path = `/v2/referrers/all/referrers/${sha256(subject)}`;
    const list = await ask(url, 'GET', path);
    expect([list.status, list.headers['content-type']]).toEqual([200, INDEX]);
    const described = (mediaType: string, body: string, more: object) => ({
      mediaType,
      digest: sha256(body),
      size: body.length,
      ...more,
    });
    const expected = [
      described(MANIFEST, signature, { artifactType: 'application/x.signature', annotations: { by: 'ann' } }),
      described(MANIFEST, plain, { artifactType: 'application/vnd.oci.image.config.v1+json' }),
      described(INDEX, index, {}),
    ].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    expect(list.json).toEqual({ schemaVersion: 2, mediaType: INDEX, manifests: expected });

    const filtered = await ask(url, 'GET', `${path}?artifactType=application/x.signature`);
    expect(filtered.headers['oci-filters-applied']).toBe('artifactType');
    expect(filtered.json.manifests.map((each: { digest: string }) => each.digest)).toEqual([sha256(signature)]);

    await ask(url, 'DELETE', `/v2/referrers/all/manifests/${sha256(signature)}`);
    expect((await ask(url, 'GET', path)).json.manifests).toHaveLength(2);
  });

  test('an unknown subject has an empty list, and a malformed one is 400', async () => {
    const none = await ask(url, 'GET', `/v2/referrers/none/referrers/${sha256('none')}`);
    expect([none.status, none.json.manifests]).toEqual([200, []]);
    expect((await ask(url, 'GET', '/v2/referrers/none/referrers/sha256:abc')).status).toBe(400);
  });

  test('a list larger than a manifest may be comes in pages', async () => {
    await pushBlob(url, 'referrers/many', '{}');
    const subject = { mediaType: MANIFEST, digest: sha256('many'), size: 4 };
    const digests: string[] = [];
    for (let at = 0; at < 3; at++) {
      const body = manifestOf('{}', [], { subject, annotations: { at: `${at}`, fill: 'x'.repeat(2_000_000) } });
      digests.push(sha256(body));
      expect((await putManifest(url, 'referrers/many', sha256(body), body)).status).toBe(201);
    }
    const found: string[] = [];
    let path: string | undefined = `/v2/referrers/many/referrers/${subject.digest}`;
    for (let page = 0; path !== undefined; page++) {
      const list = await ask(url, 'GET', path);
      expect(list.body.length).toBeLessThanOrEqual(4 * 1024 * 1024);
      found.push(...list.json.manifests.map((each: { digest: string }) => each.digest));
      path = /^<([^>]*)>; rel="next"$/.exec(`${list.headers.link ?? ''}`)?.[1];
      expect(page).toBeLessThan(3);
    }
    expect(found).toEqual(digests.sort());
  });

  test('an index under the fallback tag is stored like any other, and adds no second entry', async () => {
    await pushBlob(url, 'referrers/tag', '{}');
    const subject = { mediaType: MANIFEST, digest: sha256('old'), size: 3 };
    const body = manifestOf('{}', [], { subject });
    await putManifest(url, 'referrers/tag', sha256(body), body);
    const list = await ask(url, 'GET', `/v2/referrers/tag/referrers/${subject.digest}`);
    const tag = subject.digest.replace(':', '-');
    expect((await putManifest(url, 'referrers/tag', tag, list.text, INDEX)).status).toBe(201);
    expect((await ask(url, 'GET', `/v2/referrers/tag/manifests/${tag}`)).text).toBe(list.text);
    expect((await ask(url, 'GET', `/v2/referrers/tag/referrers/${subject.digest}`)).json).toEqual(list.json);
  });
});

describe('lists', () => {
  test('tags come sorted, in pages that a Link leads through', async () => {
    for (const tag of ['b', 'a', 'B', '_', '1.0', 'a.b']) await pushImage(url, 'lists/tags', tag, 'same');
    const sorted = ['1.0', 'B', '_', 'a', 'a.b', 'b'];
    const path = '/v2/lists/tags/tags/list';
    expect((await ask(url, 'GET', path)).json).toEqual({ name: 'lists/tags', tags: sorted });
    const first = await ask(url, 'GET', `${path}?n=4`);
    expect([first.json.tags, first.headers.link]).toEqual([sorted.slice(0, 4), `<${path}?n=4&last=a>; rel="next"`]);
    const second = await ask(url, 'GET', `${path}?n=4&last=a`);
    expect([second.json.tags, second.headers.link]).toEqual([sorted.slice(4), undefined]);
    expect((await ask(url, 'GET', `${path}?last=Z`)).json.tags).toEqual(sorted.slice(2));
    const none = await ask(url, 'GET', `${path}?n=0`);
    expect([none.json.tags, none.headers.link]).toEqual([[], undefined]);
    for (const n of ['-1', 'x', '1.5']) expect((await ask(url, 'GET', `${path}?n=${n}`)).status).toBe(400);
  });

  test('the tags of an unknown repository are 404', async () => {
    const unknown = await ask(url, 'GET', '/v2/lists/unknown/tags/list');
    expect([unknown.status, code(unknown)]).toEqual([404, 'NAME_UNKNOWN']);
    expect(code(await ask(url, 'GET', '/v2/lists/unknown/manifests/latest'))).toBe('NAME_UNKNOWN');
  });

  test('the catalogue has all repositories, in pages', async () => {
    for (const name of ['zz/one', 'zz/one/two', 'zz-one']) await pushImage(url, name, 'one');
    const all = (await ask(url, 'GET', '/v2/_catalog')).json.repositories;
    expect(all).toEqual([...all].sort());
    expect(all).toEqual(expect.arrayContaining(['zz-one', 'zz/one', 'zz/one/two']));
    const page = await ask(url, 'GET', '/v2/_catalog?n=2&last=zz-');
    expect([page.json.repositories, page.headers.link]).toEqual([
      ['zz-one', 'zz/one'],
      '</v2/_catalog?n=2&last=zz%2Fone>; rel="next"',
    ]);
    const next = await ask(url, 'GET', '/v2/_catalog?n=2&last=zz%2Fone');
    expect(next.json.repositories).toEqual(['zz/one/two']);
  });
});

describe('requests that are wrong', () => {
  test('the base answers, with and without a slash', async () => {
    for (const path of ['/v2/', '/v2']) expect((await ask(url, 'GET', path)).status).toBe(200);
  });

  test.each([
    'UPPER',
    'a//b',
    '../etc',
    'a/../b',
    'a/..%2fb',
    '%2e%2e/%2e%2e/etc',
    'a__b___c',
    '-a',
    'a-',
    'a/_b',
    'ä',
    'a+b',
    'a%00b',
    'a'.repeat(256),
  ])('the name %s is refused', async (name) => {
    for (const [method, path] of [
      ['POST', 'blobs/uploads/'],
      ['GET', 'tags/list'],
      ['GET', `blobs/${sha256('')}`],
      ['PUT', 'manifests/one'],
    ] as const) {
      const refused = await ask(url, method, `/v2/${encodeURI(name).replaceAll('%25', '%')}/${path}`);
      expect([refused.status, code(refused)]).toEqual([400, 'NAME_INVALID']);
    }
  });

  test('a path that is not UTF-8 is refused', async () => {
    expect((await ask(url, 'GET', '/v2/%ff/tags/list')).status).toBe(400);
    expect((await ask(url, 'GET', '/v2/%/tags/list')).status).toBe(400);
  });

  test.each(['.', '..', '.hidden', '-x', 'a b', 'x'.repeat(129), '%2e%2e'])('the tag %j is refused', async (tag) => {
    const refused = await putManifest(url, 'wrong/tag', encodeURI(tag).replaceAll('%25', '%'), manifestOf('{}', []));
    expect([refused.status, code(refused)]).toEqual([400, 'MANIFEST_INVALID']);
  });

  test.each([
    ['DELETE', '/v2/', 'GET, HEAD'],
    ['POST', '/v2/wrong/method/manifests/one', 'GET, HEAD, PUT, DELETE'],
    ['GET', '/v2/wrong/method/blobs/uploads/', 'POST'],
    ['PATCH', '/v2/wrong/method/tags/list', 'GET, HEAD'],
  ])('%s %s is 405, and says what is allowed', async (method, path, allow) => {
    const refused = await ask(url, method, path);
    expect([refused.status, refused.headers.allow, code(refused)]).toEqual([405, allow, 'UNSUPPORTED']);
  });

  test('an unknown path is 404', async () => {
    for (const path of ['/', '/v1/x', '/v2/x', '/v2/x/y', '/v3/'])
      expect([(await ask(url, 'GET', path)).status, path]).toEqual([404, path]);
  });

  test('nothing of all this is a mistake in the server', () => {
    expect(registry.log()).toBe('');
  });
});
