/** Containers that come back by themselves: what a client sees of it, and what survives a crash. */

import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TestDaemon, untilGone } from './testing/test-daemon.ts';

vi.setConfig({ testTimeout: 120_000 });
const PATIENT = { timeout: 100_000, interval: 50 };

describe('a restart policy', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  const inspect = async (id: string) => (await daemon.get(`/containers/${id}/json`)).json;
  const ask = async (method: string, id: string, what: string) =>
    (await daemon.request(method, `/containers/${id}${what}`)).status;
  async function run(Name: string, script: string, MaximumRetryCount = 0): Promise<string> {
    const body = {
      Image: 'hostbox',
      Cmd: ['sh', '-c', script],
      HostConfig: { RestartPolicy: { Name, MaximumRetryCount } },
    };
    const { json, text } = await daemon.post('/containers/create', body);
    expect(json.Id, text).toBeTypeOf('string');
    expect((await daemon.post(`/containers/${json.Id}/start`)).status).toBe(204);
    return json.Id;
  }
  const until = (id: string, wanted: object) =>
    vi.waitFor(async () => expect(await inspect(id)).toMatchObject(wanted), PATIENT);
  const runs = (id: string) => until(id, { State: { Status: 'running' } });
  /** Until it waits for its next start, and has been started again so often before. */
  async function untilWaiting(id: string, least: number): Promise<void> {
    await vi.waitFor(async () => {
      const { State, RestartCount } = await inspect(id);
      expect(State.Status).toBe('restarting');
      expect(RestartCount).toBeGreaterThanOrEqual(least);
    }, PATIENT);
  }
  /** Those that wait for more than ten seconds, so that there is time to look at them. */
  async function waiting<const T extends string[]>(...policies: T): Promise<{ [K in keyof T]: string }> {
    const ids = await Promise.all(policies.map((policy) => run(policy, 'exit 3')));
    await Promise.all(ids.map((id) => untilWaiting(id, 8)));
    return ids as { [K in keyof T]: string };
  }

  test('on-failure tries so often as it may, and leaves the last exit code and every line of the log', async () => {
    const id = await run('on-failure', 'echo once more; exit 7', 2);
    await until(id, { State: { Status: 'exited', ExitCode: 7, Restarting: false }, RestartCount: 2 });
    const { stdout } = await daemon.docker('logs', id);
    expect(stdout).toBe('once more\n'.repeat(3));
    const actions = await daemon.eventsOf(id);
    expect(actions.filter((action) => action === 'die' || action === 'start')).toEqual(
      Array.from({ length: 3 }, () => ['start', 'die']).flat(),
    );
    expect((await inspect(id)).HostConfig.RestartPolicy).toEqual({ Name: 'on-failure', MaximumRetryCount: 2 });
    // What a client starts is counted anew.
    await daemon.post(`/containers/${id}/start`);
    await until(id, { State: { Status: 'exited' }, RestartCount: 2 });
    expect((await daemon.docker('logs', id)).stdout).toBe('once more\n'.repeat(6));
  });

  test('on-failure leaves what ended well, or what a client stopped, where it is', async () => {
    const well = await run('on-failure', 'exit 0');
    await until(well, { State: { Status: 'exited' }, RestartCount: 0 });
    const stopped = await run('on-failure', 'sleep 1000');
    expect(await ask('POST', stopped, '/stop?t=0')).toBe(204);
    expect(await inspect(stopped)).toMatchObject({ State: { Status: 'exited', ExitCode: 137 }, RestartCount: 0 });
  });

  test('always brings back what was killed from the host, and stops when a client says so', async () => {
    const id = await run('always', 'sleep 1000');
    const { Pid } = (await inspect(id)).State;
    process.kill(Pid, 'SIGKILL');
    await until(id, { State: { Status: 'running' }, RestartCount: 1 });
    expect((await inspect(id)).State.Pid).not.toBe(Pid);
    for (const end of ['/stop?t=0', '/kill']) {
      expect(await ask('POST', id, end)).toBe(204);
      await until(id, { State: { Status: 'exited' } });
      expect(await ask('POST', id, '/start')).toBe(204);
    }
    expect((await inspect(id)).RestartCount).toBe(0);
    expect(await ask('DELETE', id, '?force=1')).toBe(204);
  });

  test('while it waits, clients see a container that runs and has no process', async () => {
    const [id, forced, killed] = await waiting('always', 'always', 'unless-stopped');
    expect((await inspect(id)).State).toMatchObject({ Running: true, Restarting: true, Paused: false, ExitCode: 3 });
    const listed = (await daemon.get(`/containers/json?filters={"id":["${id}"]}`)).json;
    expect(listed).toMatchObject([{ State: 'restarting', Status: expect.stringMatching(/^Restarting \(3\) .* ago$/) }]);
    const said = async (method: string, what: string, body?: object) => {
      const { status, json } = await daemon.request(method, `/containers/${id}${what}`, body);
      return `${status} ${json?.message?.replaceAll(id, 'ID') ?? ''}`.trim();
    };
    const patience = '409 Container ID is restarting, wait until the container is running';
    expect(await said('POST', '/exec', { Cmd: ['true'] })).toBe(patience);
    expect(await said('POST', '/pause')).toBe(patience);
    expect(await said('GET', '/top')).toBe(patience);
    expect(await said('POST', '/attach?stream=1&stdout=1')).toBe(patience);
    expect(await said('POST', '/start')).toBe('304');
    expect(await said('DELETE', '')).toMatch(/^409 .*restarting: stop the container before removing or force remove$/);
    expect((await daemon.post('/containers/prune')).json.ContainersDeleted ?? []).not.toContain(id);
    expect(await said('POST', '/restart')).toBe('204');
    await untilWaiting(id, 4);
    expect(await said('POST', '/stop')).toBe('204');
    expect((await inspect(id)).State).toMatchObject({ Status: 'exited', ExitCode: 3, Restarting: false });
    expect(await said('POST', '/stop')).toBe('304');
    expect(await said('DELETE', '')).toBe('204');
    expect(await ask('DELETE', forced, '?force=1')).toBe(204);
    expect(await ask('POST', killed, '/kill')).toBe(204);
    expect((await inspect(killed)).State.Status).toBe('exited');
  });

  test('who follows the log or waits hears of each run and of each end', async () => {
    const id = await run('on-failure', 'echo line; exit 1', 3);
    const followed = daemon.docker('logs', '-f', id);
    expect((await followed).stdout).toBe('line\n'.repeat(4));
    const slow = await run('always', 'sleep 1000');
    const ended = daemon.post(`/containers/${slow}/wait?condition=next-exit`);
    await vi.waitFor(async () => {
      const { Pid } = (await inspect(slow)).State;
      if (Pid > 0) execFileSync('kill', ['-9', String(Pid)]);
      expect((await Promise.race([ended, null]))?.json.StatusCode).toBe(137);
    }, PATIENT);
    expect(await ask('DELETE', slow, '?force=1')).toBe(204);
  });

  test('who waits for a container that waits itself hears of its being stopped', async () => {
    const [id] = await waiting('always');
    const ended = daemon.post(`/containers/${id}/wait`);
    const followed = daemon.docker('logs', '-f', id);
    await vi.waitFor(async () => expect((await daemon.get('/info')).json.NEventsListener).toBe(0), PATIENT);
    expect(await ask('POST', id, '/stop')).toBe(204);
    expect((await ended).json.StatusCode).toBe(3);
    expect((await followed).code).toBe(0);
  });

  test('a kill is not lost to a start that is under way', async () => {
    for (let round = 0; round < 5; round++) {
      const id = await run('always', 'exit 0');
      await vi.waitFor(async () => expect((await inspect(id)).RestartCount).toBeGreaterThan(round % 3), PATIENT);
      // Its process may have ended by itself at this very moment.
      await vi.waitFor(async () => expect(await ask('POST', id, '/kill')).toBe(204), PATIENT);
      const { State, RestartCount } = await inspect(id);
      expect(State.Status).toBe('exited');
      expect(await ask('POST', id, '/wait')).toBe(200);
      expect((await inspect(id)).RestartCount).toBe(RestartCount);
      expect(await ask('DELETE', id, '')).toBe(204);
    }
  });

  test('a patient stop holds up neither a removal nor a stop with less patience', async () => {
    const deaf = 'trap : TERM; while :; do sleep 0.1; done';
    for (const hasty of [(id: string) => ask('DELETE', id, '?force=1'), (id: string) => ask('POST', id, '/stop?t=0')]) {
      const id = await run('always', deaf);
      const patient = ask('POST', id, '/stop?t=100000');
      await vi.waitFor(async () => expect(await daemon.eventsOf(id)).toContain('kill'), PATIENT);
      expect(await hasty(id)).toBe(204);
      expect(await patient).toBe(204);
    }
  });

  test('a container that removes itself at its end is removed once, and its name is free', async () => {
    for (let round = 0; round < 10; round++) {
      const body = { Image: 'hostbox', Cmd: ['sleep', '1000'], HostConfig: { AutoRemove: true } };
      const { json } = await daemon.post('/containers/create?name=once', body);
      await ask('POST', json.Id, '/start');
      expect(await ask('DELETE', json.Id, '?force=1')).toBe(204);
      const next = await daemon.post('/containers/create?name=once', body);
      expect(next.status).toBe(201);
      expect((await inspect('once')).Id).toBe(next.json.Id);
      expect((await daemon.eventsOf(json.Id)).filter((action) => action === 'destroy')).toEqual(['destroy']);
      expect(await ask('DELETE', next.json.Id, '')).toBe(204);
    }
  });

  test('a stop that the end of the daemon interrupts counts', async () => {
    const deaf = 'trap "sleep 1; exit 1" TERM; while :; do sleep 0.1; done';
    const ids = [await run('unless-stopped', deaf), await run('on-failure', deaf)];
    const stops = ids.map((id) => ask('POST', id, '/stop?t=100').catch(() => 0));
    for (const id of ids) await vi.waitFor(async () => expect(await daemon.eventsOf(id)).toContain('kill'), PATIENT);
    await daemon.crash();
    await Promise.all(stops);
    await daemon.launch();
    for (const id of ids) {
      await until(id, { State: { Status: 'exited', ExitCode: 1 } });
      expect(await inspect(id)).toMatchObject({ RestartCount: 0 });
      expect(await ask('DELETE', id, '')).toBe(204);
    }
  });

  test('what ends beside the daemon is started by the next one', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, () => run('on-failure', 'sleep 1000')));
    const pids = await Promise.all(ids.map(async (id) => (await inspect(id)).State.Pid));
    const gone = new Promise((resolve) => daemon.process!.once('exit', resolve));
    for (const [index, pid] of pids.entries()) {
      if (index === 3) daemon.process!.kill('SIGTERM');
      process.kill(pid, 'SIGKILL');
    }
    await gone;
    await daemon.launch();
    for (const id of ids) await until(id, { State: { Status: 'running' } });
    for (const id of ids) expect(await ask('DELETE', id, '?force=1')).toBe(204);
  });

  test('a start that fails ends the attempts', async () => {
    const directory = `${daemon.root}/source`;
    execFileSync('mkdir', [directory]);
    const body = {
      Image: 'hostbox',
      Cmd: ['sh', '-c', 'sleep 1000'],
      HostConfig: {
        Mounts: [{ Type: 'bind', Source: directory, Target: '/there' }],
        RestartPolicy: { Name: 'always' },
      },
    };
    const { json } = await daemon.post('/containers/create', body);
    await ask('POST', json.Id, '/start');
    execFileSync('rmdir', [directory]);
    process.kill((await inspect(json.Id)).State.Pid, 'SIGKILL');
    await until(json.Id, { State: { Status: 'exited', Error: expect.stringContaining('source') } });
    expect(await ask('DELETE', json.Id, '')).toBe(204);
  });

  test('an update changes it, and the next end follows what is said then', async () => {
    const id = await run('no', 'sleep 1000');
    const update = (Name: string, more: object = {}) =>
      daemon.post(`/containers/${id}/update`, { RestartPolicy: { Name, ...more } });
    expect((await update('always')).status).toBe(200);
    process.kill((await inspect(id)).State.Pid, 'SIGKILL');
    await until(id, { RestartCount: 1, State: { Status: 'running' } });
    expect((await update('sometimes')).status).toBe(400);
    expect((await update('always', { MaximumRetryCount: 2 })).status).toBe(400);
    expect((await daemon.post(`/containers/${id}/update`, { PidsLimit: 90 })).status).toBe(200);
    expect((await inspect(id)).HostConfig.RestartPolicy.Name).toBe('always');
    expect((await update('no')).status).toBe(200);
    process.kill((await inspect(id)).State.Pid, 'SIGKILL');
    await until(id, { RestartCount: 1, State: { Status: 'exited' } });
    const { json } = await daemon.post('/containers/create', {
      Image: 'hostbox',
      HostConfig: { AutoRemove: true, RestartPolicy: { Name: 'always' } },
    });
    expect(json.message).toBe("can't create 'AutoRemove' container with restart policy");
  });

  test('survives the daemon, the shim, and both', async () => {
    const always = await run('always', 'sleep 1000');
    const unless = await run('unless-stopped', 'sleep 1000');
    const onFailure = await run('on-failure', 'exit 1');
    const stopped = await run('unless-stopped', 'sleep 1000');
    const byHand = await run('always', 'sleep 1000');
    await ask('POST', stopped, '/stop?t=0');
    await ask('POST', byHand, '/stop?t=0');
    await untilWaiting(onFailure, 4);
    const { RestartCount } = await inspect(onFailure);

    await daemon.crash();
    const shim = daemon.shimPid()!;
    await daemon.launch();
    // What ran went on; what was stopped by hand comes back with a new daemon for `always` alone.
    for (const id of [always, unless])
      expect(await inspect(id)).toMatchObject({ RestartCount: 0, State: { Running: true } });
    await runs(byHand);
    await untilWaiting(onFailure, RestartCount + 1);
    expect((await inspect(stopped)).State.Status).toBe('exited');

    process.kill(shim, 'SIGKILL');
    await untilGone(shim);
    for (const id of [always, unless]) await until(id, { State: { Status: 'running' }, RestartCount: 1 });

    const second = daemon.shimPid()!;
    await daemon.crash();
    process.kill(second, 'SIGKILL');
    await untilGone(second);
    await daemon.launch();
    for (const id of [always, unless, byHand]) await runs(id);
    expect((await inspect(stopped)).State.Status).toBe('exited');
  });
});
