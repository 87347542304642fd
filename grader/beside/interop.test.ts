/** Images of ours in docker, podman, buildah, umoci and skopeo, and theirs in ours. */

import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from '../../engine/daemon/testing/test-daemon.ts';
import { expectValid } from '../../engine/image/test-support.ts';
import { noPodman, openPodmanRoom, type PodmanRoom, toItsEnd } from '../../engine/runtime/oci/testing/podman.ts';
import { startDockerd } from '../bench/engines/dockerd.ts';
import type { OtherEngine } from '../bench/engines/other-engine.ts';
import { useUnpackedTools } from '../harness/unpacked-tools.ts';
import { which } from '../vm/tools.ts';
import { makeAwkwardContext, makeTimes, PRINTS } from './awkward.ts';
import { treeIn, treeInArchive, withoutDirectoryTimes, withoutNotes } from './trees.ts';

const runs = promisify(execFile);
useUnpackedTools();
const absent = ['dockerd', 'skopeo', 'umoci', 'buildah', 'setcap'].find((program) => !which(program));
const missing = dockerIsMissing() || noPodman() || (absent && `there is no ${absent}`);

type Tree = Record<string, string>;

describe.skipIf(missing)(`images between engines${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let folder: string;
  let context: string;
  let ours: TestDaemon;
  let dockerd: OtherEngine;
  let room: PodmanRoom;
  /** Our image as we save it, and what is in it as we run it. */
  let saved: string;
  let tree: Tree;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-interop-'));
    context = join(folder, 'context');
    mkdirSync(context);
    makeAwkwardContext(context);
    ours = await TestDaemon.start();
    [dockerd, room] = await Promise.all([startDockerd(folder), openPodmanRoom()]);
    await docker(ours.socket, 'build', '-q', '-t', 'awkward:v0', context);
    // A build of ours gives all files its own time: those with others come by another way.
    const changed = (await docker(ours.socket, 'create', 'awkward:v0')).trim();
    const times = readFileSync(makeTimes(folder), 'latin1');
    await succeed('docker cp', ours.dockerWithInput(times, 'cp', '-a', '-', `${changed}:/`));
    await docker(ours.socket, 'commit', changed, 'awkward:v1');
    await docker(ours.socket, 'rm', '-v', changed);
    await docker(ours.socket, 'tag', 'awkward:v1', 'example.com:5000/me/awkward:second');
    saved = join(folder, 'ours.tar');
    await docker(ours.socket, 'save', '-o', saved, 'awkward:v1', 'example.com:5000/me/awkward:second');
    tree = await treeOfDocker(ours.socket, 'awkward:v1');
    const hostbox = join(folder, 'hostbox.tar');
    await docker(ours.socket, 'save', '-o', hostbox, 'hostbox');
    await Promise.all([docker(dockerd.api.socket, 'load', '-i', hostbox), podman('load', '-i', hostbox)]);
  });
  afterAll(async () => {
    await dockerd?.stop();
    await room?.close();
    expect(await ours?.destroy()).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  });

  const scratch = () => mkdtempSync(join(folder, 'scratch-'));

  /** What it printed, when it succeeded. */
  async function succeed(
    line: string,
    ran: Promise<{ code?: number | null; stdout: string; stderr: string }>,
  ): Promise<string> {
    const { code, stdout, stderr } = await ran.catch((error) => error);
    expect(code ? `exit ${code}\n${stdout.slice(-2000)}${stderr.slice(-2000)}` : '', line).toBe('');
    return stdout;
  }
  const command = (program: string, ...words: string[]) =>
    succeed(`${program} ${words.join(' ')}`, runs(program, words, { maxBuffer: 1 << 28 }));
  const skopeo = (...words: string[]) => command('skopeo', '--insecure-policy', ...words);
  const podman = (...words: string[]) => succeed(`podman ${words.join(' ')}`, room.theirs.run(...words));
  const buildah = (...words: string[]) =>
    succeed(`buildah ${words.join(' ')}`, toItsEnd(room.theirs.spawn(...room.theirs.line('buildah', ...words))));
  const docker = (socket: string, ...words: string[]) =>
    succeed(
      `docker ${words.join(' ')}`,
      runs('docker', ['-H', `unix://${socket}`, ...words], {
        env: { ...process.env, DOCKER_BUILDKIT: '0' },
        maxBuffer: 1 << 28,
      }),
    );

  async function treeOfDocker(socket: string, image: string): Promise<Tree> {
    const id = (await docker(socket, 'create', '--network', 'none', image)).trim();
    const archive = join(scratch(), 'export.tar');
    await docker(socket, 'export', '-o', archive, id);
    await docker(socket, 'rm', '-v', id);
    return treeInArchive(archive, scratch());
  }

  async function treeOfPodman(image: string): Promise<Tree> {
    const id = (await podman('create', '--network', 'none', image)).trim();
    const archive = join(scratch(), 'export.tar');
    await podman('export', '-o', archive, id);
    await podman('rm', '-v', id);
    return treeInArchive(archive, scratch());
  }

  const runPodman = (image: string, ...words: string[]) =>
    podman('run', '--rm', '--network', 'none', '--cgroup-parent', room.cgroupParent, image, ...words);

  /** What the configuration in an archive says, read by skopeo. */
  async function configOf(source: string): Promise<object> {
    const { config, architecture, os } = JSON.parse(await skopeo('inspect', '--config', source));
    return { ...fieldsOf(config), architecture, os };
  }

  async function configHere(image: string): Promise<object> {
    const [{ Config, Architecture, Os }] = JSON.parse(await docker(ours.socket, 'inspect', image));
    return { ...fieldsOf(Config), architecture: Architecture, os: Os };
  }

  /** The names or ids of what was loaded, as the command tells them. */
  async function load(archive: string): Promise<string[]> {
    const said = await docker(ours.socket, 'load', '-i', archive);
    return said
      .trim()
      .split('\n')
      .map((line) => line.replace(/^Loaded image( ID)?: /, ''));
  }

  describe('ours', () => {
    test('the archive and the store are what the specification’s schemas describe', () => {
      const unpacked = scratch();
      execFileSync('tar', ['-C', unpacked, '-xf', saved]);
      for (const layout of [unpacked, join(ours.root, 'images/oci')]) expectLayout(layout);
    });

    test.each(['docker-archive', 'oci-archive'])('skopeo inspects the archive as %s', async (transport) => {
      const source = `${transport}:${saved}:${transport === 'oci-archive' ? 'v1' : 'awkward:v1'}`;
      const { Architecture, Os, Env, Labels, Layers } = JSON.parse(await skopeo('inspect', source));
      expect({ Os, Env: Env.slice(-2), Labels, layers: Layers.length }).toEqual({
        Os: 'linux',
        Env: ['GREETING=good day', 'EMPTY='],
        Labels: { 'org.example.title': 'An awkward "image"', 'multi.line': 'a\\nb' },
        layers: 5,
      });
      expect(Architecture).toMatch(/^(amd64|arm64)$/);
      expect(await configOf(source)).toEqual(await configHere('awkward:v1'));
    });

    test.each([
      ['docker-archive', 'awkward:v1', 'oci-archive'],
      ['oci-archive', 'v1', 'docker-archive'],
    ])('skopeo copies the archive as %s:%s to %s, which loads and runs here', async (from, name, to) => {
      const copy = join(scratch(), 'copy.tar');
      const as = `copied.example/${to}:1`;
      await skopeo('copy', '-q', `${from}:${saved}:${name}`, `${to}:${copy}:${as}`);
      expect(await load(copy)).toEqual([as]);
      expect(await treeOfDocker(ours.socket, as)).toEqual(tree);
      expect(await configHere(as)).toEqual(await configHere('awkward:v1'));
      expect(await docker(ours.socket, 'run', '--rm', '--network', 'none', as)).toBe(PRINTS);
    });

    test('umoci unpacks it to the tree that we run it with', async () => {
      const directory = scratch();
      await skopeo('copy', '-q', `oci-archive:${saved}:v1`, `oci:${directory}/layout:v1`);
      await command('umoci', 'unpack', '--image', `${directory}/layout:v1`, join(directory, 'bundle'));
      expect(treeIn(join(directory, 'bundle/rootfs'))).toEqual(tree);
    });

    test('docker loads and runs it, under both names', async () => {
      const { socket } = dockerd.api;
      expect(await docker(socket, 'load', '-i', saved)).toMatch(/awkward:v1\n.*example\.com:5000\/me\/awkward:second/);
      expect(withoutNotes(await treeOfDocker(socket, 'awkward:v1'))).toEqual(withoutNotes(tree));
      expect(await docker(socket, 'run', '--rm', '--network', 'none', 'example.com:5000/me/awkward:second')).toBe(
        PRINTS,
      );
      const id = (engine: string) => docker(engine, 'image', 'inspect', '-f', '{{.Id}}', 'awkward:v1');
      expect(await id(socket)).toBe(await id(ours.socket));
    });

    test('podman loads and runs it, under both names', async () => {
      await podman('load', '-i', saved);
      expect(await treeOfPodman('awkward:v1')).toEqual(tree);
      expect(await runPodman('example.com:5000/me/awkward:second')).toBe(PRINTS);
    });

    test('buildah builds on it', async () => {
      for (const source of [`docker-archive:${saved}:awkward:v1`, `oci-archive:${saved}:v1`]) {
        const name = (await buildah('from', source)).trim();
        const run = ['run', '--runtime', room.theirs.runtime, '--isolation', 'oci', '--network', 'none', name, '--'];
        expect(await buildah(...run, 'cat', 'hard/first', 'moved-away/file'), source).toBe('linked\nmoved\n');
        await buildah('rm', name);
      }
    });
  });

  describe('theirs', () => {
    /** Loads, with this configuration and this tree, and runs. */
    async function expectHere(archive: string, transport: string, as: string, theirTree: Tree): Promise<void> {
      const [loaded] = await load(archive);
      if (as !== '') expect(loaded).toBe(as);
      const here = await treeOfDocker(ours.socket, loaded!);
      // Layers need not speak of the directories that they add to: an overlay has a time of its own for these.
      expect(withoutDirectoryTimes(here)).toEqual(withoutDirectoryTimes(theirTree));
      expect(await configHere(loaded!)).toEqual(await configOf(`${transport}:${archive}`));
      expect(await docker(ours.socket, 'run', '--rm', '--network', 'none', loaded!)).toBe(PRINTS);
      await docker(ours.socket, 'rmi', loaded!);
    }

    test('docker build, docker save', async () => {
      const { socket } = dockerd.api;
      await docker(socket, 'build', '-q', '--network', 'none', '-t', 'dockers:1', context);
      const archive = join(scratch(), 'docker.tar');
      await docker(socket, 'save', '-o', archive, 'dockers:1');
      await expectHere(archive, 'docker-archive', 'dockers:1', await treeOfDocker(socket, 'dockers:1'));
    });

    const limits = ['--ulimit', 'nofile=1024', '--ulimit', 'nproc=1024'];
    const isolation = () => ['--runtime', room.theirs.runtime, '--isolation', 'oci', '--network', 'none', ...limits];

    test('podman build and commit, podman save in each format, several in one archive', async () => {
      await podman('build', '-q', '--isolation', 'oci', '--network', 'none', ...limits, '-t', 'podmans:1', context);
      const container = (await podman('create', '--network', 'none', 'podmans:1')).trim();
      await podman('commit', '-q', '-a', 'Me', container, 'podmans:2');
      await podman('rm', '-v', container);
      const made = await treeOfPodman('podmans:2');
      for (const format of ['docker-archive', 'oci-archive']) {
        const archive = join(scratch(), `${format}.tar`);
        await podman('save', '-q', '--format', format, '-o', archive, 'podmans:2');
        await expectHere(archive, format, 'localhost/podmans:2', made);
      }
      const both = join(scratch(), 'both.tar');
      await podman('save', '-q', '-m', '-o', both, 'podmans:1', 'podmans:2');
      expect((await load(both)).sort()).toEqual(['localhost/podmans:1', 'localhost/podmans:2']);
      expect(await treeOfDocker(ours.socket, 'localhost/podmans:1')).toEqual(made);
    });

    test.each(['oci', 'docker'])('buildah bud --format %s, layers compressed with gzip and zstd', async (format) => {
      const name = `localhost/buildahs:${format}`;
      await buildah('bud', '-q', '--layers', '--format', format, ...isolation(), '-t', name, context);
      const made = await treeOfPodman(name);
      const archive = join(scratch(), 'buildah.tar');
      await buildah('push', '-q', name, `${format}-archive:${archive}:${name}`);
      await expectHere(archive, `${format}-archive`, name, made);
      const zstd = join(scratch(), 'zstd.tar');
      const options = ['--dest-compress', '--dest-compress-format', 'zstd', '--dest-force-compress-format'];
      const known = options.slice(0, 3);
      await skopeo('copy', '-q', ...known, `${format}-archive:${archive}`, `oci-archive:${zstd}:${name}`);
      await expectHere(zstd, 'oci-archive', name, made);
    });

    test('umoci new, insert, repack and config, as a layout in a tar', async () => {
      const directory = scratch();
      const [layout, bundle] = [join(directory, 'layout'), join(directory, 'bundle')];
      const image = `${layout}:made`;
      await command('umoci', 'init', '--layout', layout);
      await command('umoci', 'new', '--image', image);
      await command('umoci', 'unpack', '--image', image, bundle);
      const archive = join(directory, 'root.tar');
      const id = (await docker(ours.socket, 'create', '--network', 'none', 'awkward:v1')).trim();
      await docker(ours.socket, 'export', '-o', archive, id);
      await docker(ours.socket, 'rm', '-v', id);
      const attributes = ['--xattrs', '--xattrs-include=*', '--numeric-owner'];
      await command('tar', ...attributes, '-C', join(bundle, 'rootfs'), '-xpf', archive);
      await command('umoci', 'repack', '--image', image, bundle);
      await command('umoci', 'insert', '--image', image, join(context, 'Dockerfile'), '/awkward/inserted');
      await command('umoci', 'insert', '--image', image, '--whiteout', '/awkward/empty');
      const config = ['--config.user=1000:5', '--config.workingdir=/awkward', '--config.env=GREETING=good day'];
      const { Cmd } = (await configHere('awkward:v1')) as { Cmd: [string] };
      const entry = ['--config.entrypoint=sh', '--config.entrypoint=-c', `--config.cmd=${Cmd[0]}`];
      await command('umoci', 'config', '--image', image, ...config, ...entry);
      await command('tar', '-C', layout, '-cf', join(directory, 'layout.tar'), '.');
      await command('umoci', 'unpack', '--image', image, join(directory, 'again'));
      await expectHere(join(directory, 'layout.tar'), 'oci-archive', '', treeIn(join(directory, 'again/rootfs')));
    });
  });
});

/** Every document of an OCI image layout. image-layout.md */
function expectLayout(directory: string): void {
  const read = (...path: string[]) => JSON.parse(readFileSync(join(directory, ...path), 'utf8'));
  expectValid('image-layout-schema.json', read('oci-layout'));
  const index = read('index.json');
  expectValid('image-index-schema.json', index);
  expect(index.manifests.length).toBeGreaterThan(0);
  for (const { digest } of index.manifests) {
    const manifest = read('blobs', ...digest.split(':'));
    expectValid('image-manifest-schema.json', manifest);
    expectValid('config-schema.json', read('blobs', ...manifest.config.digest.split(':')));
  }
  expect(readdirSync(directory)).toContain('blobs');
}

const FIELDS = ['User', 'Env', 'Cmd', 'Entrypoint', 'WorkingDir', 'Labels', 'ExposedPorts', 'Volumes', 'StopSignal'];

/** Fields that say nothing are as good as fields that are not there. */
function fieldsOf(config: Record<string, unknown>): Record<string, unknown> {
  const says = (value: unknown) => JSON.stringify(value ?? '').length > 2;
  return Object.fromEntries(FIELDS.filter((field) => says(config[field])).map((field) => [field, config[field]]));
}
