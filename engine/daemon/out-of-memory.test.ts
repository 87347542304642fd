import { once } from 'node:events';
import http from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestDaemon } from './testing/test-daemon.ts';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(async () => {
  expect(await daemon?.destroy()).toEqual([]);
});

/** The actions of all events of containers, as they come. */
async function listen(): Promise<{ actions: string[]; stop(): void }> {
  const actions: string[] = [];
  const request = http.get({ socketPath: daemon.socket, path: '/events?filters={"type":["container"]}' });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    for (const line of text.split('\n').filter(Boolean)) actions.push(JSON.parse(line).Action);
  });
  return { actions, stop: () => request.destroy() };
}

test('each kill for want of memory is told when it happens, whichever process was killed, and the container goes on', async () => {
  const events = await listen();
  const eat = 'tail /dev/zero; echo killed $?; read next';
  const { json } = await daemon.post('/containers/create', {
    Image: 'hostbox',
    Cmd: ['sh', '-c', `${eat}; ${eat}; ${eat}`],
    OpenStdin: true,
    HostConfig: { Memory: 16 << 20, MemorySwap: 16 << 20 },
  });
  const attach = http.request({
    socketPath: daemon.socket,
    method: 'POST',
    path: `/containers/${json.Id}/attach?stream=1&stdin=1`,
    headers: { Connection: 'Upgrade', Upgrade: 'tcp' },
  });
  attach.end();
  const [, input] = await once(attach, 'upgrade');
  await daemon.post(`/containers/${json.Id}/start`);
  const kills = () => events.actions.filter((action) => action === 'oom').length;
  for (const expected of [1, 2, 3]) {
    await expect.poll(kills).toBe(expected);
    const { State } = (await daemon.get(`/containers/${json.Id}/json`)).json;
    expect(State).toMatchObject({ Running: true, OOMKilled: true });
    input.write('next\n');
  }
  await daemon.post(`/containers/${json.Id}/wait`);
  await expect.poll(() => events.actions).toContain('die');
  expect(kills()).toBe(3);
  const { State } = (await daemon.get(`/containers/${json.Id}/json`)).json;
  expect(State).toMatchObject({ ExitCode: 0, OOMKilled: true });
  events.stop();
  input.destroy();
  await daemon.request('DELETE', `/containers/${json.Id}`);
});
