/** A list of referrers that is larger than the memory of the registry. */

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ask, sha256 } from '../testing/ask.ts';
import { startOurRegistry } from '../testing/our-registry.ts';
import { DiskStore } from './disk-store.ts';

const TYPE = 'application/vnd.test.signature+json';
const subject = { mediaType: 'application/vnd.test+json', digest: sha256('not there'), size: 1 };

/** Megabytes of the registry's heap, and documents that are together one and a half times as large. */
const [HEAP, COUNT, LARGE] = [80, 30, 'x'.repeat(3_900_000)];

test('a list of referrers that does not fit into the memory is told page by page', async () => {
  const registry = await startOurRegistry([], undefined, ['env', `NODE_OPTIONS=--max-old-space-size=${HEAP}`]);
  onTestFinished(() => registry.stop());
  const pushed: string[] = [];
  for (let at = 0; at < COUNT; at++) {
    const body = JSON.stringify({ mediaType: TYPE, subject, annotations: { at: `${at}`, large: LARGE } });
    const options = { body, headers: { 'content-type': TYPE } };
    expect((await ask(registry.url, 'PUT', `/v2/large/manifests/${sha256(body)}`, options)).status).toBe(201);
    pushed.push(sha256(body));
  }
  const first = `/v2/large/referrers/${subject.digest}`;
  const listed: string[] = [];
  for (let next: string | undefined = first; next !== undefined; ) {
    const page = await ask(registry.url, 'GET', next);
    expect(page.body.length).toBeLessThanOrEqual(4 * 1024 * 1024);
    listed.push(...page.json.manifests.map(({ digest }: { digest: string }) => digest));
    next = /^<(.*)>; rel="next"$/.exec(`${page.headers.link ?? ''}`)?.[1];
  }
  expect(listed).toEqual(pushed.sort());
  // With a filter that nothing passes, all are read for one answer.
  expect((await ask(registry.url, 'GET', `${first}?artifactType=none`)).json.manifests).toEqual([]);
  expect(registry.log()).toBe('');
});

test('a referrer is read when it is asked for, and those up to `after` are not', async () => {
  const data = mkdtempSync(path.join(tmpdir(), 'skiff-registry-'));
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  const store = new DiskStore(data);
  for (const content of ['one', 'two', 'three', 'four']) {
    const [digest, bytes] = [sha256(content), Buffer.from(content)];
    const referrer = { mediaType: TYPE, digest, size: bytes.length };
    const manifest = { digest, mediaType: TYPE, bytes, tags: [], needs: [] };
    await store.putManifest('few', { ...manifest, subject: { digest: subject.digest, referrer } });
  }
  const sorted = ['one', 'two', 'three', 'four'].map(sha256).sort();
  // To read the first or the last of them fails.
  for (const digest of [sorted[0]!, sorted[3]!])
    appendFileSync(store.places.referrer('few', subject.digest, digest), 'damaged');
  const read: string[] = [];
  for await (const { digest } of store.referrers('few', subject.digest, sorted[0]!)) {
    read.push(digest);
    if (read.length === 2) break;
  }
  expect(read).toEqual(sorted.slice(1, 3));
});
