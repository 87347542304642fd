import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { RecordingRegistry } from '../registry/testing/recording-registry.ts';
import { addImage, busyboxLayer, type Descriptor } from '../registry/testing/test-image.ts';
import { TestDaemon } from './testing/test-daemon.ts';

describe('a pull that is broken off', () => {
  let daemon: TestDaemon;
  let registry: RecordingRegistry;
  let image: Descriptor;
  let name: string;
  const at = (...parts: string[]) => path.join(daemon.root, 'images', ...parts);

  beforeAll(async () => {
    daemon = await TestDaemon.start();
    registry = await RecordingRegistry.start();
    name = `${registry.host}/some/name`;
    const layers: Record<string, Buffer>[] = [busyboxLayer(), { 'a.bin': Buffer.alloc(3 << 20, 'a') }];
    image = await addImage(registry.content, { layers, compression: 'none' });
    registry.tags.set('some/name:latest', image);
  });
  afterAll(async () => {
    await registry?.close();
    expect(await daemon?.destroy()).toEqual([]);
  });
  afterEach(() => {
    registry.tricks = [];
  });

  /** Sends half of the answer to a request, and resolves when that is on its way. */
  function stopAt(part: string): Promise<void> {
    return new Promise((resolve) => {
      registry.tricks.push(async (request, response) => {
        if (!request.url!.includes(part)) return false;
        const digest = request.url!.split('/').at(-1)!;
        const bytes = registry.content.blobs.get(digest) ?? Buffer.from('{}');
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, bytes.length / 2), () => setImmediate(resolve));
        return true;
      });
    });
  }

  function unfinished(): string[] {
    return [...fs.readdirSync(at('oci/scratch')), ...fs.readdirSync(at('snapshots/scratch'))];
  }

  test.each(['hello', 'manifest', 'configuration', 'first layer', 'second layer'])(
    'by kill -9 during the %s leaves nothing half visible, and the next one succeeds',
    async (step) => {
      const { config, layers } = JSON.parse(registry.content.manifests.get(image.digest)!.bytes.toString());
      const part = {
        hello: '/v2/',
        manifest: '/manifests/latest',
        configuration: config.digest,
        'first layer': layers[0].digest,
        'second layer': layers[1].digest,
      }[step]!;
      const stopped = stopAt(part);
      const client = daemon.docker('pull', name);
      await stopped;
      await daemon.crash();
      expect((await client).code).not.toBe(0);
      registry.tricks = [];
      await daemon.launch();
      expect((await daemon.get('/images/json')).json.map((each: { RepoTags: string[] }) => each.RepoTags)).toEqual([
        ['hostbox:latest'],
      ]);
      expect(unfinished()).toEqual([]);
      const ran = await daemon.docker('run', '--rm', name, '/bin/sh', '-c', 'echo runs');
      expect(ran).toMatchObject({ code: 0, stdout: 'runs\n' });
      await daemon.docker('rmi', '-f', name);
      expect(fs.readdirSync(at('kept-layers'))).toEqual([]);
      expect(fs.existsSync(at('oci/blobs/sha256', layers[1].digest.slice('sha256:'.length)))).toBe(false);
    },
  );

  test('by its client ends its requests', async () => {
    const { layers } = JSON.parse(registry.content.manifests.get(image.digest)!.bytes.toString());
    let isClosed = () => {};
    const closed = new Promise<void>((resolve) => {
      isClosed = resolve;
    });
    registry.tricks.push((request, response) => {
      if (request.url!.includes(layers[1].digest)) response.on('close', isClosed);
      return false;
    });
    const stopped = stopAt(layers[1].digest);
    const client = new AbortController();
    const gone = fetchFrom(daemon, `/images/create?fromImage=${encodeURIComponent(name)}&tag=latest`, client.signal);
    await stopped;
    client.abort();
    await gone;
    await closed;
    expect((await daemon.get('/images/json')).json).toHaveLength(1);
    expect((await daemon.docker('image', 'prune', '-f')).code).toBe(0);
  });
});

async function fetchFrom({ socket }: TestDaemon, url: string, signal: AbortSignal): Promise<void> {
  const http = await import('node:http');
  await new Promise<void>((resolve) => {
    const request = http.request({ socketPath: socket, method: 'POST', path: url, signal, agent: false }, (answer) => {
      answer.resume();
      answer.on('error', () => resolve());
      answer.on('end', () => resolve());
    });
    request.on('error', () => resolve());
    request.end();
  });
}
