import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DebianRegistry, PASSWORD, USER } from '../../registry/testing/debian-registry.ts';
import { TestEngine } from '../testing/engine.ts';
import { bundle, plainEnv } from '../testing/ran.ts';
import { Terminal } from '../testing/terminal.ts';
import { has } from '../testing/tools.ts';

describe.runIf(DebianRegistry.available())('skiff push (needs docker-registry)', () => {
  let engine: TestEngine;
  let registry: DebianRegistry;
  let name: string;
  let env: NodeJS.ProcessEnv;
  let directory: string;

  beforeAll(async () => {
    engine = await TestEngine.start();
    registry = await DebianRegistry.start({ login: true });
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-push-'));
    env = plainEnv({ DOCKER_CONFIG: directory });
    name = `${registry.host}/some/name`;
    await engine.skiff(['run', '--rm', 'hello-world']);
    for (const tag of ['latest', 'other']) await engine.skiff(['tag', 'hello-world', `${name}:${tag}`]);
  });
  afterAll(async () => {
    await registry?.close();
    await engine?.destroy();
    fs.rmSync(directory, { recursive: true, force: true });
  });
  const push = (...args: string[]) => engine.skiff(['push', ...args], { env });

  test('wants a login, which skiff login keeps for it', async () => {
    const refused = await push(name);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/wants a login/);
    const login = ['login', '-u', USER, '--password-stdin', registry.host];
    expect((await engine.skiff(login, { env, input: PASSWORD })).code).toBe(0);
    expect((await push(name)).code).toBe(0);
  });

  test('says one line a layer when it is not on a terminal', async () => {
    await engine.skiff(['tag', 'hello-world', `${registry.host}/third`]);
    const { code, stdout, stderr } = await push(`${registry.host}/third`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      'Using default tag: latest',
      `The push refers to repository [${registry.host}/third]`,
      expect.stringMatching(/^[0-9a-f]{12}: Mounted from some\/name$/),
      expect.stringMatching(/^latest: digest: sha256:[0-9a-f]{64} size: \d+$/),
      '',
    ]);
  });

  test('sends all tags, or the one that is named, and with --quiet says the name alone', async () => {
    const { stdout } = await push('-a', name);
    expect(stdout.match(/^\w+: digest/gm)).toEqual(['latest: digest', 'other: digest']);
    expect(await push('-q', `${name}:other`)).toMatchObject({ code: 0, stdout: `${name}:other\n`, stderr: '' });
  });

  test.skipIf(!has('tmux'))('draws a line for each layer on a terminal', async () => {
    const terminal = new Terminal(120, 30);
    try {
      terminal.enter(`DOCKER_CONFIG=${directory} ${process.execPath} ${bundle} --root ${engine.root} push ${name}`);
      await terminal.shows(/[0-9a-f]{12}: Layer already exists/);
      await terminal.shows(/latest: digest: sha256:/);
    } finally {
      terminal.close();
    }
  });

  test('says as docker does what it refuses', async () => {
    const refused = async (...args: string[]) => (await push(...args)).stderr;
    expect(await refused('-a', `${name}:other`)).toContain("tag can't be used with --all-tags/-a");
    expect(await refused(`${name}@sha256:${'0'.repeat(64)}`)).toContain('cannot push a digest reference');
    expect(await refused(`${registry.host}/nothing`)).toContain('An image does not exist locally with the tag');
    expect(await refused('--platform', 'linux/riscv64', name)).toContain('does not provide the specified platform');
    expect(await refused('--platform', 'linux', name)).toContain('it must be OS/ARCH');
  });
});
