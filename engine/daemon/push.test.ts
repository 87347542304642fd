import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../image/digest.ts';
import { DebianRegistry, PASSWORD, USER } from '../registry/testing/debian-registry.ts';
import { startOurRegistry } from '../registry/testing/our-registry.ts';
import { UploadRegistry } from '../registry/testing/upload-registry.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

/** A registry on loopback that anybody may push to. */
const REGISTRIES: Record<string, () => Promise<{ host: string; end: () => Promise<void> }>> = {
  ...(DebianRegistry.available() && {
    'docker-registry': async () => {
      const registry = await DebianRegistry.start();
      return { host: registry.host, end: () => registry.close() };
    },
  }),
  'our own registry': async () => {
    const registry = await startOurRegistry();
    return { host: registry.host, end: () => registry.stop() };
  },
};

function skopeo(...args: string[]): string {
  return execFileSync('skopeo', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

interface Stored {
  digest: string;
  manifest: { layers: { mediaType: string; digest: string; size: number }[] };
}

function inRegistry(name: string): Stored {
  const manifest = skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}`);
  return { digest: digestOf(Buffer.from(manifest)), manifest: JSON.parse(manifest) };
}

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(async () => {
  expect(await daemon?.destroy()).toEqual([]);
});
const docker = (...args: string[]) => daemon.docker(...args);

describe.skipIf(missing).each(Object.keys(REGISTRIES))('docker push to %s', (kind) => {
  let host: string;
  let end: () => Promise<void>;
  beforeAll(async () => {
    ({ host, end } = await REGISTRIES[kind]!());
  });
  afterAll(async () => {
    await end?.();
  });

  test('sends an image that others find under its digest, and knows it by that from then on', async () => {
    await docker('tag', 'hostbox', `${host}/first`);
    const { code, stdout, stderr } = await docker('push', `${host}/first`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, digest = '', size = ''] = /^latest: digest: (\S+) size: (\d+)$/m.exec(stdout) ?? [];
    expect(stdout).toContain(`The push refers to repository [${host}/first]`);
    expect(stdout).toMatch(/: Pushed$/m);
    expect(inRegistry(`${host}/first`).digest).toBe(digest);
    const { json } = await daemon.get(`/images/${host}/first/json`);
    expect(json.RepoDigests).toContain(`${host}/first@${digest}`);
    expect(Number(size)).toBeGreaterThan(0);

    // Whole and sound, by somebody else's judgement.
    const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-push-'));
    try {
      skopeo('copy', '-q', '--preserve-digests', '--src-tls-verify=false', `docker://${host}/first`, `dir:${copy}`);
      expect(digestOf(fs.readFileSync(path.join(copy, 'manifest.json')))).toBe(digest);
    } finally {
      fs.rmSync(copy, { recursive: true });
    }
  });

  test('sends no layer that the repository has', async () => {
    await docker('tag', 'hostbox', `${host}/first:again`);
    const { code, stdout } = await docker('push', `${host}/first:again`);
    expect({ code, states: new Set(stdout.match(/Layer already exists|Pushed|Mounted/g)) }).toEqual({
      code: 0,
      states: new Set(['Layer already exists']),
    });
  });

  test('has the registry mount a layer from the repository it is in', async () => {
    await docker('tag', 'hostbox', `${host}/second/name`);
    const { code, stdout } = await docker('push', `${host}/second/name`);
    expect(code).toBe(0);
    expect(stdout).toContain('Mounted from first');
    expect(inRegistry(`${host}/second/name`).digest).toBe(inRegistry(`${host}/first`).digest);
  });

  test('sends what was pulled with the very bytes it was pulled with, though it was here with others', async () => {
    const dockerfile = `FROM hostbox\nRUN echo ${host} > /where\n`;
    expect((await daemon.dockerWithInput(dockerfile, 'build', '-q', '-t', 'mine', '-')).code).toBe(0);
    const archive = path.join(daemon.root, 'mine.tar');
    await docker('save', '-o', archive, 'mine');
    // skopeo compresses what it sends.
    skopeo('copy', '-q', '--dest-tls-verify=false', `docker-archive:${archive}`, `docker://${host}/zipped`);
    const { digest, manifest } = inRegistry(`${host}/zipped`);
    expect(manifest.layers.at(-1)?.mediaType).toMatch(/gzip$/);
    expect((await docker('pull', `${host}/zipped`)).code).toBe(0);
    const elsewhere = await startOurRegistry();
    try {
      for (const name of [`${host}/copy`, `${elsewhere.host}/copy`]) {
        await docker('tag', `${host}/zipped`, name);
        expect((await docker('push', name)).stdout).toContain(`latest: digest: ${digest}`);
        expect(inRegistry(name)).toEqual({ digest, manifest });
      }
    } finally {
      await elsewhere.stop();
    }
  });

  test('sends several layers, and each of them once', async () => {
    const dockerfile = [
      'FROM hostbox',
      ...Array.from({ length: 8 }, (_, n) => `RUN echo ${n % 7} > /file${n % 7}`),
      '',
    ];
    const tag = `${host}/layers`;
    expect((await daemon.dockerWithInput(dockerfile.join('\n'), 'build', '-q', '-t', tag, '-')).code).toBe(0);
    expect((await docker('push', tag)).code).toBe(0);
    const { layers } = inRegistry(tag).manifest;
    expect(layers.length).toBe(9);
  });

  test('--all-tags sends all tags of the repository, and no other image', async () => {
    for (const tag of ['one', 'two']) await docker('tag', 'hostbox', `${host}/many:${tag}`);
    await docker('tag', 'hostbox', `${host}/many/more:three`);
    const { code, stdout } = await docker('push', '-a', `${host}/many`);
    expect(code).toBe(0);
    expect(stdout.match(/^\w+: digest:/gm)).toEqual(['one: digest:', 'two: digest:']);
    const listed = JSON.parse(skopeo('list-tags', '--tls-verify=false', `docker://${host}/many`));
    expect(listed.Tags.sort()).toEqual(['one', 'two']);
  });

  test('--quiet says the name alone', async () => {
    expect(await docker('push', '-q', `${host}/first`)).toEqual({
      code: 0,
      stdout: `${host}/first:latest\n`,
      stderr: '',
    });
  });

  test('a name that no image has is refused with it', async () => {
    for (const args of [[`${host}/nothing`], ['-a', `${host}/nothing`]]) {
      const { code, stderr } = await docker('push', ...args);
      expect(code).toBe(1);
      expect(stderr).toContain(`An image does not exist locally with the tag: ${host}/nothing`);
    }
  });

  test('--platform of another machine is refused with the one it is for', async () => {
    const { code, stderr } = await docker('push', '--platform', 'linux/riscv64', `${host}/first`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not provide the specified platform \(linux\/riscv64\): it is for linux\//);
  });

  test('is forgotten with the last tag of the repository', async () => {
    const names = [`${host}/gone:one`, `${host}/gone:two`];
    for (const name of names) {
      await docker('tag', 'hostbox', name);
      await docker('push', '-q', name);
    }
    const digests = async () =>
      (await daemon.get('/images/hostbox/json')).json.RepoDigests.filter((each: string) => each.includes('/gone@'));
    await docker('rmi', names[0]!);
    expect(await digests()).toHaveLength(1);
    expect((await docker('rmi', names[1]!)).stdout.match(/^Untagged: /gm)).toHaveLength(2);
    expect(await digests()).toEqual([]);
  });

  test('is told of as an event', async () => {
    const { stdout } = await docker('events', '--since', '0', '--until', '0s', '--filter', 'event=push');
    expect(stdout).toContain(`${host}/first:latest`);
  });
});

describe.skipIf(missing || !DebianRegistry.available())(
  'docker push to a registry that wants a login (needs docker-registry)',
  () => {
    let registry: DebianRegistry;
    beforeAll(async () => {
      registry = await DebianRegistry.start({ login: true });
    });
    afterAll(async () => {
      await registry?.close();
    });

    test('is refused without one, and done with one', async () => {
      const name = `${registry.host}/ada/box`;
      await docker('tag', 'hostbox', name);
      const refused = await docker('push', name);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/wants a login/);

      const login = await daemon.dockerWithInput(PASSWORD, 'login', '-u', USER, '--password-stdin', registry.host);
      expect(login.code).toBe(0);
      const { code, stdout } = await docker('push', name);
      expect({ code, pushed: /latest: digest: sha256:/.test(stdout) }).toEqual({ code: 0, pushed: true });
      expect(daemon.errors).not.toContain(PASSWORD);
    });
  },
);

describe.skipIf(missing)('docker push that fails', () => {
  test('names a layer that is damaged on this machine', async () => {
    const registry = await startOurRegistry();
    try {
      const name = `${registry.host}/damaged`;
      await daemon.dockerWithInput('FROM hostbox\nRUN echo sound > /text\n', 'build', '-q', '-t', name, '-');
      await docker('save', '-o', path.join(daemon.root, 'damaged.tar'), name);
      const [manifest] = JSON.parse(
        execFileSync('tar', ['xOf', path.join(daemon.root, 'damaged.tar'), 'manifest.json'], { encoding: 'utf8' }),
      );
      const layer = manifest.Layers.at(-1) as string;
      const blob = execFileSync('find', [daemon.root, '-path', `*/oci/${layer}`], { encoding: 'utf8' }).trim();
      const bytes = fs.readFileSync(blob);
      bytes[600]! ^= 1;
      fs.writeFileSync(blob, bytes);
      const { code, stderr } = await docker('push', name);
      expect(code).toBe(1);
      expect(stderr).toContain(`blob sha256:${path.basename(layer)} is damaged on this machine`);
      expect((await fetch(`${registry.url}/v2/damaged/manifests/latest`)).status).toBe(404);
    } finally {
      await registry.stop();
    }
  });

  test('ends when the client hangs up, and cancels what has begun', { timeout: 60_000 }, async () => {
    const registry = await UploadRegistry.start();
    try {
      const name = `${registry.host}/x`;
      await docker('tag', 'hostbox', name);
      const client = new AbortController();
      let cancelled = () => {};
      const cancel = new Promise<void>((resolve) => {
        cancelled = resolve;
      });
      registry.fault = async ({ method }) => {
        if (method === 'DELETE') cancelled();
        if (method === 'PUT') {
          client.abort();
          await cancel;
        }
        return undefined;
      };
      await new Promise<void>((resolve) => {
        const child = execFile('docker', ['-H', `unix://${daemon.socket}`, 'push', name], () => resolve());
        client.signal.addEventListener('abort', () => child.kill('SIGKILL'));
      });
      await cancel;
      expect(registry.manifests.size).toBe(0);
      expect((await docker('run', '--rm', name, 'true')).code).toBe(0);
    } finally {
      await registry.close();
    }
  });
});

test('a registry that is not there is named, with the step', async () => {
  await docker('tag', 'hostbox', '127.0.0.1:1/x');
  const { code, stderr } = await docker('push', '127.0.0.1:1/x');
  expect(code).toBe(1);
  expect(stderr).toMatch(/cannot push \(registry 127\.0\.0\.1:1, repository x\): .*refused/);
});
