import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DebianRegistry } from '../registry/testing/debian-registry.ts';
import {
  addImage,
  addIndex,
  busyboxLayer,
  type Compression,
  newContent,
  upload,
} from '../registry/testing/test-image.ts';
import { TestDaemon } from './testing/test-daemon.ts';

describe.runIf(DebianRegistry.available())("pulls from Debian's docker-registry", () => {
  let daemon: TestDaemon;
  let registry: DebianRegistry;
  const docker = (...args: string[]) => daemon.docker(...args);

  beforeAll(async () => {
    daemon = await TestDaemon.start();
    registry = await DebianRegistry.start();
  });
  afterAll(async () => {
    await registry?.close();
    expect(await daemon?.destroy()).toEqual([]);
  });
  afterEach(async () => {
    const { stdout } = await docker('images', '-q', '--filter', `reference=${registry.host}/*/*`);
    for (const id of new Set(stdout.split('\n').filter(Boolean))) await docker('rmi', '-f', id);
  });

  test.each<[string, 'oci' | 'docker', Compression[]]>([
    ['OCI, gzip', 'oci', ['gzip', 'gzip']],
    ['OCI, zstd and plain', 'oci', ['zstd', 'none']],
    ['Docker schema 2', 'docker', ['gzip', 'gzip']],
  ])('docker run fetches an image that is not here: %s', async (_, format, compression) => {
    const content = newContent();
    const layers = [busyboxLayer(), { 'hello.txt': `hello from ${format} ${compression.join()}\n` }];
    const image = await addImage(content, { layers, compression, format });
    await upload(registry.host, 'some/image', content, { latest: image });
    const name = `${registry.host}/some/image`;
    const ran = await docker('run', '--rm', name, '/bin/sh', '-c', 'read -r line < /hello.txt; echo "$line"');
    expect(ran).toMatchObject({ code: 0, stdout: `hello from ${format} ${compression.join()}\n` });
    expect(ran.stderr).toContain(`Unable to find image '${name}:latest' locally`);
    expect(ran.stderr).toContain(`Digest: ${image.digest}\nStatus: Downloaded newer image for ${name}:latest`);
    const [inspected] = JSON.parse((await docker('inspect', name)).stdout);
    expect(inspected.RepoDigests).toEqual([`${name}@${image.digest}`]);
    const again = await docker('pull', `${name}@${image.digest}`);
    expect(again.stdout).toContain(`Status: Image is up to date for ${name}@${image.digest}`);
  });

  test('of an index, the image for this machine comes, or the one that --platform names', async () => {
    const content = newContent();
    const image = (architecture: string) => addImage(content, { layers: [{ 'a.txt': architecture }], architecture });
    const [amd64, arm64, s390x] = [await image('amd64'), await image('arm64'), await image('s390x')];
    const index = addIndex(content, [s390x!, arm64!, amd64!]);
    await upload(registry.host, 'some/index', content, { latest: index });
    const name = `${registry.host}/some/index`;
    const architecture = async () => (await docker('inspect', '-f', '{{.Architecture}}', name)).stdout.trim();

    expect((await docker('pull', name)).stdout).toContain(`Digest: ${index.digest}`);
    expect(await architecture()).toBe(process.arch === 'x64' ? 'amd64' : process.arch);
    expect((await docker('pull', '-q', '--platform', 'linux/s390x', name)).stdout).toBe(`${name}:latest\n`);
    expect(await architecture()).toBe('s390x');
    const none = await docker('pull', '--platform', 'linux/riscv64', name);
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('it has no image for linux/riscv64; it has linux/s390x, linux/arm64, linux/amd64');
  });

  test('what is not there is named, with the registry and the step', async () => {
    const missing = await docker('pull', `${registry.host}/some/nothing:v1`);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain(
      `cannot fetch the manifest v1 (registry ${registry.host}, repository some/nothing): not found`,
    );
  });
});
