import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostCgroups } from '../runtime/cgroups/host.ts';
import { definitionDepartures } from './testing/api-schema.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();
const MEBIBYTE = 1 << 20;

describe('stats', () => {
  let daemon: TestDaemon;
  let key: string;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
    key = (await daemon.get('/info')).json.ID;
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  async function run(cmd: string[], hostConfig: object = {}): Promise<string> {
    const { json } = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: cmd, HostConfig: hostConfig });
    expect((await daemon.post(`/containers/${json.Id}/start`)).status).toBe(204);
    return json.Id;
  }
  const remove = (id: string) => daemon.request('DELETE', `/containers/${id}?force=1`);

  /** The stream as documents, until the daemon ends it. */
  async function* follow(id: string, signal?: AbortSignal) {
    const request = http.get({ socketPath: daemon.socket, path: `/containers/${id}/stats`, ...(signal && { signal }) });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let rest = '';
    for await (const chunk of response) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line);
    }
  }

  test('count what the kernel counts, in Docker’s form', async () => {
    const busy = 'while :; do :; done & sleep 1000; true';
    const id = await run(['sh', '-c', busy], { Memory: 64 * MEBIBYTE, PidsLimit: 20, NanoCpus: 2e8 });
    const { status, json } = await daemon.get(`/containers/${id}/stats?stream=false`);
    expect(status).toBe(200);
    expect(json).toMatchObject({ id, pids_stats: { current: 3, limit: 20 }, memory_stats: { limit: 64 * MEBIBYTE } });
    expect(json.name).toMatch(/^\/\w+/);
    const counted = hostCgroups().find(`/skiff/${key}/${id}`)!.usage();
    expect(json.cpu_stats.cpu_usage.total_usage).toBeGreaterThan(json.precpu_stats.cpu_usage.total_usage);
    expect(json.cpu_stats.cpu_usage.total_usage).toBeLessThanOrEqual(counted.cpu.total);
    expect(json.cpu_stats.system_cpu_usage).toBeGreaterThan(json.precpu_stats.system_cpu_usage);
    expect(json.cpu_stats.online_cpus).toBe(os.cpus().length);
    expect(json.cpu_stats.throttling_data.throttled_periods).toBeGreaterThan(0);
    expect(Date.parse(json.read)).toBeGreaterThan(Date.parse(json.preread));
    expect(json.memory_stats.usage).toBeGreaterThan(0);
    expect(Object.keys(json.memory_stats.stats)).toContain(counted.version === 1 ? 'total_inactive_file' : 'anon');
    await remove(id);
  });

  test('of one moment have nothing before it, and without a limit the memory of the host', async () => {
    const id = await run(['sleep', '1000'], { NetworkMode: 'none' });
    const { json } = await daemon.get(`/containers/${id}/stats?stream=false&one-shot=true`);
    expect(json).toMatchObject({ preread: '0001-01-01T00:00:00Z', precpu_stats: { cpu_usage: { total_usage: 0 } } });
    expect(json.precpu_stats).not.toHaveProperty('system_cpu_usage');
    expect(json.memory_stats.limit).toBe(os.totalmem());
    expect(json).not.toHaveProperty('networks');
    const both = await daemon.get(`/containers/${id}/stats?stream=true&one-shot=true`);
    expect(`${both.status} ${both.json.message}`).toBe('400 cannot have stream=true and one-shot=true');
    expect((await daemon.get('/containers/nobody/stats')).status).toBe(404);
    await remove(id);
  });

  test('stream on through stop and pause, and end when the container is removed', async () => {
    const id = await run(['sleep', '1000'], { StopTimeout: 0 });
    const seen: Record<string, unknown>[] = [];
    for await (const each of follow(id)) {
      expect(definitionDepartures('ContainerStatsResponse', each)).toEqual([]);
      seen.push(each.memory_stats);
      if (seen.length === 1) await daemon.post(`/containers/${id}/pause`);
      if (seen.length === 2) await daemon.post(`/containers/${id}/kill`);
      if (seen.length === 3) await remove(id);
    }
    expect(seen.length).toBe(3);
    expect(seen.map((each) => 'usage' in each)).toEqual([true, true, false]);
  });

  test('leave nothing behind of a client that has gone', async () => {
    const id = await run(['sleep', '1000']);
    const descriptors = () => fs.readdirSync(`/proc/${daemon.process!.pid}/fd`).length;
    await daemon.get(`/containers/${id}/stats?stream=false&one-shot=true`);
    const before = descriptors();
    for (let round = 0; round < 5; round++) {
      const client = new AbortController();
      for await (const each of follow(id, client.signal)) {
        expect(each.id).toBe(id);
        break;
      }
      client.abort();
    }
    await expect.poll(descriptors).toBeLessThanOrEqual(before);
    await remove(id);
  });

  test.skipIf(missing)('are what docker stats shows, once and as they change', async () => {
    const id = await run(['sleep', '1000'], { Memory: 64 * MEBIBYTE });
    const short = id.slice(0, 12);
    const { code, stdout } = await daemon.docker('stats', '--no-stream', id);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT/);
    expect(stdout).toMatch(new RegExp(`^${short} +\\w+ +[\\d.]+% +[\\d.]+[KM]iB / 64MiB +[\\d.]+% +`, 'm'));
    const child = spawn(
      'docker',
      ['-H', `unix://${daemon.socket}`, 'stats', '--format', '{{.ID}} {{.MemPerc}} {{.PIDs}}'],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    let shown = '';
    for await (const chunk of child.stdout) {
      shown += chunk;
      if (shown.split(`${short} `).length > 3) break;
    }
    child.kill();
    expect(shown).toMatch(new RegExp(`${short} \\d+\\.\\d\\d% 1`));
    await remove(id);
  });
});
