/** What goes into images comes out: archives of every form and compression, names, times and configurations. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = process.getuid?.() !== 0 ? 'only root unpacks with owners' : dockerIsMissing();

describe.skipIf(missing)(`images${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  let above: string;
  const at = (name: string) => path.join(above, name);
  const docker = async (...args: string[]) => {
    const ran = await daemon.docker(...args);
    expect(ran.code, ran.stderr + ran.stdout).toBe(0);
    return ran.stdout;
  };
  beforeAll(async () => {
    process.env.DOCKER_BUILDKIT = '0';
    // As a daemon of a careful administrator begins.
    daemon = await TestDaemon.start('', undefined, ['sh', '-c', 'umask 077; exec "$@"', 'sh']);
    above = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-images-'));
  });
  afterAll(async () => {
    delete process.env.DOCKER_BUILDKIT;
    if (above) fs.rmSync(above, { recursive: true, force: true });
    expect(await daemon?.destroy()).toEqual([]);
  });

  function context(files: Record<string, string>): string {
    const directory = fs.mkdtempSync(at('context-'));
    onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
    for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), content);
    return directory;
  }

  test('a daemon that begins with umask 077 makes images that everybody can read', async () => {
    const directory = context({
      Dockerfile:
        'FROM hostbox AS one\nFROM scratch\nCOPY --from=one / /\nCOPY file /new/file\nWORKDIR /made\nRUN mkdir /by-run\n',
      file: 'x',
    });
    await docker('build', '-t', 'umask', directory);
    const list = 'stat -c %a / /new /new/file /made /by-run /at-start /vol';
    const out = await docker('run', '--rm', '-v', 'umask:/vol', '-w', '/at-start', 'umask', 'sh', '-c', list);
    expect(out.split('\n').filter(Boolean)).toEqual(['755', '755', '644', '755', '755', '755', '755']);
    await docker('volume', 'rm', 'umask');
  });

  test.each(['xz', 'bzip2'])(
    '%s is read by load, import, ADD and as a context',
    async (program) => {
      fs.mkdirSync(at(program));
      fs.writeFileSync(at(`${program}/Dockerfile`), 'FROM hostbox\nADD inner.tar.packed /inner\n');
      fs.writeFileSync(at(`${program}/inside`), 'inner');
      const pack = (file: string) => {
        fs.writeFileSync(`${file}.packed`, execFileSync(program, ['-c', file]));
        return `${file}.packed`;
      };
      execFileSync('tar', ['-cf', at(`${program}/inner.tar`), '-C', at(program), 'inside']);
      pack(at(`${program}/inner.tar`));
      execFileSync('tar', ['-cf', at(`${program}.tar`), '-C', at(program), '.']);
      expect(await post('/build?t=packed', pack(at(`${program}.tar`)))).toContain('Successfully tagged');
      expect(await docker('run', '--rm', 'packed', 'cat', '/inner/inside')).toBe('inner');
      await docker('save', '-o', at('saved.tar'), 'packed');
      await docker('rmi', 'packed');
      expect(await docker('load', '-i', pack(at('saved.tar')))).toContain('packed:latest');
      expect(await docker('run', '--rm', 'packed', 'cat', '/inner/inside')).toBe('inner');
      expect(await docker('import', pack(at(`${program}.tar`)), `${program}-imported`)).toContain('sha256:');
      const cut = at('cut');
      const whole = fs.readFileSync(at(`${program}.tar.packed`));
      fs.writeFileSync(cut, whole.subarray(0, whole.length - 20));
      expect((await daemon.docker('import', cut)).stderr).toContain('cut off');
      await docker('rmi', 'packed', `${program}-imported`);
    },
    180_000,
  );

  async function post(url: string, file: string): Promise<string> {
    return await new Promise((resolve, reject) => {
      const request = http.request({ socketPath: daemon.socket, method: 'POST', path: url }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
      });
      fs.createReadStream(file).pipe(request).on('error', reject);
    });
  }

  test('an archive from before version 1.10 is loaded', async () => {
    const [lower, upper] = ['1'.repeat(64), '2'.repeat(64)];
    const root = at('legacy');
    for (const [id, parent, name] of [
      [lower, undefined, 'low'],
      [upper, lower, 'high'],
    ] as const) {
      fs.mkdirSync(path.join(root, id), { recursive: true });
      fs.writeFileSync(path.join(root, name), name);
      execFileSync('tar', ['-cf', path.join(root, id, 'layer.tar'), '-C', root, name]);
      fs.writeFileSync(path.join(root, id, 'VERSION'), '1.0');
      const config = { Cmd: ['/x'], Env: ['A=b'] };
      const json = { id, parent, created: '2015-01-02T03:04:05Z', container_config: { Cmd: [name] }, config };
      fs.writeFileSync(path.join(root, id, 'json'), JSON.stringify(json));
    }
    fs.writeFileSync(path.join(root, 'repositories'), JSON.stringify({ 'old/image': { v1: upper } }));
    execFileSync('tar', ['-cf', at('legacy.tar'), '-C', root, lower, upper, 'repositories']);
    expect(await docker('load', '-i', at('legacy.tar'))).toContain('old/image:v1');
    expect(
      await docker('image', 'inspect', '-f', '{{.Created}} {{.Config.Env}} {{len .RootFS.Layers}}', 'old/image:v1'),
    ).toBe('2015-01-02T03:04:05Z [A=b] 2\n');
    await docker('rmi', 'old/image:v1');
  });

  test('one configuration in two archives is one image', async () => {
    await docker('build', '-t', 'one', context({ Dockerfile: 'FROM hostbox\nRUN echo > /x\n' }));
    await docker('save', '-o', at('one.tar'), 'one');
    const root = at('unpacked');
    fs.mkdirSync(root);
    execFileSync('tar', ['-xf', at('one.tar'), '-C', root]);
    const [{ Config, Layers }] = JSON.parse(fs.readFileSync(path.join(root, 'manifest.json'), 'utf8'));
    const plain = at('plain');
    fs.mkdirSync(plain);
    fs.copyFileSync(path.join(root, Config), path.join(plain, 'config.json'));
    for (const [index, layer] of (Layers as string[]).entries())
      fs.writeFileSync(
        path.join(plain, `${index}.tar.gz`),
        execFileSync('gzip', ['-nc', path.join(root, layer)], { maxBuffer: 1 << 30 }),
      );
    const manifest = [
      {
        Config: 'config.json',
        RepoTags: ['two:latest'],
        Layers: (Layers as string[]).map((_, index) => `${index}.tar.gz`),
      },
    ];
    fs.writeFileSync(path.join(plain, 'manifest.json'), JSON.stringify(manifest));
    execFileSync('tar', ['-cf', at('two.tar'), '-C', plain, '.']);
    await docker('load', '-i', at('two.tar'));
    const id = (await docker('image', 'inspect', '-f', '{{.Id}}', 'two')).trim();
    expect((await daemon.get('/images/json')).json.filter((each: { Id: string }) => each.Id === id)).toEqual([
      expect.objectContaining({ RepoTags: ['one:latest', 'two:latest'] }),
    ]);
    // A reference shows its own names alone.
    expect(await docker('images', '--format', '{{.Repository}}', 'two')).toBe('two\n');
    await docker('rmi', '-f', id);
    expect((await docker('images', '-q', '--no-trunc')).includes(id)).toBe(false);
  });

  test('an empty RUN has no layer, a volume is there for the next command, and set times stay', async () => {
    const dockerfile = [
      'FROM hostbox',
      'RUN true',
      'VOLUME /newdir',
      'RUN touch /newdir/x && touch -d @86400 /old && touch /new',
      '',
    ].join('\n');
    await docker('build', '-t', 'times', context({ Dockerfile: dockerfile }));
    const { json } = await daemon.get('/images/times/history');
    const sizes = json.map(({ CreatedBy, Size }: { CreatedBy: string; Size: number }) => [CreatedBy, Size]);
    expect(sizes.find(([by]: [string]) => by.endsWith('true'))[1]).toBe(0);
    const out = await docker('run', '--rm', 'times', 'sh', '-c', 'ls /newdir; stat -c %Y /old /new');
    const [name, old, fresh] = out.split('\n');
    expect([name, old]).toEqual(['x', '86400']);
    expect(Number(fresh)).toBeGreaterThan(86_400);
    await docker('rmi', 'times');
  });

  test('commit takes the configuration of its body, and names are told as people write them', async () => {
    const id = (await docker('create', '--label', 'a=1', '--env', 'A=1', 'hostbox', 'true')).trim();
    const since = Math.floor(Date.now() / 1000) - 1;
    const body = { Labels: { b: '2' }, Env: ['A=2'] };
    expect((await daemon.post(`/commit?container=${id}&repo=docker.io/library/said&tag=x`, body)).status).toBe(201);
    const { Config } = (await daemon.get('/images/said:x/json')).json;
    expect(Config).toMatchObject({ Labels: { a: '1', b: '2' }, Cmd: ['true'] });
    expect(Config.Env).toContain('A=2');
    const until = Math.floor(Date.now() / 1000) + 1;
    const events = await docker(
      'events',
      '--since',
      `${since}`,
      '--until',
      `${until}`,
      '--filter',
      'event=tag',
      '--format',
      '{{.Actor.Attributes.name}}',
    );
    expect(events).toBe('said:x\n');
    expect((await daemon.docker('import', '--platform', 'macos/arm64', at('one.tar'))).stderr).toContain(
      'not supported',
    );
    expect((await daemon.post(`/volumes/create`, { Name: 'v'.repeat(300) })).status).toBe(400);
    await docker('rm', id);
    await docker('rmi', 'said:x');
  });

  test('what a build says comes in Docker’s order, and what it cannot use is told', async () => {
    const directory = context({ Dockerfile: 'FROM hostbox AS base\nARG USED\nRUN echo hi\n' });
    const said = await docker('build', '--build-arg', 'USED=1', '--build-arg', 'UNUSED=1', '-t', 'said', directory);
    expect(said).toContain('[Warning] One or more build-args [UNUSED] were not consumed');
    const again = await docker('build', '--cache-from', 'nosuch', '--build-arg', 'USED=1', directory);
    expect(again).not.toContain('Using cache');
    const wrong = await daemon.docker('build', '--target', 'nosuch', directory);
    expect(wrong.stderr).toContain('target stage "nosuch" could not be found; the stages are "base"');
    fs.writeFileSync(at('context.txt'), 'no tar');
    const answer = await post('/build', at('context.txt'));
    expect(answer).toContain('message');
    execFileSync('tar', ['-cf', at('order.tar'), '-C', directory, '.']);
    const lines = (await post('/build?t=said', at('order.tar')))
      .trim()
      .split('\r\n')
      .map((line) => JSON.parse(line));
    expect(Object.keys(lines.at(-3))).toEqual(['aux']);
    expect(lines.at(-1).stream).toBe('Successfully tagged said:latest\n');
    await docker('rmi', 'said');
  });
});
