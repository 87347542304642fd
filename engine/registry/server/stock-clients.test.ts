/** Clients that we did not write, against our server. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasProgram, isRoot } from '../../image/test-support.ts';
import { DebianRegistry } from '../testing/debian-registry.ts';
import { type OurRegistry, startOurRegistry } from '../testing/our-registry.ts';

const exec = promisify(execFile);
const run = async (program: string, ...args: string[]) => (await exec(program, args, { maxBuffer: 1 << 26 })).stdout;

let scratch: string;
let registry: OurRegistry;
const hasSkopeo = hasProgram('skopeo') && hasProgram('umoci');

beforeAll(async () => {
  scratch = mkdtempSync(path.join(tmpdir(), 'skiff-clients-'));
  registry = await startOurRegistry();
  if (hasSkopeo) await makeImage();
});

afterAll(async () => {
  await registry?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** Two layers of a few bytes, without root. */
async function makeImage(): Promise<void> {
  const layout = path.join(scratch, 'image');
  await run('umoci', 'init', '--layout', layout);
  await run('umoci', 'new', '--image', `${layout}:one`);
  for (const name of ['a', 'b']) {
    writeFileSync(path.join(scratch, name), `${name}\n`);
    await run('umoci', 'insert', '--rootless', '--image', `${layout}:one`, path.join(scratch, name), `/${name}`);
  }
}

const digestOf = (directory: string) => run('skopeo', 'manifest-digest', path.join(directory, 'manifest.json'));
const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];

/** Push the image with skopeo. @returns its name at our registry */
async function pushed(name: string): Promise<string> {
  const there = `${registry.host}/${name}`;
  await run('skopeo', 'copy', ...insecure, `oci:${scratch}/image:one`, `docker://${there}`);
  return there;
}

test.skipIf(!hasSkopeo)('an image that skopeo pushes comes back unchanged (needs skopeo, umoci)', async () => {
  const there = `docker://${await pushed('library/image:one')}`;
  await run('skopeo', 'copy', ...insecure, there, `dir:${scratch}/pulled`);
  await run('skopeo', 'copy', `oci:${scratch}/image:one`, `dir:${scratch}/direct`);
  expect(await digestOf(`${scratch}/pulled`)).toBe(await digestOf(`${scratch}/direct`));
  const files = readdirSync(`${scratch}/direct`).sort();
  expect(files.length).toBeGreaterThanOrEqual(5);
  expect(readdirSync(`${scratch}/pulled`).sort()).toEqual(files);
  for (const file of files)
    expect(readFileSync(`${scratch}/pulled/${file}`)).toEqual(readFileSync(`${scratch}/direct/${file}`));
});

test.skipIf(!hasSkopeo)('skopeo mounts, converts, lists and deletes (needs skopeo, umoci)', async () => {
  const there = await pushed('skopeo/first:one');
  const other = `docker://${registry.host}/skopeo/second`;
  await run('skopeo', 'copy', ...insecure, `docker://${there}`, `${other}:mounted`);
  await run('skopeo', 'copy', ...insecure, '--format=v2s2', `oci:${scratch}/image:one`, `${other}:docker`);
  const tags = async () => JSON.parse(await run('skopeo', 'list-tags', '--tls-verify=false', other)).Tags;
  expect(await tags()).toEqual(['docker', 'mounted']);
  await run('skopeo', 'delete', '--tls-verify=false', `${other}:mounted`);
  expect(await tags()).toEqual(['docker']);
});

test.skipIf(!hasSkopeo || !DebianRegistry.available())(
  "an image goes from our registry to Debian's and back unchanged (needs skopeo, umoci, docker-registry)",
  async () => {
    const there = `docker://${await pushed('round/trip:one')}`;
    const debian = await DebianRegistry.start();
    try {
      const away = `docker://${debian.host}/round/trip:one`;
      await run('skopeo', 'copy', ...insecure, there, away);
      const back = `docker://${registry.host}/round/back:one`;
      await run('skopeo', 'copy', ...insecure, away, back);
      const raw = ['inspect', '--raw', '--tls-verify=false'];
      expect(await run('skopeo', ...raw, back)).toBe(await run('skopeo', ...raw, there));
    } finally {
      await debian.close();
    }
  },
);

test.skipIf(!hasSkopeo || !hasProgram('podman') || !isRoot)(
  'podman pulls, tags and pushes (needs podman, root)',
  async () => {
    const there = await pushed('podman/image:one');
    const own = [`--root=${scratch}/podman`, `--runroot=${scratch}/podman-run`, '--storage-driver=vfs'];
    const podman = (...words: string[]) => run('podman', ...own, '--cgroup-manager=cgroupfs', ...words);
    const id = await podman('pull', '-q', '--tls-verify=false', there);
    await podman('tag', there, `${registry.host}/podman/docker:two`);
    await podman('push', '-q', '--tls-verify=false', '--format=v2s2', `${registry.host}/podman/docker:two`);
    await podman('rmi', '-f', id.trim());
    expect(await podman('pull', '-q', '--tls-verify=false', `${registry.host}/podman/docker:two`)).toBe(id);
    const found = await podman('search', '--tls-verify=false', '--list-tags', `${registry.host}/podman/docker`);
    expect(found).toContain('two');
  },
);

test.skipIf(!hasProgram('buildah') || !isRoot)(
  'buildah pushes what it built, and pulls it (needs buildah, root)',
  async () => {
    const own = [`--root=${scratch}/buildah`, `--runroot=${scratch}/buildah-run`, '--storage-driver=vfs'];
    const buildah = async (...words: string[]) => (await run('buildah', ...own, ...words)).trim();
    const container = await buildah('from', 'scratch');
    writeFileSync(path.join(scratch, 'built'), 'built\n');
    await buildah('copy', '-q', container, path.join(scratch, 'built'), '/built');
    const name = `${registry.host}/buildah/image:one`;
    const id = await buildah('commit', '-q', '--rm', container, name);
    await buildah('push', '-q', '--tls-verify=false', name);
    await buildah('rmi', '-f', id);
    expect(await buildah('pull', '-q', '--tls-verify=false', name)).toBe(id);
  },
);

test.skipIf(!hasSkopeo || !hasProgram('docker'))(
  'docker manifest inspects, and pushes a list of images (needs docker, skopeo, umoci)',
  async () => {
    await run(
      'skopeo',
      'copy',
      ...insecure,
      '--format=v2s2',
      `oci:${scratch}/image:one`,
      `docker://${registry.host}/docker/image:one`,
    );
    const docker = async (...words: string[]) =>
      (await exec('docker', ['--config', `${scratch}/docker`, 'manifest', ...words])).stdout;
    const [image, all] = [`${registry.host}/docker/image:one`, `${registry.host}/docker/list:all`];
    expect(JSON.parse(await docker('inspect', '--insecure', image)).layers).toHaveLength(2);
    await docker('create', '--insecure', all, image);
    await docker('push', '--insecure', all);
    const { manifests } = JSON.parse(await docker('inspect', '--insecure', all));
    expect(manifests).toHaveLength(1);
    await run('skopeo', 'copy', '--all', ...insecure, `docker://${all}`, `docker://${registry.host}/docker/copy:all`);
  },
);

test('no request of all these clients was a mistake in the server', () => {
  expect(registry.log()).toBe('');
});
