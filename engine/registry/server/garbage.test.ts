/** What is collected, what stays, and what a check finds. */

import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { ask, manifestOf, pushBlob, pushImage, putManifest, sha256 } from '../testing/ask.ts';
import { registryCommand, startOurRegistry } from '../testing/our-registry.ts';
import { DiskStore } from './disk-store.ts';
import { collectGarbage } from './garbage.ts';
import { newRegistryServer } from './http-server.ts';
import { listenOn } from './listen.ts';

const HOUR = 3600_000;

function dataDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'skiff-registry-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** As if everything had come so many milliseconds earlier. */
function age(directory: string, by: number): void {
  const then = new Date(Date.now() - by);
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) utimesSync(path.join(entry.parentPath, entry.name), then, then);
}

const filesBelow = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

test('what no manifest refers to goes, and what one refers to stays', async () => {
  const data = dataDirectory();
  const registry = await startOurRegistry([], data);
  const { url } = registry;
  const kept = await pushImage(url, 'kept', 'one', 'kept layer');
  await ask(url, 'POST', `/v2/mounted/blobs/uploads/?mount=${sha256('kept layer')}&from=kept`);
  const deleted = await pushImage(url, 'deleted', 'one', 'deleted layer');
  await ask(url, 'DELETE', `/v2/deleted/manifests/${sha256(deleted)}`);
  await pushBlob(url, 'kept', 'never named');
  await ask(url, 'POST', '/v2/begun/blobs/uploads/');
  const signature = manifestOf('{}', [], { subject: { mediaType: 'x/y', digest: sha256(kept), size: 1 } });
  await putManifest(url, 'kept', sha256(signature), signature);
  await ask(url, 'DELETE', `/v2/kept/manifests/${sha256(signature)}`);
  await registry.stop();
  age(data, 2 * HOUR);

  const young = registryCommand('gc', '--data', data);
  expect([young.code, young.text]).toEqual([0, 'Removed 0 blobs of 0 bytes and 0 unfinished uploads.\n']);
  const { code, text } = registryCommand('gc', '--data', data, '--older-than', '3600');
  const bytes = deleted.length + 'deleted layer'.length + 'never named'.length + signature.length;
  expect([code, text]).toEqual([0, `Removed 4 blobs of ${bytes} bytes and 1 unfinished upload.\n`]);
  const hex = [kept, '{}', 'kept layer'].map((content) => sha256(content).slice('sha256:'.length));
  expect(readdirSync(path.join(data, 'blobs/sha256')).sort()).toEqual(hex.sort());
  expect(readdirSync(path.join(data, 'repositories'))).toEqual(['kept']);
  expect(filesBelow(path.join(data, 'repositories/kept')).sort()).toEqual(
    ['one', sha256(kept), sha256('{}'), sha256('kept layer')].map((name) => name.replace(':', '-')).sort(),
  );
  expect(registryCommand('check', '--data', data)).toEqual({
    code: 0,
    text: 'Read 3 blobs, 1 manifest in 1 repository: all whole.\n',
  });
});

test('what a client was told is here stays until it is pushed, while garbage is collected without a pause', async () => {
  const data = dataDirectory();
  const store = new DiskStore(data);
  const warnings: string[] = [];
  const access = { readOnly: false, noDelete: false };
  const server = newRegistryServer({ store, access, warn: (message) => warnings.push(message) });
  const { url, stop } = await listenOn(server, '127.0.0.1:0');
  onTestFinished(stop);
  const layers = Array.from({ length: 40 }, (_, at) => `layer ${at}`);
  for (const layer of ['{}', ...layers]) await pushBlob(url, 'busy', layer);
  age(data, 2 * HOUR);

  let pushing = true;
  let rounds = 0;
  const collecting = (async () => {
    while (pushing) {
      await collectGarbage(store, HOUR);
      // One that finds nothing to do does not pause, and the server lives in this process.
      await setImmediate();
      rounds += 1;
    }
  })();
  const push = async (layer: string, at: number) => {
    for (const blob of ['{}', layer])
      if ((await ask(url, 'HEAD', `/v2/busy/blobs/${sha256(blob)}`)).status === 404) await pushBlob(url, 'busy', blob);
    const manifest = manifestOf('{}', [layer]);
    const { status, text } = await putManifest(url, 'busy', `t${at}`, manifest);
    expect([status, text]).toEqual([201, '']);
    if (at % 3 !== 0) return;
    // Mounted elsewhere, and gone from here in the same moment.
    const name = `other/${at}`;
    expect((await ask(url, 'POST', `/v2/${name}/blobs/uploads/?mount=${sha256(layer)}&from=busy`)).status).toBe(201);
    await ask(url, 'DELETE', `/v2/busy/manifests/${sha256(manifest)}`);
    await ask(url, 'DELETE', `/v2/busy/blobs/${sha256(layer)}`);
    expect((await ask(url, 'GET', `/v2/${name}/blobs/${sha256(layer)}`)).text).toBe(layer);
  };
  await Promise.all(layers.map(push));
  pushing = false;
  await collecting;
  expect(rounds).toBeGreaterThan(0);
  expect(warnings).toEqual([]);
  expect(registryCommand('check', '--data', data)).toMatchObject({ code: 0 });
});

/** Blobs and a manifest that are two hours old; of the blobs, only the configuration belongs to the manifest. */
async function oldStore(): Promise<DiskStore> {
  const store = new DiskStore(dataDirectory());
  for (const content of ['{}', 'unnamed']) {
    const id = store.beginUpload('busy', 'sha256');
    await store.withUpload('busy', id, async (upload) => {
      upload.append(Buffer.from(content));
      expect(await upload.finish(sha256(content))).toBe(true);
    });
  }
  await store.putManifest('busy', newManifest([]));
  age(store.places.root, 2 * HOUR);
  return store;
}

function newManifest(layers: string[]) {
  const bytes = Buffer.from(manifestOf('{}', layers));
  const needs = ['{}', ...layers].map((content) => ({
    kind: 'blob' as const,
    digest: sha256(content),
    size: content.length,
  }));
  return { digest: sha256(bytes), mediaType: 'x/y', bytes, tags: [], needs };
}

const unnamed = sha256('unnamed');

/** What a client does at once, and what must be true when the collection is over. */
const races: Record<string, (store: DiskStore) => Promise<(() => Promise<void>) | undefined>> = {
  'is told that a blob is here': async (store) => {
    if (store.blobSize('busy', unnamed) === undefined) return undefined;
    return async () => expect(await store.putManifest('busy', newManifest(['unnamed']))).toEqual([]);
  },
  'pushes a manifest that names it': async (store) => {
    const missing = await store.putManifest('busy', newManifest(['unnamed']));
    if (missing.length > 0) return undefined;
    return async () => expect(store.blobSize('busy', unnamed)).toBe('unnamed'.length);
  },
  'mounts it into a repository that was looked at already': async (store) => {
    if (!store.mountBlob(unnamed, 'busy', 'another')) return undefined;
    store.deleteBlob('busy', unnamed);
    return async () => expect(store.blobSize('another', unnamed)).toBe('unnamed'.length);
  },
};

test.each(Object.entries(races))(
  'a client that %s at any pause of the collection keeps the blob',
  async (_what, act) => {
    let passes = 1;
    let kept = 0;
    for (let at = 0; at < passes; at++) {
      const store = await oldStore();
      let pass = 0;
      let holds: (() => Promise<void>) | undefined;
      await collectGarbage(store, HOUR, {
        pass: async () => {
          if (pass++ === at) holds = await act(store);
        },
      });
      passes = pass;
      if (holds !== undefined) kept += 1;
      await holds?.();
    }
    expect(kept).toBeGreaterThan(1);
  },
);

test('a client that was told that a blob is here has a day to push its manifest', async () => {
  const store = await oldStore();
  expect(store.blobSize('busy', unnamed)).toBe('unnamed'.length);
  await collectGarbage(store, HOUR);
  expect(await store.putManifest('busy', newManifest(['unnamed']))).toEqual([]);
  const forgotten = await oldStore();
  await collectGarbage(forgotten, HOUR);
  expect(forgotten.blobSize('busy', unnamed)).toBe(undefined);
});

/** What answers a client that the blob is here from now on. */
const promises: Record<string, (store: DiskStore) => Promise<void>> = {
  pushed: async (store) => {
    const id = store.beginUpload('busy', 'sha256');
    await store.withUpload('busy', id, async (upload) => {
      upload.append(Buffer.from('unnamed'));
      expect(await upload.finish(unnamed)).toBe(true);
    });
  },
  mounted: async (store) => {
    const other = store.places.blobLink('other', unnamed);
    mkdirSync(path.dirname(other), { recursive: true });
    writeFileSync(other, '');
    expect(store.mountBlob(unnamed, 'other', 'busy')).toBe(true);
  },
};

test.each(Object.entries(promises))(
  'a blob that was here and is %s again has a day from then on, and a collection is told',
  async (_what, promise) => {
    const store = await oldStore();
    const told: string[] = [];
    const since = Date.now() - HOUR;
    store.watch((digest) => told.push(digest));
    await promise(store);
    expect(told).toContain(unnamed);
    expect(statSync(store.places.blobLink('busy', unnamed)).mtimeMs).toBeGreaterThan(since);
    await collectGarbage(store, HOUR);
    expect(await store.putManifest('busy', newManifest(['unnamed']))).toEqual([]);
  },
);

/** How a manifest comes to say nothing, and what is said of it then. */
const losses: Record<string, [lose: (blob: string) => void, why: RegExp]> = {
  missing: [(blob) => rmSync(blob), /manifest sha256:\w+ is missing, so nothing of it was removed\. Push it again/],
  damaged: [(blob) => writeFileSync(blob, '{'), /manifest sha256:\w+ cannot be read: .* not JSON/],
  'a directory': [
    (blob) => {
      rmSync(blob);
      mkdirSync(blob);
    },
    /manifest sha256:\w+ cannot be read: EISDIR/,
  ],
};

test.each(Object.entries(losses))(
  'a manifest that is %s keeps the blobs of its own repository, and no others',
  async (_what, [lose, why]) => {
    const data = dataDirectory();
    const registry = await startOurRegistry([], data);
    const { url } = registry;
    const manifest = await pushImage(url, 'lost', 'one', 'its layer');
    await pushImage(url, 'whole', 'one', 'kept layer');
    for (const name of ['before', 'whole', 'zebra']) await pushBlob(url, name, `unnamed of ${name}`);
    const store = new DiskStore(data);
    const blob = store.places.blob(sha256(manifest));
    age(data, 2 * HOUR);
    lose(blob);
    if (statSync(blob, { throwIfNoEntry: false })) utimesSync(blob, 0, 0);
    await registry.stop();

    const { code, text } = registryCommand('gc', '--data', data, '--older-than', '3600');
    expect([code, text]).toEqual([1, expect.stringMatching(why)]);
    expect(text).toMatch(/^skiff registry: repository lost: [^\n]*\n/m);
    const bytes = ['before', 'whole', 'zebra'].map((name) => `unnamed of ${name}`).join('').length;
    expect(text).toMatch(new RegExp(`^Removed 3 blobs of ${bytes} bytes and 0 unfinished uploads\\.$`, 'm'));
    expect(store.blobSize('lost', sha256('its layer'))).toBe('its layer'.length);
    expect(store.blobSize('whole', sha256('kept layer'))).toBe('kept layer'.length);
  },
);

test('a manifest whose blob is missing is unknown, and is as good as new once it is pushed again', async () => {
  const registry = await startOurRegistry();
  onTestFinished(() => registry.stop());
  const { url } = registry;
  const manifest = await pushImage(url, 'lost', 'one');
  rmSync(path.join(registry.data, 'blobs/sha256', sha256(manifest).slice('sha256:'.length)));
  for (const reference of ['one', sha256(manifest)]) {
    expect((await ask(url, 'HEAD', `/v2/lost/manifests/${reference}`)).status).toBe(404);
    const got = await ask(url, 'GET', `/v2/lost/manifests/${reference}`);
    expect([got.status, got.json.errors[0].code]).toEqual([404, 'MANIFEST_UNKNOWN']);
  }
  for (const damaged of ['', 'nonsense', 'sha256:../../../../oci-layout']) {
    writeFileSync(path.join(registry.data, 'repositories/lost/tags/two'), damaged);
    expect((await ask(url, 'GET', '/v2/lost/manifests/two')).status).toBe(404);
  }
  expect((await putManifest(url, 'lost', 'one', manifest)).status).toBe(201);
  expect((await ask(url, 'GET', '/v2/lost/manifests/one')).text).toBe(manifest);
  expect((await ask(url, 'DELETE', `/v2/lost/manifests/${sha256(manifest)}`)).status).toBe(202);
  expect(registry.log()).toBe('');
});

test('a check names each damaged blob, each missing one, and what it belongs to', async () => {
  const data = dataDirectory();
  const registry = await startOurRegistry([], data);
  const manifest = await pushImage(registry.url, 'a/b', 'one', 'the layer');
  await pushImage(registry.url, 'a/b', 'two', 'another layer');
  await registry.stop();
  const place = (content: string) => path.join(data, 'blobs/sha256', sha256(content).slice('sha256:'.length));
  appendFileSync(place('the layer'), '!');
  rmSync(place('another layer'));
  rmSync(path.join(data, 'repositories/a+b/manifests', sha256(manifest).replace(':', '-')));
  writeFileSync(path.join(data, 'repositories/a+b/tags/three'), 'nonsense');
  const { code, text } = registryCommand('check', '--data', data);
  expect(code).toBe(1);
  expect(text.split('\n').sort()).toEqual(
    [
      '',
      `blob ${sha256('the layer')} is damaged: its bytes have the digest ${sha256('the layer!')}. Remove ${place('the layer')}, and push it again.`,
      `repository a/b: blob ${sha256('another layer')} is missing. Push it again.`,
      `repository a/b: tag one points to ${sha256(manifest)}, which is missing. Push it again, or delete the tag.`,
      'repository a/b: tag three is damaged. Push it again.',
      'Read 4 blobs, 1 manifest in 1 repository: 4 faults.',
    ].sort(),
  );
});

test('check and gc make no registry where there is none', () => {
  const data = dataDirectory();
  for (const verb of ['check', 'gc']) {
    const { code, text } = registryCommand(verb, '--data', data);
    expect([code, text]).toEqual([1, expect.stringContaining(`${data} holds no registry`)]);
  }
  expect(readdirSync(data)).toEqual([]);
});
