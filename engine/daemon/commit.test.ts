/** Images made of containers and of files, by the stock command: commit, history, import, tag, rmi, save, load, system df. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

describe.skipIf(missing)(`images made here${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  let directory: string;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-commit-'));
  });
  afterAll(async () => {
    fs.rmSync(directory, { recursive: true, force: true });
    expect(await daemon?.destroy()).toEqual([]);
  });

  const docker = (...args: string[]) => daemon.docker(...args);
  const inspect = async (image: string, template: string) =>
    (await docker('image', 'inspect', '-f', template, image)).stdout.trim();
  const start = async (script: string, ...options: string[]) =>
    (await docker('run', '-d', ...options, 'hostbox', 'sh', '-c', script)).stdout.trim();
  const untilReady = async (id: string) => {
    while (!(await docker('logs', id)).stdout.includes('ready'));
  };

  test('commit makes an image of what a container changed, which runs', async () => {
    const id = await start('echo mine > /mine; rm /etc/shells; echo ready; sleep 1000', '-e', 'A=1', '-w', '/tmp');
    await untilReady(id);
    const committed = await docker('commit', '-a', 'Me <me@example.com>', '-m', 'what I did', id, 'mine:v1');
    expect(committed.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    const { stdout } = await docker('run', '--rm', 'mine:v1', 'sh', '-c', 'cat /mine; ls /etc/shells; pwd; echo $A');
    expect(stdout).toBe('mine\n/tmp\n1\n');
    expect(await inspect('mine:v1', '{{.Author}}|{{.Comment}}|{{len .RootFS.Layers}}')).toBe(
      'Me <me@example.com>|what I did|2',
    );
    expect(await inspect('mine:v1', '{{json .Config.Cmd}}')).toBe(
      '["sh","-c","echo mine > /mine; rm /etc/shells; echo ready; sleep 1000"]',
    );
    const history = (
      await docker('history', '--no-trunc', '--format', '{{.CreatedBy}}|{{.Comment}}|{{.Size}}', 'mine:v1')
    ).stdout;
    expect(history.split('\n')[0]).toMatch(/^sh -c echo mine > \/mine;.*\|what I did\|[1-9]/);
    expect((await docker('inspect', '-f', '{{.State.Status}}', id)).stdout).toBe('running\n');
    await docker('rm', '-f', id);
    await docker('rmi', 'mine:v1');
  });

  test('what is mounted in a container is not part of its image', async () => {
    const id = await start('echo secret > /vol/inside; echo ready; sleep 1000', '-v', '/vol');
    await untilReady(id);
    await docker('commit', id, 'without');
    const { stdout } = await docker(
      'run',
      '--rm',
      '--entrypoint',
      'sh',
      'without',
      '-c',
      'ls -A /vol; cat /etc/hostname',
    );
    expect(stdout).not.toContain('inside');
    const layer = await docker('save', '-o', path.join(directory, 'without.tar'), 'without');
    expect(layer.code).toBe(0);
    await docker('rm', '-fv', id);
    await docker('rmi', 'without');
  });

  test('--change changes what it runs with', async () => {
    const id = await start('true', '-e', 'OLD=1');
    await docker('wait', id);
    const changes = [
      'CMD ["echo", "changed"]',
      'ENV NEW=two OLD=3',
      'LABEL a=b',
      'EXPOSE 80',
      'USER 12:34',
      'WORKDIR /srv',
      'VOLUME /data',
      'STOPSIGNAL SIGINT',
      'HEALTHCHECK --interval=5s CMD true',
      'ONBUILD RUN echo triggered',
    ];
    const { code, stderr } = await docker('commit', ...changes.flatMap((change) => ['-c', change]), id, 'changed');
    expect([code, stderr]).toEqual([0, '']);
    const { json } = await daemon.get('/images/changed/json');
    expect(json.Config).toMatchObject({
      Cmd: ['echo', 'changed'],
      Env: expect.arrayContaining(['OLD=3', 'NEW=two']),
      Labels: { a: 'b' },
      ExposedPorts: { '80/tcp': {} },
      User: '12:34',
      WorkingDir: '/srv',
      Volumes: { '/data': {} },
      StopSignal: 'SIGINT',
      OnBuild: ['RUN echo triggered'],
    });
    // Nothing was written, so there is no layer for it.
    expect(json.RootFS.Layers).toHaveLength(1);
    expect((await docker('run', '--rm', 'changed')).stdout).toBe('changed\n');
    const refused = await docker('commit', '-c', 'RUN true', id);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('RUN is not a valid change command')]);
    await docker('rm', id);
    await docker('rmi', 'changed');
  });

  test('a container stands still while it is committed, unless told otherwise', async () => {
    const id = await start('echo ready; while true; do echo >> /a; echo >> /b; done');
    await untilReady(id);
    for (const pause of ['true', 'false']) {
      expect((await docker('commit', `--pause=${pause}`, id, `still:${pause}`)).code).toBe(0);
    }
    const { stdout } = await docker('run', '--rm', 'still:true', 'sh', '-c', 'wc -l < /a; wc -l < /b');
    const [a, b] = stdout.trim().split('\n').map(Number);
    expect(Number(a) - Number(b)).toBeGreaterThanOrEqual(0);
    expect(Number(a) - Number(b)).toBeLessThanOrEqual(1);
    expect((await docker('exec', id, 'echo', 'goes on')).stdout).toBe('goes on\n');
    await docker('rm', '-f', id);
    await docker('rmi', 'still:true', 'still:false');
  });

  test('export and import, from a file and from standard input', async () => {
    const id = await start('echo kept > /kept');
    await docker('wait', id);
    const file = path.join(directory, 'root.tar');
    await docker('export', '-o', file, id);
    const imported = await docker('import', '-c', 'CMD ["cat","/kept"]', '-m', 'brought in', file, 'flat:1');
    expect(imported.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect((await docker('run', '--rm', 'flat:1')).stdout).toBe('kept\n');
    expect(await inspect('flat:1', '{{.Comment}}|{{len .RootFS.Layers}}')).toBe('brought in|1');
    execFileSync('gzip', [file]);
    const piped = execFileSync(
      'sh',
      [
        '-c',
        'docker -H "$1" import --change "ENTRYPOINT [\\"cat\\"]" - flat:2 < "$2"',
        'sh',
        `unix://${daemon.socket}`,
        `${file}.gz`,
      ],
      { encoding: 'utf8' },
    );
    expect(piped).toMatch(/^sha256:/);
    expect((await docker('run', '--rm', 'flat:2', '/kept')).stdout).toBe('kept\n');
    expect((await docker('history', '--format', '{{.Comment}}', 'flat:2')).stdout).toBe('Imported from -\n');
    await docker('rm', id);
    await docker('rmi', 'flat:1', 'flat:2');
  });

  test('what is not an archive, or a hostile one, is not imported and leaves nothing', async () => {
    const blobs = () => fs.readdirSync(path.join(daemon.root, 'images/oci/blobs/sha256')).sort();
    const before = blobs();
    const bad = path.join(directory, 'bad.tar');
    fs.writeFileSync(bad, 'no archive at all, but long enough'.repeat(100));
    expect((await docker('import', bad, 'bad')).code).toBe(1);
    execFileSync('tar', ['-cPf', bad, '--transform', 's,^,../../,', '/etc/hostname']);
    const climbing = await docker('import', bad, 'bad');
    expect([climbing.code, climbing.stderr]).toEqual([1, expect.stringContaining('climbs')]);
    expect((await docker('load', '-i', bad)).code).toBe(1);
    expect((await docker('import', 'http://example.com/x.tar')).stderr).toContain('does not download');
    expect(blobs()).toEqual(before);
    expect((await docker('images', '-q', 'bad')).stdout).toBe('');
  });

  test('tags and images go as docker says it', async () => {
    const id = await start('echo x > /x');
    await docker('wait', id);
    const image = (await docker('commit', id, 'one')).stdout.trim();
    await docker('tag', 'one', 'two:2');
    expect((await docker('rmi', 'one')).stdout).toBe('Untagged: one:latest\n');
    expect((await docker('rmi', 'two:2')).stdout).toBe(`Untagged: two:2\nDeleted: ${image}\n`);
    const nameless = (await docker('commit', id)).stdout.trim();
    expect((await docker('images', '-qf', 'dangling=true', '--no-trunc')).stdout).toBe(`${nameless}\n`);
    expect((await docker('image', 'prune', '-f')).stdout).toContain(`deleted: ${nameless}`);
    await docker('rm', id);
  });

  test('system df counts images, containers and volumes; volumes come and go', async () => {
    expect((await docker('volume', 'create', '--label', 'a=b', 'vol')).stdout).toBe('vol\n');
    const id = await start('head -c 100000 /dev/zero > /vol/f; head -c 50000 /dev/zero > /f', '-v', 'vol:/vol');
    await docker('wait', id);
    const { stdout } = await docker('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}');
    expect(stdout).toContain('Containers 1 0 50kB');
    expect(stdout).toContain('Local Volumes 1 1 100kB');
    expect((await docker('system', 'df', '-v')).stdout).toMatch(/^vol +1 +100kB$/m);
    expect((await docker('volume', 'rm', 'vol')).stderr).toContain('volume is in use');
    await docker('rm', id);
    expect((await docker('volume', 'ls', '-qf', 'label=a=b')).stdout).toBe('vol\n');
    expect((await docker('volume', 'prune', '-af')).stdout).toContain('Total reclaimed space: 100kB');
    expect((await docker('volume', 'inspect', 'vol')).code).toBe(1);
  });

  test('a daemon that is killed while it commits leaves a container that goes on and no half of an image', async () => {
    const id = await start('head -c 64m /dev/zero > /big; echo ready; while true; do date +%N > /tick; done');
    await untilReady(id);
    const blobs = path.join(daemon.root, 'images/oci/blobs/sha256');
    const before = fs.readdirSync(blobs).sort();
    const committing = daemon.request('POST', `/commit?container=${id}&repo=killed`).catch(() => 'broken off');
    const scratch = path.join(daemon.root, 'images/oci/scratch');
    while (!(fs.existsSync(scratch) && fs.readdirSync(scratch).length > 0))
      await new Promise((done) => setImmediate(done));
    await daemon.crash();
    expect(await committing).toBe('broken off');
    await daemon.launch();
    expect((await docker('images', '-q', 'killed')).stdout).toBe('');
    expect(fs.readdirSync(blobs).sort()).toEqual(before);
    expect(fs.readdirSync(scratch)).toEqual([]);
    const tick = async () => (await docker('exec', id, 'cat', '/tick')).stdout;
    const first = await tick();
    while ((await tick()) === first);
    await docker('rm', '-f', id);
  });

  test('a daemon that was killed after it had stored a layer forgets the layer', async () => {
    const blob = path.join(daemon.root, 'images/oci/blobs/sha256', 'ab'.repeat(32));
    const unpacked = path.join(daemon.root, 'images/snapshots', 'cd'.repeat(32));
    await daemon.crash();
    fs.writeFileSync(blob, 'nobody’s');
    fs.mkdirSync(unpacked);
    await daemon.launch();
    expect([fs.existsSync(blob), fs.existsSync(unpacked)]).toEqual([false, false]);
    expect((await docker('run', '--rm', 'hostbox', 'echo', 'hi')).stdout).toBe('hi\n');
  });
});
