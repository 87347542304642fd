import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RecordingRegistry } from '../../registry/testing/recording-registry.ts';
import { addImage, busyboxLayer } from '../../registry/testing/test-image.ts';
import { TestEngine } from '../testing/engine.ts';
import { bundle } from '../testing/ran.ts';
import { Terminal } from '../testing/terminal.ts';
import { canRunContainers, has } from '../testing/tools.ts';

describe.skipIf(!canRunContainers)('skiff pull', () => {
  let engine: TestEngine;
  let registry: RecordingRegistry;
  let name: string;
  let digest: string;
  let layers: string[];

  beforeAll(async () => {
    engine = await TestEngine.start();
    registry = await RecordingRegistry.start();
    name = `${registry.host}/some/name`;
    const image = await addImage(registry.content, { layers: [busyboxLayer(), { 'a.txt': 'a' }] });
    const manifest = JSON.parse(registry.content.manifests.get(image.digest)!.bytes.toString());
    layers = manifest.layers.map((layer: { digest: string }) => layer.digest.slice(7, 19));
    digest = image.digest;
    for (const tag of ['latest', 'other', 'third']) registry.tags.set(`some/name:${tag}`, image);
  });
  afterAll(async () => {
    await registry?.close();
    await engine?.destroy();
  });

  test('says one line a layer when it is not on a terminal', async () => {
    const { code, stdout, stderr } = await engine.skiff(['pull', name]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.split('\n').filter(Boolean);
    expect(lines.slice(0, 2)).toEqual(['Using default tag: latest', 'latest: Pulling from some/name']);
    expect(lines.slice(2, 4).sort()).toEqual(layers.map((id) => `${id}: Pull complete`).sort());
    expect(lines.slice(4)).toEqual([
      `Digest: ${digest}`,
      `Status: Downloaded newer image for ${name}:latest`,
      `${name}:latest`,
    ]);
  });

  test('says the name alone with --quiet', async () => {
    expect(await engine.skiff(['pull', '-q', `${name}:other`])).toMatchObject({
      code: 0,
      stdout: `${name}:other\n`,
      stderr: '',
    });
  });

  test('says as docker does what is missing, with its exit code', async () => {
    const ran = await engine.skiff(['pull', `${name}:missing`]);
    expect({ code: ran.code, stdout: ran.stdout }).toEqual({ code: 1, stdout: '' });
    expect(ran.stderr).toContain(`cannot fetch the manifest missing (registry ${registry.host}, repository some/name)`);
    const both = await engine.skiff(['pull', '-a', `${name}:third`]);
    expect(both.stderr).toContain("tag can't be used with --all-tags/-a");
    expect(both.code).not.toBe(0);
  });

  test('skiff run fetches what is not here, and tells of it on stderr', async () => {
    const command = ['run', '--rm', '--network', 'none', `${name}:third`, '/bin/sh', '-c', 'echo from inside'];
    const ran = await engine.skiff(command);
    expect(ran.stdout).toBe('from inside\n');
    expect(ran.stderr).toContain(`Unable to find image '${name}:third' locally`);
    expect(ran.stderr).toContain(`Digest: ${digest}`);
  });

  test.skipIf(!has('tmux'))('draws bars on a terminal', async () => {
    const big = await addImage(registry.content, {
      layers: [{ 'big.bin': Buffer.alloc(3_000_000, 'x') }],
      compression: 'none',
    });
    registry.tags.set('some/big:latest', big);
    let goOn = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    registry.tricks.push(async (request, response) => {
      const blob = registry.content.blobs.get(request.url!.split('/').at(-1)!);
      if (blob === undefined || blob.length < 3_000_000) return false;
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, 1_500_000));
      await held;
      response.end(blob.subarray(1_500_000));
      return true;
    });
    const terminal = new Terminal(120, 30);
    try {
      terminal.enter(`${process.execPath} ${bundle} --root ${engine.root} pull ${registry.host}/some/big`);
      await terminal.shows(/[0-9a-f]{12}: Downloading +\[=+ +\] +1\.\d+MB\/3\.\d+MB/);
      goOn();
      await terminal.shows(/[0-9a-f]{12}: Pull complete/);
      await terminal.shows(/Status: Downloaded newer image/);
    } finally {
      goOn();
      terminal.close();
    }
  });
});
