import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cgroupsOf } from '../testing/proc.ts';
import { specFor } from '../testing/rootfs.ts';
import { startShim, type TestShim } from '../testing/shim.ts';
import { cgroupVersion, mountedHierarchies } from './detect.ts';
import { hostCgroups } from './host.ts';
import { sweepCgroups } from './sweep.ts';

const MEBIBYTE = 1 << 20;
const hierarchies = mountedHierarchies();
const version = process.getuid?.() === 0 ? cgroupVersion(hierarchies) : null;

/** The value of a file in the cgroup that a process is in: `v1` is `controller/file`. */
function cgroupValue(pid: number, names: { v1: string; v2: string }): string {
  const of = cgroupsOf(pid);
  if (version === 2) return readFileSync(join(hierarchies.v2!.mountPoint, of['']!, names.v2), 'utf8').trim();
  const [controller, file] = names.v1.split('/') as [string, string];
  const { mountPoint } = hierarchies.v1.find(({ controllers }) => controllers.includes(controller))!;
  const path = Object.entries(of).find(([key]) => key.split(',').includes(controller))![1];
  return readFileSync(join(mountPoint, path, file), 'utf8').trim();
}

/** Every directory of every hierarchy that `path` is in. */
const directoriesOf = (path: string) =>
  [...hierarchies.v1, ...(hierarchies.v2 ? [hierarchies.v2] : [])]
    .map(({ mountPoint }) => join(mountPoint, path))
    .filter((directory) => existsSync(directory));

describe.skipIf(version === null)(`limits by control groups v${version}`, () => {
  let shim: TestShim;
  beforeAll(async () => {
    shim = await startShim();
  });
  afterAll(() => shim?.close());

  test('memory, CPU, CPU sets and pids are what was asked for, in the process’s own cgroup', async () => {
    const { key, pid } = await shim.start(
      specFor(shim, ['sleep', '1000'], {
        linux: {
          resources: {
            memory: { limit: 64 * MEBIBYTE, reservation: 32 * MEBIBYTE },
            cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: '0', mems: '0' },
            pids: { limit: 20 },
          },
        },
      }),
    );
    expect(cgroupValue(pid, { v1: 'memory/memory.limit_in_bytes', v2: 'memory.max' })).toBe(String(64 * MEBIBYTE));
    expect(cgroupValue(pid, { v1: 'memory/memory.soft_limit_in_bytes', v2: 'memory.low' })).toBe(String(32 * MEBIBYTE));
    expect(cgroupValue(pid, { v1: 'pids/pids.max', v2: 'pids.max' })).toBe('20');
    expect(cgroupValue(pid, { v1: 'cpu/cpu.shares', v2: 'cpu.weight' })).toBe(version === 1 ? '512' : '20');
    expect(cgroupValue(pid, { v1: 'cpu/cpu.cfs_quota_us', v2: 'cpu.max' })).toBe(
      version === 1 ? '50000' : '50000 100000',
    );
    expect(cgroupValue(pid, { v1: 'cpuset/cpuset.cpus', v2: 'cpuset.cpus' })).toBe('0');
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/Cpus_allowed_list:\t0\n/);
    const { memoryLimit, memoryUsage, processes } = hostCgroups().find(`${shim.cgroups}/${key.container}`)!.stats();
    expect({ memoryLimit, processes }).toEqual({ memoryLimit: 64 * MEBIBYTE, processes: 1 });
    expect(memoryUsage).toBeLessThan(64 * MEBIBYTE);
    await shim.call('signal', { key, signal: 9 });
    await shim.exit(key);
    expect(directoriesOf(`${shim.cgroups}/${key.container}`)).toEqual([]);
    await shim.call('forget', { key });
  });

  test('a container that takes more memory than it may is killed, and the exit says why', async () => {
    const resources = { memory: { limit: 16 * MEBIBYTE, swap: 16 * MEBIBYTE } };
    const greedy = specFor(shim, ['sh', '-c', 'x=x; while :; do x=$x$x; done'], { linux: { resources } });
    const { exited } = await shim.run(greedy);
    expect(exited).toMatchObject({ status: { exitCode: 137, signal: 'SIGKILL' }, oomKilled: true });
    const modest = await shim.run(specFor(shim, ['sh', '-c', 'kill -9 $$; sleep 0.01'], { linux: { resources } }));
    expect(modest.exited.oomKilled).toBe(false);
  });

  test('the smallest memory limit Docker allows is enough to start', async () => {
    const resources = { memory: { limit: 6 * MEBIBYTE, swap: 6 * MEBIBYTE } };
    const { status, stdout } = await shim.run(specFor(shim, ['echo', 'small'], { linux: { resources } }));
    expect([status.exitCode, stdout]).toEqual([0, 'small\n']);
  });

  test('no process more than the limit can be forked', async () => {
    const script = 'for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; ls -d /proc/[0-9]* | wc -l';
    const spec = specFor(shim, ['sh', '-c', script], { linux: { resources: { pids: { limit: 5 } } } });
    const { stderr, status } = await shim.run(spec);
    expect(stderr).toContain("can't fork");
    expect(status.exitCode).toBe(2);
  });

  test('a value the kernel refuses fails the start with the file and the value, and leaves no cgroup', async () => {
    const spec = specFor(shim, ['true'], { linux: { resources: { cpu: { cpus: '0-4095' } } } });
    await expect(shim.run(spec)).rejects.toMatchObject({
      failure: { step: 'cgroup cpuset.cpus', message: expect.stringContaining('0-4095'), exitCode: 125 },
    });
    expect(directoriesOf(spec.linux.cgroupsPath!)).toEqual([]);
  });

  test('devices the container was not given cannot be used, not even through a node it made itself', async () => {
    const script = 'mknod /dev/kmsg2 c 1 11 && cat /dev/kmsg2; head -c1 /dev/zero | wc -c';
    const denied = await shim.run(specFor(shim, ['sh', '-c', script]));
    expect([denied.stdout, denied.stderr]).toEqual(['1\n', "cat: can't open '/dev/kmsg2': Operation not permitted\n"]);
    const devices = [{ type: 'c' as const, path: '/dev/kmsg2', major: 1, minor: 11 }];
    const given = await shim.run(
      specFor(shim, ['sh', '-c', '(exec 3>>/dev/kmsg2) && echo opened'], { linux: { devices } }),
    );
    expect(given.stdout).toBe('opened\n');
  });

  test('signal with all reaches every process of the container', async () => {
    const spec = specFor(shim, [
      'sh',
      '-c',
      'trap : TERM; (trap "echo other; exit" TERM; echo ready; while :; do sleep 0.1; done) & wait; wait; exit 3',
    ]);
    const key = { container: spec.annotations!.container! };
    await shim.call('open', { key, stdio: { terminal: false, stdin: false, stdinOnce: false } });
    const client = await shim.attach(key);
    await shim.call('start', { ...key, spec });
    await client.saw('ready');
    await shim.call('signal', { key, signal: 15, all: true });
    expect((await shim.exit(key)).status.exitCode).toBe(3);
    expect(String((await client.ended).stdout)).toBe('ready\nother\n');
    await shim.call('forget', { key });
  });

  test('a sweep touches nothing that is not ours', () => {
    for (const path of ['/', '/system.slice', '/skiff', '/skiff/..', '/skiff/../system.slice', 'skiff/x', ''])
      expect(() => sweepCgroups(path)).toThrow(/cgroup/);
  });

  test('a sweep ends and removes what is there, no matter who started it, and what is not there is swept already', async () => {
    const { key } = await shim.start(specFor(shim, ['sh', '-c', 'sleep 1000 & sleep 1000 & wait']));
    expect(directoriesOf(`${shim.cgroups}/${key.container}`)).not.toEqual([]);
    expect(sweepCgroups(`${shim.cgroups}/${key.container}`)).toBe(true);
    expect((await shim.exit(key)).status).toEqual({ exitCode: 137, signal: 'SIGKILL' });
    expect(directoriesOf(`${shim.cgroups}/${key.container}`)).toEqual([]);
    expect(sweepCgroups(`${shim.cgroups}/${key.container}`)).toBe(true);
    await shim.call('forget', { key });
  });
});
