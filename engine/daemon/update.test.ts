import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cgroupVersion, mountedHierarchies } from '../runtime/cgroups/detect.ts';
import { cgroupsOf } from '../runtime/testing/proc.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();
const MEBIBYTE = 1 << 20;
const hierarchies = mountedHierarchies();
const version = cgroupVersion(hierarchies);

/** The value of a file in the cgroup that a process is in: `v1` is `controller/file`. */
function kernelSays(pid: number, names: { v1: string; v2: string }): string {
  const of = cgroupsOf(pid);
  if (version === 2) return readFileSync(join(hierarchies.v2!.mountPoint, of['']!, names.v2), 'utf8').trim();
  const [controller, file] = names.v1.split('/') as [string, string];
  const { mountPoint } = hierarchies.v1.find(({ controllers }) => controllers.includes(controller))!;
  const path = Object.entries(of).find(([key]) => key.split(',').includes(controller))![1];
  return readFileSync(join(mountPoint, path, file), 'utf8').trim();
}

const MEMORY = { v1: 'memory/memory.limit_in_bytes', v2: 'memory.max' };
const PIDS = { v1: 'pids/pids.max', v2: 'pids.max' };
const QUOTA = { v1: 'cpu/cpu.cfs_quota_us', v2: 'cpu.max' };
const SHARES = { v1: 'cpu/cpu.shares', v2: 'cpu.weight' };
const CPUSET = { v1: 'cpuset/cpuset.cpus', v2: 'cpuset.cpus' };

describe('an update', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  async function create(hostConfig: object = {}, cmd = ['sleep', '1000']): Promise<string> {
    const { json } = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: cmd, HostConfig: hostConfig });
    return json.Id;
  }
  async function run(hostConfig: object = {}, cmd?: string[]): Promise<{ id: string; pid: number }> {
    const id = await create(hostConfig, cmd);
    expect((await daemon.post(`/containers/${id}/start`)).status).toBe(204);
    return { id, pid: (await inspect(id)).State.Pid };
  }
  const inspect = async (id: string) => (await daemon.get(`/containers/${id}/json`)).json;
  const update = (id: string, body: object) => daemon.post(`/containers/${id}/update`, body);
  const remove = (id: string) => daemon.request('DELETE', `/containers/${id}?force=1`);
  async function refusal(id: string, body: object): Promise<string> {
    const { status, json } = await update(id, body);
    return `${status} ${json.message?.replaceAll(id, 'ID')}`;
  }

  test('changes every limit of a running container, in the kernel and in what inspect says', async () => {
    const limits = { Memory: 32 * MEBIBYTE, MemorySwap: 64 * MEBIBYTE, PidsLimit: 30, NanoCpus: 5e8, CpuShares: 512 };
    const { id, pid } = await run(limits);
    const after = { Memory: 48 * MEBIBYTE, PidsLimit: 20, NanoCpus: 2.5e8, CpuShares: 256, CpusetCpus: '0' };
    const answer = await update(id, after);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.json).toEqual({ Warnings: [] });
    expect(kernelSays(pid, MEMORY)).toBe(String(48 * MEBIBYTE));
    expect(kernelSays(pid, PIDS)).toBe('20');
    expect(kernelSays(pid, QUOTA)).toBe(version === 1 ? '25000' : '25000 100000');
    expect(kernelSays(pid, SHARES)).toBe(version === 1 ? '256' : '10');
    expect(kernelSays(pid, CPUSET)).toBe('0');
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/Cpus_allowed_list:\t0\n/);
    expect((await inspect(id)).HostConfig).toMatchObject({ ...after, MemorySwap: 64 * MEBIBYTE });

    // Up and down past the sum of memory and swap, which the kernel never lets be below memory.
    for (const [Memory, MemorySwap] of [
      [128, 256],
      [16, 16],
      [64, -1],
    ] as const) {
      const swap = MemorySwap === -1 ? -1 : MemorySwap * MEBIBYTE;
      const changed = await update(id, { Memory: Memory * MEBIBYTE, MemorySwap: swap });
      expect(changed.status, changed.text).toBe(200);
      expect(kernelSays(pid, MEMORY)).toBe(String(Memory * MEBIBYTE));
    }
    expect((await update(id, { PidsLimit: -1 })).status).toBe(200);
    expect(kernelSays(pid, PIDS)).toBe('max');
    await remove(id);
  });

  test('holds for what exec starts later, and is kept by a daemon that is killed and by a restart', async () => {
    const { id } = await run({ Memory: 32 * MEBIBYTE, MemorySwap: -1 });
    await update(id, { CpusetCpus: '0', PidsLimit: 15, Memory: 40 * MEBIBYTE });
    const { json: exec } = await daemon.post(`/containers/${id}/exec`, { Cmd: ['sleep', '1000'] });
    await daemon.post(`/exec/${exec.Id}/start`, { Detach: true });
    const joined = (await daemon.get(`/exec/${exec.Id}/json`)).json.Pid;
    expect(kernelSays(joined, CPUSET)).toBe('0');
    await daemon.crash();
    await daemon.launch();
    await daemon.post(`/containers/${id}/restart?t=0`);
    const again = (await inspect(id)).State.Pid;
    expect(kernelSays(again, CPUSET)).toBe('0');
    expect(kernelSays(again, PIDS)).toBe('15');
    expect(kernelSays(again, MEMORY)).toBe(String(40 * MEBIBYTE));
    await remove(id);
  });

  test('of a container that does not run counts from its next start; of a paused one at once', async () => {
    const id = await create();
    expect((await update(id, { PidsLimit: 12 })).status).toBe(200);
    await daemon.post(`/containers/${id}/start`);
    const { Pid: pid } = (await inspect(id)).State;
    expect(kernelSays(pid, PIDS)).toBe('12');
    await daemon.post(`/containers/${id}/pause`);
    expect((await update(id, { PidsLimit: 14 })).status).toBe(200);
    expect(kernelSays(pid, PIDS)).toBe('14');
    expect((await inspect(id)).State.Status).toBe('paused');
    await remove(id);
  });

  test('is refused in Docker’s words where it cannot be, and changes nothing then', async () => {
    const id = await create({ Memory: 32 * MEBIBYTE, NanoCpus: 5e8 });
    const quota = await create({ CpuQuota: 50_000, CpuPeriod: 100_000 });
    const plain = await create();
    expect(await refusal(id, { Memory: 1 })).toBe('400 Minimum memory limit allowed is 6MB');
    expect(await refusal(id, { Memory: 128 * MEBIBYTE })).toBe(
      '409 Cannot update container ID: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
    expect(await refusal(plain, { Memory: 64 * MEBIBYTE })).toMatch(
      /^409 Cannot update .* update the memoryswap at the same time$/,
    );
    expect(await refusal(id, { Memory: 64 * MEBIBYTE, MemorySwap: 32 * MEBIBYTE })).toBe(
      '400 Minimum memoryswap limit should be larger than memory limit, see usage',
    );
    expect(await refusal(id, { MemorySwap: 16 * MEBIBYTE })).toBe(
      '400 Minimum memoryswap limit should be larger than memory limit, see usage',
    );
    expect(await refusal(id, { CpuQuota: 20_000 })).toBe(
      '409 Cannot update container ID: Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set',
    );
    expect(await refusal(id, { CpuPeriod: 20_000 })).toBe(
      '409 Cannot update container ID: Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set',
    );
    expect(await refusal(quota, { NanoCpus: 1e8 })).toBe(
      '409 Cannot update container ID: Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set',
    );
    expect(await refusal(id, { CpusetCpus: 'x' })).toMatch(/^400 Invalid value x for CpusetCpus/);
    expect(await refusal(id, { BlkioWeight: 5 })).toBe('400 Range of blkio weight is from 10 to 1000');
    expect(await refusal(id, { Devices: [{ PathOnHost: '/dev/null' }] })).toMatch(/^501 .*Devices/);
    expect(await refusal('nobody', { Memory: 64 * MEBIBYTE })).toBe('404 No such container: ID');
    expect((await inspect(id)).HostConfig).toMatchObject({
      Memory: 32 * MEBIBYTE,
      MemorySwap: 64 * MEBIBYTE,
      NanoCpus: 5e8,
    });
    for (const each of [id, quota, plain]) await remove(each);
  });

  test('that the kernel refuses sets back what it had set before', async () => {
    const { id, pid } = await run({ PidsLimit: 20, CpuShares: 512 });
    // Only the kernel knows how many processes it can have at most: PID_MAX_LIMIT, 2²², linux/threads.h.
    const { status, json } = await update(id, { CpuShares: 256, PidsLimit: 5_000_000 });
    expect(status).toBe(500);
    expect(json.message).toMatch(new RegExp(`^Cannot update container ${id}: .*5000000.*pids.max`));
    expect(kernelSays(pid, SHARES)).toBe(version === 1 ? '512' : '20');
    expect(kernelSays(pid, PIDS)).toBe('20');
    expect((await inspect(id)).HostConfig).toMatchObject({ CpuShares: 512, PidsLimit: 20 });
    await remove(id);
  });

  test.skipIf(missing)('is what docker update does, for several at once, with an event for each', async () => {
    const [a, b] = [await run({}), await run({})];
    const ids = [a.id, b.id];
    const { code, stdout, stderr } = await daemon.docker('update', '--pids-limit', '17', '--cpus', '0.5', ...ids);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${ids.join('\n')}\n`, stderr: '' });
    for (const { pid } of [a, b]) expect(kernelSays(pid, PIDS)).toBe('17');
    const filters = encodeURIComponent('{"event":["update"]}');
    const { text } = await daemon.exchange('GET', `/events?until=${Date.now() / 1000}&filters=${filters}`);
    const told = text
      .split('\n')
      .filter(Boolean)
      .slice(-2)
      .map((line) => JSON.parse(line).Actor.ID);
    expect(told.sort()).toEqual([...ids].sort());
    const refused = await daemon.docker('update', '--memory', '64m', a.id);
    expect(refused.stderr).toContain('update the memoryswap at the same time');
    for (const id of ids) await remove(id);
  });
});
