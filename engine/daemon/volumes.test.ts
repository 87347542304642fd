/** Volumes and mounts as containers see them. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(async () => {
  expect(await daemon?.destroy()).toEqual([]);
});

const create = async (hostConfig: object, more: object = {}) =>
  (await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['true'], HostConfig: hostConfig, ...more })).json;
const remove = (id: string) => daemon.request('DELETE', `/containers/${id}?force=1&v=1`);
const volumes = async (): Promise<string[]> =>
  (await daemon.get('/volumes')).json.Volumes.map(({ Name }: { Name: string }) => Name);

describe('a volume', () => {
  test('is there, listed and in use, as soon as its container is created', async () => {
    const { Id } = await create({ Binds: ['data:/data'] });
    expect(await volumes()).toContain('data');
    expect((await daemon.request('DELETE', '/volumes/data')).status).toBe(409);
    await remove(Id);
    expect((await daemon.request('DELETE', '/volumes/data')).status).toBe(204);
  });

  test('without a name has one that inspect and `volume rm` agree on', async () => {
    const { Id } = await create({}, { Volumes: { '/foo': {} } });
    const [mount] = (await daemon.get(`/containers/${Id}/json`)).json.Mounts;
    expect((await daemon.get(`/volumes/${mount.Name}`)).json.Labels).toEqual({ 'com.docker.volume.anonymous': '' });
    await daemon.request('DELETE', `/containers/${Id}`);
    expect((await daemon.request('DELETE', `/volumes/${mount.Name}`)).status).toBe(204);
  });

  test('and where it comes from are what `ps --filter volume` finds a container by', async () => {
    const directory = os.tmpdir();
    const { Id } = await create({ Binds: ['data:/data', `${directory}:/bound`] });
    const found = async (volume: string) => {
      const filters = encodeURIComponent(JSON.stringify({ volume: [volume] }));
      return (await daemon.get(`/containers/json?all=1&filters=${filters}`)).json.map((one: { Id: string }) => one.Id);
    };
    for (const known of ['data', '/data', directory, '/bound']) expect(await found(known), known).toEqual([Id]);
    expect(await found('/elsewhere')).toEqual([]);
    await remove(Id);
  });

  test('that is made, mounted, unmounted and removed says so in this order', async () => {
    const since = Math.floor(Date.now() / 1000);
    const { Id } = await create({ Binds: ['told:/data:ro'] });
    await daemon.post(`/containers/${Id}/start`);
    await daemon.post(`/containers/${Id}/wait`);
    await remove(Id);
    await daemon.request('DELETE', '/volumes/told');
    const filters = encodeURIComponent(JSON.stringify({ volume: ['told'] }));
    const { text } = await daemon.exchange(
      'GET',
      `/events?since=${since}&until=${Date.now() / 1000 + 0.2}&filters=${filters}`,
    );
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ Action, Actor }) => [Action, Actor.Attributes])).toEqual([
      ['create', { driver: 'local' }],
      ['mount', { container: Id, driver: 'local', destination: '/data', 'read/write': 'false', propagation: '' }],
      ['unmount', { container: Id, driver: 'local' }],
      ['destroy', { driver: 'local' }],
    ]);
  });

  test('with a name longer than a file can have is refused with 400', async () => {
    const { status, json } = await daemon.post('/volumes/create', { Name: 'v'.repeat(300) });
    expect([status, json.message]).toEqual([400, expect.stringContaining('at most 255 characters')]);
  });
});

test('how a bind propagates is told, and outlives the daemon', async () => {
  const own = await TestDaemon.start();
  try {
    const { json } = await own.post('/containers/create', {
      Image: 'hostbox',
      Cmd: ['true'],
      HostConfig: { Binds: ['/tmp:/slave:rslave', '/tmp:/private'] },
    });
    const told = async () =>
      (await own.get(`/containers/${json.Id}/json`)).json.Mounts.map(
        (mount: { Propagation: string }) => mount.Propagation,
      );
    const before = await told();
    expect(before.sort()).toEqual(['rprivate', 'rslave']);
    await own.crash();
    await own.launch();
    expect((await told()).sort()).toEqual(before);
  } finally {
    expect(await own.destroy()).toEqual([]);
  }
});

describe.skipIf(dockerIsMissing())('--volumes-from', () => {
  test('gives the mounts of another container, read-only on request, and its own come first', async () => {
    await daemon.docker('create', '--name', 'source', '-v', 'shared:/data', '-v', '/anonymous', 'hostbox', 'true');
    const run = (...args: string[]) => daemon.docker('run', '--rm', '--network', 'none', ...args);
    expect(await run('--volumes-from', 'source', 'hostbox', 'sh', '-c', 'echo written > /data/file')).toMatchObject({
      code: 0,
    });
    expect((await run('--volumes-from', 'source:ro', 'hostbox', 'cat', '/data/file')).stdout).toBe('written\n');
    expect((await run('--volumes-from', 'source:ro', 'hostbox', 'touch', '/data/file')).stderr).toMatch(/Read-only/i);
    expect((await run('--volumes-from', 'source', '-v', 'other:/data', 'hostbox', 'ls', '/data')).stdout).toBe('');
    // --rm takes the volumes of its own container only.
    expect(await run('--volumes-from', 'source', 'hostbox', 'test', '-d', '/anonymous')).toMatchObject({ code: 0 });
    expect((await run('--volumes-from', 'nosuch', 'hostbox', 'true')).stderr).toMatch(/No such container: nosuch/);
    expect((await run('--volumes-from', 'source:rx', 'hostbox', 'true')).stderr).toMatch(/volumes-from/);
    await daemon.docker('rm', '-v', 'source');
  });
});

test.skipIf(process.geteuid?.() !== 0)(
  'a bind that is a slave sees what is mounted later, a private one does not',
  async () => {
    const source = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-propagation-'));
    fs.mkdirSync(path.join(source, 'later'));
    // A mount namespace of its own for the whole of it: nothing is mounted on this machine.
    const within = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c'];
    const script = `mount --bind ${source} ${source} && mount --make-shared ${source} && exec "$0" "$@"`;
    const own = await TestDaemon.start('', undefined, [...within, script]);
    try {
      const id: Record<string, string> = {};
      for (const mode of ['rslave', 'rprivate']) {
        const { json } = await own.post('/containers/create', {
          Image: 'hostbox',
          Cmd: ['sleep', '1000'],
          HostConfig: { Binds: [`${source}:/seen:${mode}`], NetworkMode: 'none' },
        });
        expect((await own.post(`/containers/${json.Id}/start`)).status).toBe(204);
        id[mode] = json.Id;
      }
      const { spawnSync } = await import('node:child_process');
      const mounted = spawnSync('nsenter', [
        '--mount',
        '--target',
        String(own.process!.pid),
        'mount',
        '-t',
        'tmpfs',
        'late',
        `${source}/later`,
      ]);
      expect(mounted.stderr.toString()).toBe('');
      const sees = async (container: string) => {
        const pid = (await own.get(`/containers/${container}/json`)).json.State.Pid;
        return fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(' /seen/later ');
      };
      expect([await sees(id.rslave!), await sees(id.rprivate!)]).toEqual([true, false]);
    } finally {
      expect(await own.destroy()).toEqual([]);
      fs.rmSync(source, { recursive: true, force: true });
    }
  },
);
