import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DebianRegistry, PASSWORD, USER } from '../registry/testing/debian-registry.ts';
import { startOurRegistry } from '../registry/testing/our-registry.ts';
import {
  addImage,
  addIndex,
  busyboxLayer,
  type Compression,
  newContent,
  upload,
} from '../registry/testing/test-image.ts';
import { TestDaemon } from './testing/test-daemon.ts';

describe.runIf(DebianRegistry.available())("pulls from Debian's docker-registry (needs docker-registry)", () => {
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
    const both = await docker('create', '--pull', 'never', `${name}:v1@${index.digest}`, '/x');
    expect(both.code, both.stderr).toBe(0);
    await docker('rm', both.stdout.trim());
    expect((await docker('pull', '-q', '--platform', 'linux/s390x', name)).stdout).toBe(`${name}:latest\n`);
    expect(await architecture()).toBe('s390x');
    const none = await docker('pull', '--platform', 'linux/riscv64', name);
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('it has no image for linux/riscv64; it has linux/s390x, linux/arm64, linux/amd64');
  });

  test('--all-tags fetches every tag', async () => {
    const content = newContent();
    const tags = Object.fromEntries(
      await Promise.all(
        ['one', 'two', 'three'].map(async (tag) => [tag, await addImage(content, { layers: [{ 'a.txt': tag }] })]),
      ),
    );
    await upload(registry.host, 'some/tags', content, tags);
    const name = `${registry.host}/some/tags`;
    expect(await docker('pull', '--all-tags', name)).toMatchObject({ code: 0 });
    expect((await docker('images', '--format', '{{.Tag}}', name)).stdout.split('\n').sort()).toEqual([
      '',
      'one',
      'three',
      'two',
    ]);
  });

  test('--pull always fetches what is newer, and --pull never nothing', async () => {
    const name = `${registry.host}/some/newer`;
    const offer = async (text: string) => {
      const content = newContent();
      const image = await addImage(content, { layers: [busyboxLayer(), { 'a.txt': `${text}\n` }] });
      await upload(registry.host, 'some/newer', content, { latest: image });
    };
    const run = async (when: string) =>
      (await docker('run', '--rm', '--pull', when, name, '/bin/sh', '-c', 'read -r line < /a.txt; echo "$line"'))
        .stdout;
    expect((await docker('run', '--rm', '--pull', 'never', name, '/bin/sh')).code).toBe(125);
    await offer('old');
    expect(await run('missing')).toBe('old\n');
    await offer('new');
    expect(await run('missing')).toBe('old\n');
    expect(await run('always')).toBe('new\n');
  });

  test('a build begins with an image that is not here, and with --pull with a newer one', async () => {
    const name = `${registry.host}/some/base`;
    const offer = async (text: string) => {
      const content = newContent();
      const image = await addImage(content, { layers: [busyboxLayer(), { 'a.txt': `${text}\n` }] });
      await upload(registry.host, 'some/base', content, { latest: image });
    };
    const build = (...options: string[]) =>
      daemon.dockerWithInput(
        `FROM ${name}\nRUN ["/bin/sh", "-c", "read -r line < /a.txt; echo got $line"]\n`,
        ...['build', '-t', `${registry.host}/some/built`, ...options, '-'],
      );
    await offer('old');
    const first = await build();
    expect(first.stdout + first.stderr).toContain('latest: Pulling from some/base');
    expect(first.stdout).toContain('got old');
    await offer('new');
    expect((await build()).stdout).not.toContain('Pulling from');
    expect((await build('--pull')).stdout).toContain('got new');
    const other = await build('--platform', 'linux/s390x');
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(
      /FROM .*: cannot use the configuration .* is for linux\/.* only, not for linux\/s390x/,
    );
  });

  test('what a registry has under a name is told without a pull', async () => {
    const content = newContent();
    const image = await addImage(content, { layers: [{ 'a.txt': 'a' }] });
    const arm = await addImage(content, { layers: [{ 'a.txt': 'b' }], architecture: 'arm64' });
    const index = addIndex(content, [image, arm]);
    await upload(registry.host, 'some/looked', content, { one: image, both: index });
    const { mediaType, digest, size, platform } = image;
    const one = await daemon.get(`/distribution/${registry.host}/some/looked:one/json`);
    expect(one.json).toEqual({ Descriptor: { mediaType, digest, size }, Platforms: [platform] });
    const both = await daemon.get(`/distribution/${registry.host}/some/looked:both/json`);
    expect(both.json.Descriptor.digest).toBe(index.digest);
    expect(both.json.Platforms).toEqual([platform, arm.platform]);
    expect((await daemon.get(`/distribution/${registry.host}/some/looked:no/json`)).status).toBe(404);
    expect((await daemon.get('/images/json')).text).not.toContain('some/looked');
  });

  test('what is not there is named, with the registry and the step', async () => {
    const missing = await docker('pull', `${registry.host}/some/nothing:v1`);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain(
      `cannot fetch the manifest v1 (registry ${registry.host}, repository some/nothing): not found`,
    );
  });

  test('what was pulled is saved as skopeo copies it', async () => {
    const content = newContent();
    const layers = [busyboxLayer(), { 'a.txt': 'a' }];
    const image = await addImage(content, { layers, compression: ['gzip', 'none'] });
    await upload(registry.host, 'some/saved', content, { latest: image });
    const name = `${registry.host}/some/saved`;
    await docker('pull', name);
    const at = (file: string) => path.join(daemon.root, file);
    expect(await docker('save', '-o', at('saved.tar'), name)).toMatchObject({ code: 0 });
    execFileSync('skopeo', ['copy', '-q', `oci-archive:${at('saved.tar')}`, `dir:${at('ours')}`]);
    execFileSync('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${name}`, `dir:${at('theirs')}`]);
    const files = (directory: string) => fs.readdirSync(at(directory)).sort();
    expect(files('ours')).toEqual(files('theirs'));
    for (const file of files('ours'))
      expect(fs.readFileSync(at(`ours/${file}`)).equals(fs.readFileSync(at(`theirs/${file}`))), file).toBe(true);
  });

  test('run --platform fetches the image for that platform', async () => {
    const content = newContent();
    const image = (architecture: string) => addImage(content, { layers: [{ 'a.txt': architecture }], architecture });
    const index = addIndex(content, [await image('amd64'), await image('arm64')]);
    await upload(registry.host, 'some/platforms', content, { latest: index });
    const name = `${registry.host}/some/platforms`;
    for (const architecture of ['amd64', 'arm64']) {
      const created = await docker('create', '--platform', `linux/${architecture}`, name, '/x');
      expect(created.code, created.stderr).toBe(0);
      expect((await docker('inspect', '-f', '{{.Architecture}}', name)).stdout.trim()).toBe(architecture);
      await docker('rm', created.stdout.trim());
    }
  });
});

describe.runIf(DebianRegistry.available())('pulls with a login (needs docker-registry)', () => {
  test('docker run and docker build send it, and no error or event repeats it', async () => {
    const registry = await DebianRegistry.start({ login: true });
    const daemon = await TestDaemon.start();
    try {
      const content = newContent();
      const image = await addImage(content, { layers: [busyboxLayer()] });
      const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
      await upload(registry.host, 'some/secret', content, { latest: image }, { authorization });
      const name = `${registry.host}/some/secret`;
      const build = () => daemon.dockerWithInput(`FROM ${name}\nRUN ["/bin/sh", "-c", "echo built"]\n`, 'build', '-');

      const refused = [await daemon.docker('pull', name), await build()];
      for (const { code, stderr } of refused) {
        expect(code).toBe(1);
        expect(stderr).toContain(`(registry ${registry.host}, repository some/secret): unauthorized`);
      }
      const wrong = Buffer.from(JSON.stringify({ username: USER, password: 'not-this-one' })).toString('base64url');
      const url = `/images/create?fromImage=${encodeURIComponent(name)}&tag=latest`;
      const answer = await daemon.exchange('POST', url, undefined, { 'X-Registry-Auth': wrong });
      expect(answer.status).toBe(404);
      expect(answer.text).toContain('The login is wrong');
      expect(answer.text).not.toContain('not-this-one');

      expect(
        (await daemon.dockerWithInput(PASSWORD, 'login', '-u', USER, '--password-stdin', registry.host)).code,
      ).toBe(0);
      expect((await build()).stdout).toContain('built');
      const ran = await daemon.docker('run', '--rm', '--pull', 'always', name, '/bin/sh', '-c', 'echo ran');
      expect(ran).toMatchObject({ code: 0, stdout: 'ran\n' });
      const events = await daemon.docker(
        'events',
        '--since',
        '1',
        '--until',
        String(Math.floor(Date.now() / 1000) + 1),
        '--filter',
        'type=image',
      );
      expect(events.stdout).toMatch(new RegExp(`image pull ${name}:latest \\(name=${name}\\)`));
      expect(events.stdout + daemon.errors).not.toContain(PASSWORD);
    } finally {
      await registry.close();
      expect(await daemon.destroy()).toEqual([]);
    }
  });
});

test('docker run fetches an index from our own registry', async () => {
  const daemon = await TestDaemon.start();
  const registry = await startOurRegistry();
  try {
    const content = newContent();
    const layers = [busyboxLayer(), { 'hello.txt': 'hello from our own\n' }];
    const image = await addImage(content, { layers, compression: ['zstd', 'gzip'] });
    const index = addIndex(content, [await addImage(content, { layers, architecture: 'riscv64' }), image]);
    await upload(registry.host, 'some/name', content, { latest: index });
    const name = `${registry.host}/some/name`;
    const ran = await daemon.docker('run', '--rm', name, '/bin/sh', '-c', 'read -r line < /hello.txt; echo "$line"');
    expect(ran).toMatchObject({ code: 0, stdout: 'hello from our own\n' });
    expect(ran.stderr).toContain(`Digest: ${index.digest}`);
  } finally {
    await registry.stop();
    expect(await daemon.destroy()).toEqual([]);
  }
});
