import { afterAll, beforeAll, expect, test } from 'vitest';
import { definitionDepartures } from './testing/api-schema.ts';
import { TestDaemon } from './testing/test-daemon.ts';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(async () => {
  expect(await daemon.destroy()).toEqual([]);
});

async function create(body: object, name = ''): Promise<string> {
  const { status, json, text } = await daemon.post(`/v1.50/containers/create?name=${name}`, {
    Image: 'hostbox',
    ...body,
  });
  expect(status, text).toBe(201);
  return json.Id;
}

async function remove(id: string): Promise<void> {
  expect((await daemon.request('DELETE', `/containers/${id}?force=1&v=1`)).status).toBe(204);
}

test('ping tells what the daemon speaks, by GET and by HEAD', async () => {
  for (const method of ['GET', 'HEAD']) {
    const { status, headers } = await daemon.exchange(method, '/_ping');
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'api-version': '1.50',
      ostype: 'linux',
      'docker-experimental': 'false',
      'builder-version': '1',
    });
  }
});

test('the system tells about itself as the API describes it', async () => {
  expect((await daemon.get('/version')).json).toMatchObject({ ApiVersion: '1.50', MinAPIVersion: '1.24' });
  expect((await daemon.get('/info')).json).toMatchObject({ DockerRootDir: daemon.root, Images: 1 });
});

test('a route is the same with and without a version', async () => {
  const plain = (await daemon.get('/version')).text;
  for (const version of ['1.24', '1.44', '1.50']) expect((await daemon.get(`/v${version}/version`)).text).toBe(plain);
});

test('versions that are too old and too new are refused', async () => {
  expect((await daemon.get('/v1.23/version')).json.message).toMatch(/client version 1.23 is too old/);
  expect((await daemon.get('/v1.51/version')).json.message).toMatch(/client version 1.51 is too new/);
  expect((await daemon.get('/v1.9/version')).status).toBe(400);
});

test('a container lives by the API: create, inspect, start, wait, logs, remove', async () => {
  const id = await create({ Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 7'], Labels: { a: 'b' } }, 'lives');
  expect((await daemon.get(`/containers/${id}/json`)).json.State.Status).toBe('created');
  const waiting = daemon.post(`/containers/${id}/wait?condition=next-exit`);
  expect((await daemon.post(`/containers/${id}/start`)).status).toBe(204);
  expect((await waiting).json).toEqual({ StatusCode: 7 });
  const { json } = await daemon.get('/containers/lives/json');
  expect(json).toMatchObject({ Name: '/lives', State: { Status: 'exited', ExitCode: 7, Running: false, Pid: 0 } });
  expect(Date.parse(json.State.FinishedAt)).toBeGreaterThanOrEqual(Date.parse(json.State.StartedAt));
  const logs = await daemon.exchange('GET', `/containers/${id}/logs?stdout=1`);
  expect(logs.headers['content-type']).toBe('application/vnd.docker.multiplexed-stream');
  expect(logs.text).toBe('\u0001\0\0\0\0\0\0\u0004out\n');
  await remove(id);
  expect((await daemon.get(`/containers/${id}/json`)).status).toBe(404);
});

test('lists and inspections of many shapes are as the API describes them', async () => {
  const id = await create({
    Cmd: ['sleep', '60'],
    Tty: true,
    OpenStdin: true,
    Env: ['A=b'],
    ExposedPorts: { '80/tcp': {} },
    StopSignal: 'SIGINT',
    StopTimeout: 3,
    Volumes: { '/anonymous': {} },
    HostConfig: {
      Binds: ['/etc:/host-etc:ro', 'named:/named'],
      Tmpfs: { '/scratch': 'size=1m' },
      Memory: 64 << 20,
      NanoCpus: 5e8,
      PidsLimit: 100,
      CapAdd: ['NET_ADMIN'],
      CapDrop: ['CHOWN'],
      Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
      SecurityOpt: ['no-new-privileges'],
      ExtraHosts: ['other:10.0.0.1'],
      Dns: ['10.0.0.2'],
      Annotations: { key: 'value' },
    },
  });
  await daemon.post(`/containers/${id}/start`);
  const { json } = await daemon.get(`/containers/${id}/json?size=1`);
  expect(json.Mounts.map((mount: { Destination: string }) => mount.Destination).sort()).toEqual([
    '/anonymous',
    '/host-etc',
    '/named',
    '/scratch',
  ]);
  expect(json.SizeRootFs).toBeGreaterThan(0);
  const list = (await daemon.get('/containers/json?size=1')).json;
  expect(list).toHaveLength(1);
  expect(list[0]).toMatchObject({ Id: id, State: 'running', Image: 'hostbox' });
  expect((await daemon.get(`/containers/${id}/top`)).json.Processes[0]).toContain('sleep 60');
  expect((await daemon.post(`/containers/${id}/resize?h=10&w=20`)).status).toBe(200);
  await remove(id);
});

test('images are listed, inspected and have a history', async () => {
  const [image] = (await daemon.get('/images/json')).json;
  expect(image.RepoTags).toEqual(['hostbox:latest']);
  for (const name of ['hostbox', 'hostbox:latest', 'docker.io/library/hostbox', image.Id, image.Id.slice(7, 19)])
    expect((await daemon.get(`/images/${encodeURIComponent(name)}/json`)).json.Id).toBe(image.Id);
  expect((await daemon.get('/images/docker.io/library/hostbox:latest/json')).json.Id).toBe(image.Id);
  expect((await daemon.get('/images/hostbox/history')).status).toBe(200);
  expect((await daemon.get('/images/nothing/json')).status).toBe(404);
});

test('filters choose by id, name, label, status, exit code and image', async () => {
  const id = await create({ Cmd: ['sh', '-c', 'exit 3'], Labels: { role: 'filtered' } }, 'filter-me');
  await daemon.post(`/containers/${id}/start`);
  await daemon.post(`/containers/${id}/wait`);
  const find = async (filters: object) =>
    (await daemon.get(`/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(filters))}`)).json;
  for (const filters of [
    { id: [id.slice(0, 10)] },
    { name: ['filter'] },
    { name: ['^/filter-me$'] },
    { label: ['role'] },
    { label: ['role=filtered'] },
    { label: { role: true } },
    { status: ['exited'] },
    { exited: ['3'] },
    { ancestor: ['hostbox'], label: ['role'] },
  ])
    expect((await find(filters)).map((each: { Id: string }) => each.Id)).toEqual([id]);
  for (const filters of [{ name: ['^nobody'] }, { label: ['role=other'] }, { status: ['running'] }, { exited: ['4'] }])
    expect(await find(filters)).toEqual([]);
  await remove(id);
});

test('an exec runs, and tells how it ended', async () => {
  const id = await create({ Cmd: ['sleep', '60'] });
  await daemon.post(`/containers/${id}/start`);
  const { json } = await daemon.post(`/containers/${id}/exec`, { Cmd: ['sh', '-c', 'exit 5'], AttachStdout: true });
  expect((await daemon.get(`/exec/${json.Id}/json`)).json).toMatchObject({ Running: false, ContainerID: id });
  expect((await daemon.post(`/exec/${json.Id}/start`, { Detach: false })).status).toBe(200);
  expect((await daemon.get(`/exec/${json.Id}/json`)).json).toMatchObject({ Running: false, ExitCode: 5 });
  expect((await daemon.post(`/exec/${json.Id}/start`, { Detach: true })).status).toBe(409);
  await remove(id);
});

test('what cannot be is refused with its status and a sentence', async () => {
  const refused: [number, string, string, unknown?][] = [
    [404, 'GET', '/containers/nothing/json'],
    [404, 'POST', '/containers/nothing/start'],
    [404, 'DELETE', '/containers/nothing'],
    [404, 'GET', '/exec/nothing/json'],
    [404, 'GET', '/no/such/page'],
    [404, 'POST', '/containers/create', { Image: 'nothing', Cmd: ['true'] }],
    [400, 'POST', '/containers/create', '{"Image": '],
    [400, 'POST', '/containers/create', '[]'],
    [400, 'POST', '/containers/create', { Image: 'hostbox', Env: 'A=b' }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', Env: ['=b'] }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', Cmd: ['a\0b'] }],
    [400, 'POST', '/containers/create', { Cmd: ['true'] }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { Memory: 1000 } }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { Memory: 1.5 } }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { Binds: ['/a:/proc/sys'] } }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { Binds: ['/a:b'] } }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { CapAdd: ['NOTHING'] } }],
    [400, 'POST', '/containers/create?name=-x', { Image: 'hostbox' }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { NetworkMode: 'mine' } }],
    [400, 'GET', '/containers/json?filters=nonsense'],
    [400, 'GET', `/containers/json?filters=${encodeURIComponent('{"nonsense":["a"]}')}`],
    [400, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { VolumesFrom: ['x'] } }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { SecurityOpt: ['seccomp={}'] } }],
    [400, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { StorageOpt: { size: 'much' } } }],
    [501, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { UsernsMode: 'private' } }],
    [501, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { PidMode: 'container:x' } }],
    [501, 'POST', '/containers/create', { Image: 'hostbox', HostConfig: { DeviceRequests: [{ Count: -1 }] } }],
    [400, 'POST', '/build?remote=https://example.com/x.git'],
    [501, 'POST', '/build?version=2'],
    [400, 'POST', `/build?t=a@sha256:${'0'.repeat(64)}`],
    [400, 'POST', '/build?buildargs=nonsense'],
    [400, 'POST', '/build?t=UPPER'],
    [501, 'POST', '/networks/create', { Name: 'x', Driver: 'overlay' }],
    [404, 'GET', '/networks/x'],
    [501, 'POST', '/volumes/create', { Name: 'x', Driver: 'nfs' }],
    [501, 'POST', '/volumes/create', { Name: 'x', DriverOpts: { type: 'nfs' } }],
    [400, 'POST', '/volumes/create', { Name: '../x' }],
    [404, 'GET', '/volumes/nothing'],
    [404, 'DELETE', '/volumes/nothing'],
    [404, 'POST', '/images/nothing/tag?repo=x'],
    [400, 'POST', '/images/hostbox/tag?repo=X'],
    [400, 'POST', '/images/hostbox/tag?repo='],
    [400, 'POST', '/images/hostbox/tag?repo=x&tag=a:b'],
    [400, 'POST', '/images/hostbox/tag?repo=sha256&tag=abc'],
    [400, 'GET', '/images/get'],
    [404, 'GET', '/images/get?names=nothing'],
    [404, 'GET', '/images/nothing/get'],
    [500, 'POST', '/images/load', 'this is not an archive'],
    [400, 'POST', `/images/prune?filters=${encodeURIComponent('{"dangling":["perhaps"]}')}`],
    [400, 'POST', `/images/prune?filters=${encodeURIComponent('{"until":["yesterday"]}')}`],
    [400, 'GET', '/system/df?type=everything'],
  ];
  for (const [status, method, url, body] of refused) {
    const answer = await daemon.request(method, url, body);
    expect(answer.status, `${method} ${url} ${JSON.stringify(body)}: ${answer.text}`).toBe(status);
    expect(answer.json.message.length).toBeGreaterThan(5);
  }
  expect((await daemon.get('/containers/json?all=1')).json).toEqual([]);
});

test('a size limit is taken where the file system counts, and refused with a way out elsewhere', async () => {
  const { json: info } = await daemon.get('/info');
  const can = info.DriverStatus.some(([name, value]: string[]) => name === 'Supports size limits' && value === 'true');
  const body = { Image: 'hostbox', HostConfig: { StorageOpt: { size: '10m' }, Binds: ['unmade:/etc'] } };
  const { status, json } = await daemon.post('/containers/create?name=limited', body);
  expect(status).toBe(can ? 201 : 501);
  if (!can) expect(json.message).toMatch(/no project quotas.*prjquota/);
  expect((await daemon.get('/containers/limited/json')).status).toBe(can ? 200 : 404);
  // What is refused has made no volume either.
  expect((await daemon.get('/volumes/unmade')).status).toBe(can ? 200 : 404);
  await daemon.request('DELETE', '/containers/limited');
  await daemon.request('DELETE', '/volumes/unmade');
});

test('a name can be had once', async () => {
  const id = await create({ Cmd: ['true'] }, 'taken');
  const again = await daemon.post('/containers/create?name=taken', { Image: 'hostbox', Cmd: ['true'] });
  expect(again.status).toBe(409);
  expect(again.json.message).toContain(`The container name "/taken" is already in use by container "${id}"`);
  const other = await create({ Cmd: ['true'] });
  expect((await daemon.post(`/containers/${other}/rename?name=taken`)).status).toBe(409);
  expect((await daemon.post(`/containers/${other}/rename?name=free`)).status).toBe(204);
  expect((await daemon.get('/containers/free/json')).json.Id).toBe(other);
  await remove(id);
  await remove(other);
});

test('a no-op answers 304, a forbidden transition 409', async () => {
  const id = await create({ Cmd: ['sleep', '60'], StopSignal: 'KILL' });
  expect((await daemon.post(`/containers/${id}/stop`)).status).toBe(304);
  expect((await daemon.post(`/containers/${id}/kill`)).status).toBe(409);
  await daemon.post(`/containers/${id}/start`);
  expect((await daemon.post(`/containers/${id}/start`)).status).toBe(304);
  expect((await daemon.request('DELETE', `/containers/${id}`)).status).toBe(409);
  expect((await daemon.post(`/containers/${id}/stop`)).status).toBe(204);
  expect((await daemon.post(`/containers/${id}/exec`, { Cmd: ['true'] })).status).toBe(409);
  expect((await daemon.post('/containers/prune')).json.ContainersDeleted).toEqual([id]);
});

test('events tell the life of a container in order', async () => {
  const since = Date.now() / 1000;
  const id = await create({ Cmd: ['true'] });
  await daemon.post(`/containers/${id}/start`);
  await daemon.post(`/containers/${id}/wait`);
  await remove(id);
  const { text } = await daemon.exchange('GET', `/events?since=${since}&until=${Date.now() / 1000 + 0.2}`);
  const events = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.filter(({ id: actor }) => actor === id).map(({ Action }) => Action)).toEqual([
    'create',
    'start',
    'die',
    'destroy',
  ]);
  for (const event of events) expect(definitionDepartures('EventMessage', event)).toEqual([]);
});

test('an image is removed when no container uses it, and hostbox is made again for the next that needs it', async () => {
  const id = await create({ Cmd: ['true'] });
  const image = (await daemon.get('/images/hostbox/json')).json.Id;
  for (const reference of ['hostbox', image, image.slice(7, 19)]) {
    const refused = await daemon.request('DELETE', `/images/${reference}`);
    expect(refused.status).toBe(409);
    expect(refused.json.message).toContain(`container ${id.slice(0, 12)}`);
  }
  expect((await daemon.post('/images/prune?filters={"dangling":["false"]}')).json.ImagesDeleted).toEqual([]);
  await remove(id);
  const { json } = await daemon.request('DELETE', '/images/hostbox');
  expect(json).toEqual([{ Untagged: 'hostbox:latest' }, { Deleted: image }]);
  expect((await daemon.get('/images/json')).json).toEqual([]);
  await remove(await create({ Cmd: ['true'] }));
  expect((await daemon.get('/images/hostbox/json')).json.Id).toBe(image);
});

test('images are named, chosen by filters, and pruned', async () => {
  const listed = async (filters: object) =>
    (await daemon.get(`/images/json?filters=${encodeURIComponent(JSON.stringify(filters))}`)).json.flatMap(
      (each: { RepoTags: string[] }) => each.RepoTags,
    );
  expect((await daemon.post('/images/hostbox/tag?repo=example.com/me/app&tag=1')).status).toBe(201);
  const both = ['example.com/me/app:1', 'hostbox:latest'];
  for (const filters of [{}, { dangling: ['false'] }, { until: [String(Math.floor(Date.now() / 1000))] }])
    expect(await listed(filters), JSON.stringify(filters)).toEqual(both);
  // Of an image that has more names, those that the reference asks for.
  for (const [reference, name] of [
    [['hostbox'], 'hostbox:latest'],
    [['host*:l?test'], 'hostbox:latest'],
    [['example.com/*/app'], 'example.com/me/app:1'],
    [['nothing', 'example.com/me/[a-c]pp:1'], 'example.com/me/app:1'],
  ])
    expect(await listed({ reference }), `${reference}`).toEqual([name]);
  for (const filters of [
    { reference: ['*'], label: ['none'] },
    { reference: ['example.com/*'] },
    { dangling: ['true'] },
    { before: ['hostbox'] },
    { since: ['hostbox'] },
    { until: ['1000000h'] },
  ])
    expect(await listed(filters), JSON.stringify(filters)).toEqual([]);
  const [image] = (await daemon.get('/images/json?shared-size=1')).json;
  const { Images, LayersSize } = (await daemon.get('/system/df')).json;
  expect(LayersSize).toBe(image.Size);
  expect(Images).toEqual([image]);
  expect((await daemon.post('/images/prune')).json).toMatchObject({ SpaceReclaimed: 0 });
  const pruned = (await daemon.post('/images/prune?filters={"dangling":["false"]}')).json;
  expect(pruned.SpaceReclaimed).toBe(image.Size);
  expect(pruned.ImagesDeleted).toEqual([...both.map((name) => ({ Untagged: name })), { Deleted: image.Id }]);
  expect((await daemon.get('/system/df')).json).toMatchObject({ LayersSize: 0, Images: [] });
  await remove(await create({ Cmd: ['true'] }));
});

test('a volume is made, found, in use, and pruned', async () => {
  const made = await daemon.post('/volumes/create', { Name: 'mine', Labels: { a: 'b' } });
  expect(made.json).toMatchObject({ Name: 'mine', Driver: 'local', Labels: { a: 'b' } });
  expect((await daemon.get('/volumes/mine')).json).toEqual(made.json);
  const anonymous = (await daemon.post('/volumes/create', {})).json.Name;
  const id = await create({ Cmd: ['sh', '-c', 'echo 12345 > /v/file'], HostConfig: { Binds: ['mine:/v'] } });
  await daemon.post(`/containers/${id}/start`);
  await daemon.post(`/containers/${id}/wait`);
  const busy = await daemon.request('DELETE', '/volumes/mine');
  expect([busy.status, busy.json.message]).toEqual([409, `remove mine: volume is in use - [${id}]`]);
  const { Volumes } = (await daemon.get('/system/df?type=volume')).json;
  expect(Volumes.find((volume: { Name: string }) => volume.Name === 'mine').UsageData).toEqual({
    RefCount: 1,
    Size: 6,
  });
  const dangling = await daemon.get(`/volumes?filters=${encodeURIComponent('{"dangling":["true"]}')}`);
  expect(dangling.json.Volumes.map((volume: { Name: string }) => volume.Name)).toContain(anonymous);
  await remove(id);
  expect((await daemon.post('/volumes/prune')).json.VolumesDeleted).toContain(anonymous);
  const all = await daemon.post(`/volumes/prune?filters=${encodeURIComponent('{"all":["true"],"label":["a=b"]}')}`);
  expect(all.json).toEqual({ VolumesDeleted: ['mine'], SpaceReclaimed: 6 });
  expect((await daemon.get('/volumes/mine')).status).toBe(404);
});
