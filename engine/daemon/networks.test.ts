/** What clients find of networks on a daemon without a bridge, and of plugins. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(async () => {
  expect(await daemon?.destroy()).toEqual([]);
});

describe('networks', () => {
  const names = async (filters: object) => {
    const answer = await daemon.get(`/networks?filters=${encodeURIComponent(JSON.stringify(filters))}`);
    return answer.status === 200 ? answer.json.map(({ Name }: { Name: string }) => Name) : answer.json.message;
  };

  test('there are host and none, found by name, id, driver and scope', async () => {
    const all = (await daemon.get('/networks')).json as { Name: string; Id: string; Driver: string }[];
    expect(all.map(({ Name, Driver }) => [Name, Driver])).toEqual([
      ['host', 'host'],
      ['none', 'null'],
    ]);
    const [, none] = all;
    for (const reference of ['none', none!.Id, none!.Id.slice(0, 12)])
      expect((await daemon.get(`/networks/${reference}`)).json).toMatchObject({ Name: 'none', Id: none!.Id });
    expect(await names({ driver: ['null'] })).toEqual(['none']);
    expect(await names({ id: [none!.Id.slice(0, 12)] })).toEqual(['none']);
    expect(await names({ name: ['os'] })).toEqual(['host']);
    expect(await names({ type: ['custom'] })).toEqual([]);
    expect(await names({ dangling: ['true'] })).toEqual([]);
    expect(await names({ colour: ['red'] })).toMatch(/invalid filter 'colour'/);
  });

  test('another one is 404, so that clients go on looking', async () => {
    expect(await daemon.get('/networks/nosuch')).toMatchObject({
      status: 404,
      json: { message: 'network nosuch not found' },
    });
    expect((await daemon.request('DELETE', '/networks/nosuch')).status).toBe(404);
  });

  test('predefined ones stay as they are', async () => {
    expect((await daemon.request('DELETE', '/networks/none')).status).toBe(403);
    expect((await daemon.post('/networks/prune')).json).toEqual({ NetworksDeleted: [] });
    for (const [status, body, message] of [
      [403, { Name: 'host' }, 'operation is not permitted on predefined host network'],
      [403, { Name: 'bridge' }, 'operation is not permitted on predefined bridge network'],
      [501, { Name: 'mine', Driver: 'overlay' }, 'This engine does not have the network driver "overlay"'],
      [400, { Name: 'a/b' }, 'invalid network name "a/b"'],
      [400, { Name: '' }, 'invalid network name ""'],
    ] as const) {
      const answer = await daemon.post('/networks/create', body);
      expect([answer.status, answer.json.message]).toEqual([status, expect.stringContaining(message)]);
    }
    const { Id } = (await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['true'] })).json;
    const connected = await daemon.post('/networks/host/connect', { Container: Id });
    expect([connected.status, connected.json.message]).toEqual([403, expect.stringContaining('host network')]);
    const left = await daemon.post('/networks/none/disconnect', { Container: Id });
    expect([left.status, left.json.message]).toEqual([403, expect.stringContaining('is not connected')]);
  });

  test.skipIf(dockerIsMissing())('`docker inspect nosuch` and `docker system prune` come to their end', async () => {
    expect(await daemon.docker('inspect', 'nosuch')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/No such object: nosuch/i),
    });
    expect(await daemon.docker('system', 'prune', '-f')).toMatchObject({ code: 0 });
    expect((await daemon.docker('network', 'ls', '--format', '{{.Name}}')).stdout).toBe('host\nnone\n');
    expect(await daemon.docker('plugin', 'ls', '-q')).toMatchObject({ code: 0, stdout: '' });
  });
});

test('there are no plugins, which an empty list says', async () => {
  expect(await daemon.get('/plugins')).toMatchObject({ status: 200, json: [] });
  expect((await daemon.get('/plugins/nosuch/json')).status).toBe(404);
});
