/** Health checks as clients see them, with programs that really run in the container. */

import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { cgroupsOf } from '../runtime/testing/proc.ts';
import { TestDaemon } from './testing/test-daemon.ts';

vi.setConfig({ testTimeout: 120_000 });
const PATIENT = { timeout: 100_000, interval: 50 };
const MILLISECOND = 1e6;

describe('a health check', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  const inspect = async (id: string) => (await daemon.get(`/containers/${id}/json`)).json;
  async function create(Healthcheck: object | undefined, more: object = {}): Promise<string> {
    const body = { Image: 'hostbox', Cmd: ['sh', '-c', 'sleep 1000'], Healthcheck, ...more };
    const { json, text } = await daemon.post('/containers/create', body);
    expect(json.Id, text).toBeTypeOf('string');
    return json.Id;
  }
  async function run(script: string, more: object = {}, others: object = {}): Promise<string> {
    const id = await create({ Test: ['CMD-SHELL', script], Interval: 50 * MILLISECOND, ...more }, others);
    expect((await daemon.post(`/containers/${id}/start`)).status).toBe(204);
    return id;
  }
  const until = (id: string, wanted: object) =>
    vi.waitFor(async () => expect((await inspect(id)).State.Health).toMatchObject(wanted), PATIENT);
  const listed = async (filter: string) =>
    (await daemon.get(`/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify({ health: [filter] }))}`))
      .json;
  const healthEvents = async (id: string) =>
    (await daemon.eventsOf(id))
      .filter((action) => action.startsWith('health_status: '))
      .map((action) => action.slice(15));

  test('follows what the program says: starting, healthy, unhealthy, healthy', async () => {
    const id = await run('echo looked >&2; test -e /tmp/well', {
      Retries: 2,
      StartPeriod: 1e12,
      StartInterval: 50 * MILLISECOND,
    });
    expect((await inspect(id)).State.Health).toMatchObject({ Status: 'starting', FailingStreak: 0 });
    expect((await daemon.docker('ps', '--format', '{{.Status}}')).stdout).toContain('(health: starting)');
    await until(id, { Status: 'starting', Log: [{}, {}, {}, {}, { ExitCode: 1, Output: 'looked\n' }] });
    await daemon.docker('exec', id, 'touch', '/tmp/well');
    await until(id, { Status: 'healthy', FailingStreak: 0 });
    expect((await daemon.docker('ps', '--format', '{{.Status}}')).stdout).toContain('(healthy)');
    expect(await listed('healthy')).toMatchObject([{ Id: id }]);
    await daemon.docker('exec', id, 'rm', '/tmp/well');
    await until(id, { Status: 'unhealthy' });
    expect((await listed('unhealthy')).map(({ Id }: { Id: string }) => Id)).toEqual([id]);
    await daemon.docker('exec', id, 'touch', '/tmp/well');
    await until(id, { Status: 'healthy' });
    expect(await healthEvents(id)).toEqual(['healthy', 'unhealthy', 'healthy']);
    const health = await daemon.docker('inspect', '-f', '{{.State.Health.Status}}', id);
    expect(health.stdout).toBe('healthy\n');
    await daemon.post(`/containers/${id}/stop?t=0`);
    expect((await inspect(id)).State.Health.Status).toBe('unhealthy');
  });

  test('runs as the container’s user, in its directory, with its environment', async () => {
    const others = { User: '1000:1000', WorkingDir: '/var', Env: ['A=b'] };
    const id = await run('echo $(id -u) $PWD $A', {}, others);
    await until(id, { Status: 'healthy', Log: [{ Output: '1000 /var b\n' }] });
    const list = await create({ Test: ['CMD', 'echo', 'two words', '$A'], Interval: 50 * MILLISECOND }, others);
    await daemon.post(`/containers/${list}/start`);
    await until(list, { Log: [{ Output: 'two words $A\n' }] });
    const missing = await create({ Test: ['CMD', 'nosuch'], Interval: 50 * MILLISECOND, Retries: 1 });
    await daemon.post(`/containers/${missing}/start`);
    await until(missing, { Status: 'unhealthy', Log: [{ ExitCode: -1, Output: expect.stringContaining('nosuch') }] });
  });

  test('that takes too long is killed with all that it has started', async () => {
    const script = 'sleep 2000 & (sleep 2001 &); setsid sleep 2002 & sleep 2003';
    const id = await run(script, { Timeout: 1000 * MILLISECOND, Retries: 1 });
    await until(id, { Status: 'unhealthy', Log: [{ ExitCode: -1, Output: 'Health check exceeded timeout (1s)' }] });
    const { Pid } = (await inspect(id)).State;
    await daemon.post(`/containers/${id}/pause`);
    const [hierarchy, path] = Object.entries(cgroupsOf(Pid)).find(([, group]) => group.includes(id))!;
    const left = fs
      .readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => {
        try {
          if (cgroupsOf(Number(name))[hierarchy] !== path) return false;
          return /^sleep 200\d/.test(fs.readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' '));
        } catch {
          return false;
        }
      });
    // One probe may be at work again when the container stands still; four more would be of the one that was killed.
    expect(left.length).toBeLessThanOrEqual(4);
    await daemon.post(`/containers/${id}/unpause`);
  });

  test('stands still with the container, and begins again with each start', async () => {
    const id = await run('true');
    await until(id, { Status: 'healthy' });
    await daemon.post(`/containers/${id}/pause`);
    expect((await inspect(id)).State.Health.Status).toBe('unhealthy');
    await daemon.post(`/containers/${id}/unpause`);
    await until(id, { Status: 'healthy' });
    await daemon.post(`/containers/${id}/restart?t=0`);
    await until(id, { Status: 'healthy', FailingStreak: 0 });
    await daemon.crash();
    await daemon.launch();
    await daemon.docker('exec', id, 'true');
    const { Log } = (await inspect(id)).State.Health;
    await vi.waitFor(async () => {
      const { Log: later } = (await inspect(id)).State.Health;
      expect(later.at(-1).Start > Log.at(-1).Start).toBe(true);
    }, PATIENT);
  });

  test('ends with its daemon, and one that nobody looked at is unhealthy', async () => {
    const id = await run('sleep 1977');
    const probes = async () =>
      ((await daemon.get(`/containers/${id}/top`)).json.Processes as string[][]).filter((row) =>
        row.at(-1)!.includes('sleep 1977'),
      );
    await vi.waitFor(async () => expect(await probes()).not.toEqual([]), PATIENT);
    const started = (await inspect(id)).State.StartedAt;
    const gone = new Promise((resolve) => daemon.process!.once('exit', resolve));
    daemon.process!.kill('SIGTERM');
    await gone;
    await daemon.launch();
    await vi.waitFor(async () => expect(await probes()).not.toEqual([]), PATIENT);
    // The shell of a probe and the program that it runs.
    expect((await probes()).length).toBeLessThanOrEqual(2);
    expect((await inspect(id)).State).toMatchObject({ StartedAt: started, Health: { Status: 'starting' } });
    const well = await run('true');
    await until(well, { Status: 'healthy' });
    const { Pid } = (await inspect(well)).State;
    await daemon.crash();
    process.kill(Pid, 'SIGKILL');
    await daemon.launch();
    expect((await inspect(well)).State).toMatchObject({ Status: 'exited', Health: { Status: 'unhealthy' } });
    expect(await healthEvents(well)).not.toContain('unhealthy');
  });

  test('of the image is done, completed or left out as the client says', async () => {
    const base = await create(undefined, { Healthcheck: { Test: ['NONE'] } });
    const change = encodeURIComponent('HEALTHCHECK --interval=50ms --retries=4 CMD echo from the image');
    await daemon.post(`/commit?container=${base}&repo=healthy&changes=${change}`);
    const ofImage = await create(undefined, { Image: 'healthy' });
    expect((await inspect(ofImage)).State.Health).toBeUndefined();
    await daemon.post(`/containers/${ofImage}/start`);
    await until(ofImage, { Status: 'healthy', Log: [{ Output: 'from the image\n' }] });
    const completed = await create({ Test: [], Retries: 9 }, { Image: 'healthy' });
    expect((await inspect(completed)).Config.Healthcheck).toEqual({
      Test: ['CMD-SHELL', 'echo from the image'],
      Interval: 50 * MILLISECOND,
      Retries: 9,
    });
    const without = await create({ Test: ['NONE'] }, { Image: 'healthy' });
    await daemon.post(`/containers/${without}/start`);
    const { State } = await inspect(without);
    expect([State.Status, State.Health]).toEqual(['running', undefined]);
    const { json } = await daemon.post('/containers/create', { Image: 'hostbox', Healthcheck: { Test: ['RUN', 'x'] } });
    expect(json.message).toContain('Unknown type "RUN"');
  });
});
