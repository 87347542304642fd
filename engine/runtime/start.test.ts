import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mountedHierarchies } from './cgroups/detect.ts';
import type { Spec } from './spec.ts';
import { childrenOf, descriptorsOf } from './testing/proc.ts';
import { specFor, userNamespaced, usualMounts } from './testing/rootfs.ts';
import { type Refused, startShim, type TestShim } from './testing/shim.ts';

describe.skipIf(process.getuid?.() !== 0)('starting a container', () => {
  let shim: TestShim;
  beforeAll(async () => {
    shim = await startShim();
    await shim.run(specFor(shim, ['true']));
  });
  afterAll(() => shim?.close());

  /** What a start could leave behind: children, cgroups, mounts on the host, descriptors of the shim. */
  function traces() {
    const { v1, v2 } = mountedHierarchies();
    const cgroups = [...v1, ...(v2 ? [v2] : [])].flatMap(({ mountPoint }) => {
      const directory = join(mountPoint, shim.cgroups);
      return existsSync(directory)
        ? readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
        : [];
    });
    return {
      children: childrenOf(shim.pid),
      cgroups: cgroups.map(({ name }) => name),
      mounts: readFileSync(`/proc/${shim.pid}/mountinfo`, 'utf8').includes(shim.directory),
      // Sockets are the clients' affair; they come and go with them.
      descriptors: Object.values(descriptorsOf(shim.pid)).filter((name) => !name.startsWith('socket:')).length,
    };
  }

  const failures: [step: string, exitCode: number, message: RegExp, change: (spec: Spec) => Spec][] = [
    ['cgroup', 125, /\.\./, (spec) => withLinux(spec, { cgroupsPath: '/skiff/../../etc' })],
    ['cgroup memory.limit_in_bytes', 125, /-5/, (spec) => withLinux(spec, { resources: { memory: { limit: -5 } } })],
    [
      'namespaces',
      125,
      /nonsense/,
      (spec) => withLinux(spec, { namespaces: [...spec.linux.namespaces, { type: 'nonsense' as 'pid' }] }),
    ],
    ['start', 125, /mount namespace/, (spec) => withLinux(spec, { namespaces: [{ type: 'pid' }] })],
    ['start', 125, /no command/, (spec) => withProcess(spec, { args: [] })],
    [
      'id mappings',
      125,
      /uid_map/,
      (spec) => {
        const overlapping = [
          { containerID: 0, hostID: 1, size: 10 },
          { containerID: 0, hostID: 50, size: 10 },
        ];
        return withLinux(userNamespaced(spec), { uidMappings: overlapping, gidMappings: overlapping });
      },
    ],
    ['oom_score_adj 5000', 125, /EINVAL/, (spec) => withProcess(spec, { oomScoreAdj: 5000 })],
    [
      'namespaces',
      125,
      /ENOENT/,
      (spec) =>
        withLinux(spec, {
          namespaces: [
            ...spec.linux.namespaces.filter(({ type }) => type !== 'network'),
            { type: 'network', path: '/nowhere' },
          ],
        }),
    ],
    ['isolate mounts', 125, /ENOENT/, (spec) => ({ ...spec, root: { path: '/nowhere/at/all' } })],
    [
      'mount overlay',
      125,
      /merged: /,
      (spec) => ({ ...spec, root: { ...spec.root, overlay: { ...spec.root.overlay!, lower: ['/nowhere'] } } }),
    ],
    [
      'mount /data',
      125,
      /ENOENT/,
      (spec) => ({
        ...spec,
        mounts: [...usualMounts, { destination: '/data', type: 'bind', source: '/nowhere', options: ['bind'] }],
      }),
    ],
    [
      'devices',
      125,
      /EINVAL|ENOTDIR|EEXIST|EPERM/,
      (spec) => withLinux(spec, { devices: [{ type: 'c', path: '/bin/busybox/x', major: 1, minor: 3 }] }),
    ],
    ['sysctl net.nonsense', 125, /ENOENT/, (spec) => withLinux(spec, { sysctl: { 'net.nonsense': '1' } })],
    ['sysctl ../x', 125, /not the name/, (spec) => withLinux(spec, { sysctl: { '../x': '1' } })],
    ['working directory', 125, /EEXIST|ENOTDIR/, (spec) => withProcess(spec, { cwd: '/bin/busybox' })],
    ['user', 125, /unable to find user nobodyknows/, (spec) => withProcess(spec, { userSpec: 'nobodyknows' })],
    [
      'capabilities',
      125,
      /CAP_NONSENSE/,
      (spec) => withProcess(spec, { capabilities: { bounding: ['CAP_NONSENSE'] } }),
    ],
    [
      'rlimits',
      125,
      /RLIMIT_NONSENSE/,
      (spec) => withProcess(spec, { rlimits: [{ type: 'RLIMIT_NONSENSE', soft: 1, hard: 1 }] }),
    ],
    ['execve', 127, /nosuchprogram/, (spec) => withProcess(spec, { args: ['nosuchprogram'] })],
    [
      'open terminal',
      125,
      /ENOENT/,
      (spec) => ({ ...withProcess(spec, { terminal: true }), mounts: usualMounts.slice(0, 2) }),
    ],
  ];

  test.each(failures)('one that fails at `%s` (%i, %s) leaves nothing', async (step, exitCode, message, change) => {
    const before = traces();
    const spec = change(specFor(shim, ['true']));
    const failed = shim.run(spec, { terminal: spec.process.terminal }).then(
      () => null,
      (error: Refused) => error.failure,
    );
    expect(await failed).toEqual({
      kind: 'failed',
      step: step.startsWith('cgroup ') ? expect.stringMatching(/^cgroup memory\./) : step,
      code: expect.stringMatching(/^E[A-Z]+$/),
      exitCode,
      message: expect.stringMatching(message),
    });
    expect(traces()).toEqual(before);
  });

  test('200 starts, eight at a time, all end with 0 and leave nothing', async () => {
    const before = traces();
    const statuses: number[] = [];
    const lane = async () => {
      for (let round = 0; round < 25; round++) statuses.push((await shim.run(specFor(shim, ['true']))).status.exitCode);
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    expect(statuses).toEqual(Array(200).fill(0));
    expect(traces()).toEqual(before);
  });

  test('hostile account files do not stop a start', async () => {
    const etc = (spec: Spec, make: (path: string) => void) => {
      const directory = join(spec.root.overlay!.upper, 'etc');
      mkdirSync(directory, { recursive: true });
      make(directory);
      return spec;
    };
    const script = ['sh', '-c', 'id -u'];
    const directory = etc(specFor(shim, script), (path) => mkdirSync(join(path, 'passwd')));
    expect((await shim.run(directory)).stdout).toBe('0\n');
    const huge = etc(specFor(shim, script), (path) => writeFileSync(join(path, 'passwd'), Buffer.alloc(5 << 20, 'x')));
    await expect(shim.run(huge)).rejects.toMatchObject({ failure: { step: 'user' } });
    const fifo = etc(specFor(shim, ['sh', '-c', 'id -u']), () => {});
    const { status } = await shim.run(withProcess(fifo, { args: ['sh', '-c', 'busybox mkfifo /etc/x && exit 8'] }));
    expect(status.exitCode).toBe(8);
  });

  test.each([60, 200])('a stack of %s layers with long names is mounted', async (count) => {
    const spec = specFor(shim, ['sh', '-c', 'cat /layers/* | wc -l']);
    const lower = Array.from({ length: count }, (_, index) => {
      const directory = join(shim.directory, `layers-${count}`, `${index}`.padStart(64, 'a').padEnd(96, ','), 'fs');
      mkdirSync(join(directory, 'layers'), { recursive: true });
      writeFileSync(join(directory, 'layers', String(index)), `${index}\n`);
      return directory;
    });
    const overlay = { ...spec.root.overlay!, lower: [...lower, ...spec.root.overlay!.lower] };
    const { stdout } = await shim.run({ ...spec, root: { ...spec.root, overlay } });
    expect(stdout).toBe(`${count}\n`);
  });
});

function withLinux(spec: Spec, linux: Partial<Spec['linux']>): Spec {
  return { ...spec, linux: { ...spec.linux, ...linux } };
}

function withProcess(spec: Spec, process: Partial<Spec['process']>): Spec {
  return { ...spec, process: { ...spec.process, ...process } };
}
