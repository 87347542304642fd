import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFrozen, setFrozen } from '../runtime/cgroups/freezer.ts';
import { hostCgroups } from '../runtime/cgroups/host.ts';
import { dockerIsMissing, TestDaemon, untilGone } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

describe('a paused container', () => {
  let daemon: TestDaemon;
  let key: string;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
    key = (await daemon.get('/info')).json.ID;
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  /** Counts in its log, and ends with 7 at SIGTERM. */
  const COUNT = 'trap "exit 7" TERM; i=0; while true; do i=$((i+1)); echo $i; sleep 0.02; done';

  async function run(config: object = {}): Promise<string> {
    const { json } = await daemon.post('/containers/create', {
      Image: 'hostbox',
      Cmd: ['sh', '-c', COUNT],
      ...config,
    });
    expect((await daemon.post(`/containers/${json.Id}/start`)).status).toBe(204);
    return json.Id;
  }
  async function paused(config: object = {}): Promise<string> {
    const id = await run(config);
    expect((await daemon.post(`/containers/${id}/pause`)).status).toBe(204);
    return id;
  }
  const state = async (id: string) => (await daemon.get(`/containers/${id}/json`)).json.State;
  const cgroup = (id: string) => `/skiff/${key}/${id}`;
  const logged = async (id: string) => (await daemon.exchange('GET', `/containers/${id}/logs?stdout=1`)).text.length;
  const remove = (id: string) => daemon.request('DELETE', `/containers/${id}?force=1`);
  const events = async (id: string) =>
    (await daemon.exchange('GET', `/events?since=1&until=${Date.now() / 1000}`)).text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .filter(({ Actor }) => Actor.ID === id)
      .map(({ Action }) => Action);

  test('stands still, says so, and goes on where it stood', async () => {
    const id = await paused();
    expect(isFrozen(cgroup(id))).toBe(true);
    expect(await state(id)).toMatchObject({ Status: 'paused', Running: true, Paused: true });
    const [row] = (await daemon.get('/containers/json')).json;
    expect(row).toMatchObject({ Id: id, State: 'paused' });
    expect(row.Status).toMatch(/^Up .* \(Paused\)$/);
    expect((await daemon.get('/containers/json?filters={"status":["running"]}')).json).toEqual([]);
    expect((await daemon.get('/info')).json).toMatchObject({ ContainersRunning: 0, ContainersPaused: 1 });
    const before = await logged(id);
    expect((await daemon.get(`/containers/${id}/top`)).json.Processes.length).toBeGreaterThan(0);
    expect(await logged(id)).toBe(before);
    expect((await daemon.post(`/containers/${id}/unpause`)).status).toBe(204);
    expect(await state(id)).toMatchObject({ Status: 'running', Running: true, Paused: false });
    await expect.poll(() => logged(id)).toBeGreaterThan(before);
    expect(await events(id)).toEqual(['create', 'start', 'pause', 'unpause']);
    await remove(id);
  });

  test('refuses in Docker’s words what it cannot do standing', async () => {
    const id = await paused();
    const refusal = async (method: string, url: string, body?: unknown) => {
      const { status, json } = await daemon.request(method, url, body);
      return `${status} ${json?.message?.replaceAll(id, 'ID')}`;
    };
    const at = `/containers/${id}`;
    expect(await refusal('POST', `${at}/pause`)).toBe('409 Container ID is already paused');
    expect(await refusal('POST', `${at}/exec`, { Cmd: ['true'] })).toBe(
      '409 Container ID is paused, unpause the container before exec',
    );
    expect(await refusal('POST', `${at}/start`)).toBe('409 cannot start a paused container, try unpause instead');
    expect(await refusal('POST', `${at}/attach?stream=1&stdout=1`)).toBe(
      '409 container ID is paused, unpause the container before attach',
    );
    expect(await refusal('DELETE', at)).toMatch(
      /^409 cannot remove container ".*": container is paused and must be unpaused first$/,
    );
    const { json: prepared } = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['true'] });
    expect(await refusal('POST', `/containers/${prepared.Id}/pause`)).toBe(
      `409 container ${prepared.Id} is not running`,
    );
    expect(await refusal('POST', `/containers/${prepared.Id}/unpause`)).toBe(
      `409 Container ${prepared.Id} is not paused`,
    );
    expect(await refusal('POST', '/containers/nobody/pause')).toBe('404 No such container: nobody');
    await remove(prepared.Id);
    await remove(id);
  });

  test('an exec that was made before cannot start meanwhile, and one that runs stands still too', async () => {
    const id = await run();
    const { json: exec } = await daemon.post(`/containers/${id}/exec`, { Cmd: ['true'] });
    await daemon.post(`/containers/${id}/pause`);
    const { status, json } = await daemon.post(`/exec/${exec.Id}/start`, { Detach: true });
    expect(`${status} ${json.message}`).toBe(`409 Container ${id} is paused, unpause the container before exec`);
    await daemon.post(`/containers/${id}/unpause`);
    expect((await daemon.post(`/exec/${exec.Id}/start`, { Detach: true })).status).toBe(200);
    await remove(id);
  });

  test('stops by its own signal, is killed, restarts and is removed; who waits hears of it', async () => {
    const stopped = await paused();
    const waiting = daemon.post(`/containers/${stopped}/wait`);
    expect((await daemon.post(`/containers/${stopped}/stop?t=30`)).status).toBe(204);
    expect((await waiting).json).toEqual({ StatusCode: 7 });
    expect(await state(stopped)).toMatchObject({ Status: 'exited', Paused: false });

    const killed = await paused();
    expect((await daemon.post(`/containers/${killed}/kill`)).status).toBe(204);
    expect(await state(killed)).toMatchObject({ Status: 'exited', ExitCode: 137, Paused: false });

    const restarted = await paused();
    expect((await daemon.post(`/containers/${restarted}/restart?t=30`)).status).toBe(204);
    expect(await state(restarted)).toMatchObject({ Status: 'running', Paused: false });
    await daemon.post(`/containers/${restarted}/pause`);
    expect((await remove(restarted)).status).toBe(204);
    expect(hostCgroups().find(cgroup(restarted))).toBeNull();
    await remove(stopped);
    await remove(killed);
  });

  test('a signal that is not its end waits for it, where it has a stop signal of its own', async () => {
    const id = await paused({ StopSignal: 'TERM' });
    expect((await daemon.post(`/containers/${id}/kill?signal=WINCH`)).status).toBe(204);
    expect(await state(id)).toMatchObject({ Status: 'paused' });
    await remove(id);
  });

  test('stays paused when it is committed', async () => {
    const id = await paused();
    expect((await daemon.post(`/commit?container=${id}&repo=still`)).status).toBe(201);
    expect(isFrozen(cgroup(id))).toBe(true);
    expect(await state(id)).toMatchObject({ Status: 'paused' });
    await remove(id);
    await daemon.request('DELETE', '/images/still');
  });

  test('stays paused when the daemon is killed; what an interrupted pause or unpause left is put right', async () => {
    const kept = await paused();
    const half = await run();
    const thawed = await paused();
    await daemon.crash();
    // As if the daemon had died between the freezer and the record.
    setFrozen(cgroup(half), true);
    setFrozen(cgroup(thawed), false);
    await daemon.launch();
    expect(await state(kept)).toMatchObject({ Status: 'paused', Running: true, Paused: true });
    expect(isFrozen(cgroup(kept))).toBe(true);
    for (const id of [half, thawed]) {
      expect(await state(id)).toMatchObject({ Status: 'running', Paused: false });
      expect(isFrozen(cgroup(id))).toBe(false);
    }
    await daemon.crash();
    await daemon.launch();
    expect(await state(thawed)).toMatchObject({ Status: 'running' });
    expect((await daemon.post(`/containers/${kept}/unpause`)).status).toBe(204);
    for (const id of [kept, half, thawed]) await remove(id);
  });

  test('ends with its shim, and with shim and daemon together, and leaves no cgroup', async () => {
    for (const both of [false, true]) {
      const id = await paused();
      const { Pid: pid } = await state(id);
      const shim = daemon.shimPid()!;
      const waiting = both ? null : daemon.post(`/containers/${id}/wait`);
      if (both) await daemon.crash();
      process.kill(shim, 'SIGKILL');
      if (both) await daemon.launch();
      else expect((await waiting!).json).toEqual({ StatusCode: 137 });
      expect(await state(id)).toMatchObject({ Status: 'exited', ExitCode: 137, Paused: false });
      expect(await untilGone(pid)).toBe(true);
      expect(hostCgroups().find(cgroup(id))).toBeNull();
      expect((await daemon.post(`/containers/${id}/start`)).status).toBe(204);
      await remove(id);
    }
  });

  test.skipIf(missing)('is paused, shown and let go on by the docker command, many at once', async () => {
    const ids = [await run(), await run()].map((id) => id.slice(0, 12));
    expect(await daemon.docker('pause', ...ids)).toEqual({ code: 0, stdout: `${ids.join('\n')}\n`, stderr: '' });
    const listed = await daemon.docker('ps', '--filter', 'status=paused', '--format', '{{.ID}} {{.State}} {{.Status}}');
    expect(listed.stdout.trim().split('\n').sort()).toEqual(
      [...ids].sort().map((id) => expect.stringMatching(new RegExp(`^${id} paused Up .* \\(Paused\\)$`))),
    );
    const format = '{{.State.Status}} {{.State.Running}} {{.State.Paused}}';
    expect((await daemon.docker('inspect', '-f', format, ids[0]!)).stdout).toBe('paused true true\n');
    expect((await daemon.docker('exec', ids[0]!, 'true')).stderr).toMatch(
      /Container [0-9a-f]{64} is paused, unpause the container before exec/,
    );
    expect((await daemon.docker('unpause', ...ids)).stdout).toBe(`${ids.join('\n')}\n`);
    expect((await daemon.docker('unpause', ids[0]!)).stderr).toMatch(/Container [0-9a-f]{64} is not paused/);
    await daemon.docker('rm', '-f', ...ids);
  });
});
