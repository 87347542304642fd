import { expect, test } from 'vitest';
import { containerCapabilities } from './capabilities.ts';
import { HostConfig } from './config.ts';
import { ContainerError } from './errors.ts';
import { containerMounts } from './mounts.ts';
import { containerResources } from './resources.ts';
import { containerLimits } from './rlimits.ts';
import { securityOptions } from './security-options.ts';
import { parseSignal } from './signals.ts';
import { sizeLimit } from './size-limit.ts';
import { checkSysctls } from './sysctls.ts';
import { refuseUnsupported } from './unsupported.ts';

/** What a refused request says, and of which kind the refusal is. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ContainerError) return `${error.kind}: ${error.message}`;
    throw error;
  }
  return 'not refused';
}

const mounts = (requests: object) =>
  containerMounts({ binds: [], mounts: [], tmpfs: {}, inherited: [], volumes: [], ...requests }, '/volumes');

test('a bind is a path, a volume a name, and what needs another comes after it', () => {
  const list = mounts({ binds: ['/src/../a:/x/y/z:ro', 'data:/x', '/b:/x/y/'], volumes: ['/v', '/x/y'] });
  expect(list.map(({ type, source, destination, readonly }) => [type, source, destination, readonly])).toEqual([
    ['volume', '/volumes/data/_data', '/x', false],
    ['volume', expect.stringMatching(/^\/volumes\/[0-9a-f]{64}\/_data$/), '/v', false],
    ['bind', '/b', '/x/y', false],
    ['bind', '/a', '/x/y/z', true],
  ]);
  expect(list.map(({ anonymous }) => anonymous)).toEqual([false, true, false, false]);
});

test.each([
  ['/a', 'invalid: invalid volume specification'],
  ['/a:b', "invalid: invalid mount path: 'b' mount path must be absolute"],
  ['/a:/', "invalid: invalid specification: destination can't be '/'"],
  ['/a:/x/../..', "invalid: invalid specification: destination can't be '/'"],
  ['/a:/proc/sys', 'invalid: "/proc/sys" cannot be mounted because it is inside /proc'],
  ['/a:/x/../proc', 'invalid: "/proc" cannot be mounted because it is inside /proc'],
  ['../a:/x', 'invalid: "../a" includes invalid characters for a local volume name'],
  ['a/b:/x', 'invalid: "a/b" includes invalid characters'],
  ['/a:/x:rw:extra', 'invalid: invalid volume specification'],
  ['/a:/x:nonsense', 'invalid: invalid mode: nonsense'],
  ['/a:/x:shary', 'invalid: invalid mode: shary'],
])('the bind %s is refused', (bind, message) => {
  expect(refusal(() => mounts({ binds: [bind] }))).toContain(message);
});

test('two mounts at one place, and options that a tmpfs does not have, are refused', () => {
  expect(refusal(() => mounts({ binds: ['/a:/x', '/b:/x/'] }))).toBe('invalid: Duplicate mount point: /x');
  expect(refusal(() => mounts({ tmpfs: { '/t': 'size=1m,lowerdir=/' } }))).toContain(
    'invalid tmpfs option ["lowerdir=/"]',
  );
  expect(mounts({ tmpfs: { '/t': 'size=1m,exec' } })[0]?.options).toEqual([
    'noexec',
    'nosuid',
    'nodev',
    'size=1m',
    'exec',
  ]);
});

const HOST = ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN', 'CAP_MKNOD'];
const capabilities = (add: string[], drop: string[] = [], privileged = false) =>
  containerCapabilities({ add, drop, privileged }, HOST);

test("capabilities are Docker's set as far as the host has it, with what is added and without what is dropped", () => {
  expect(capabilities([])).toEqual(['CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD']);
  expect(capabilities(['net_admin'], ['CAP_KILL'])).toEqual(['CAP_CHOWN', 'CAP_NET_ADMIN', 'CAP_MKNOD']);
  expect(capabilities(['KILL'], ['ALL'])).toEqual(['CAP_KILL']);
  expect(capabilities(['ALL'], ['SYS_ADMIN'])).toEqual(
    HOST.filter((name) => name !== 'CAP_SYS_ADMIN').sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b)),
  );
  expect(capabilities([], [], true)).toEqual(HOST);
  expect(refusal(() => capabilities(['NOTHING']))).toContain('invalid capability: "NOTHING"');
  expect(refusal(() => capabilities(['SYS_RESOURCE']))).toContain('CAP_SYS_RESOURCE cannot be added');
});
const ORDER = ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN', 'CAP_MKNOD'];

test('limits of a process stay within what the host allows, unless the engine may raise them', () => {
  const host = { nofile: 20_000, core: 0 };
  expect(containerLimits([], false, host)).toEqual([{ type: 'RLIMIT_NOFILE', soft: 20_000, hard: 20_000 }]);
  expect(containerLimits([{ Name: 'nofile', Soft: 5, Hard: 10 }], false, host)).toEqual([
    { type: 'RLIMIT_NOFILE', soft: 5, hard: 10 },
  ]);
  expect(refusal(() => containerLimits([{ Name: 'nofile', Soft: 5, Hard: 30_000 }], false, host))).toContain(
    'at most 20000',
  );
  expect(containerLimits([{ Name: 'nofile', Soft: 5, Hard: 30_000 }], true, host)[0]?.hard).toBe(30_000);
  expect(refusal(() => containerLimits([{ Name: 'nofile', Soft: 6, Hard: 5 }], true, host))).toContain('soft limit');
  expect(refusal(() => containerLimits([{ Name: 'files', Soft: 5, Hard: 5 }], true, host))).toContain(
    'invalid ulimit type: files',
  );
});

test.each([
  [{ Memory: 4096 }, 'Minimum memory limit allowed is 6MB'],
  [{ Memory: 64 << 20, MemorySwap: 32 << 20 }, 'Minimum memoryswap limit should be larger than memory limit'],
  [{ MemorySwap: 32 << 20 }, 'always set the Memory limit'],
  [{ NanoCpus: 1e9, CpuPeriod: 5000 }, 'Nano CPUs and CPU Period cannot both be set'],
  [{ NanoCpus: 9e9 }, 'Range of CPUs is from 0.01 to 2.00'],
  [{ NanoCpus: 1e6 }, 'Range of CPUs is from 0.01 to 2.00'],
  [{ CpuQuota: 10 }, 'CPU cfs quota can not be less than 1ms'],
  [{ CpusetCpus: '0-' }, 'Invalid value 0- for CpusetCpus'],
])('the limits %j are refused', (limits, message) => {
  expect(refusal(() => containerResources(HostConfig.parse(limits), 2))).toContain(message);
});

test('signals have names with and without SIG, numbers, and places among the real-time ones', () => {
  expect(['KILL', 'sigterm', '15', 'SIGRTMIN', 'RTMIN+3', 'RTMAX-1', 'WINCH'].map(parseSignal)).toEqual([
    9, 15, 15, 34, 37, 63, 28,
  ]);
  for (const wrong of ['', '0', '65', 'SIGNOTHING', '-9', 'RTMIN+31', '9 9'])
    expect(refusal(() => parseSignal(wrong))).toContain('invalid signal');
});

test('what would weaken or change a container is never left out in silence', () => {
  for (const hostConfig of [{ UsernsMode: 'remap' }, { Runtime: 'runsc' }, { DeviceRequests: [{ Count: 1 }] }])
    expect(refusal(() => refuseUnsupported({ HostConfig: hostConfig }))).toContain(
      `unsupported: This engine does not have HostConfig.${Object.keys(hostConfig)[0]}`,
    );
  expect(refusal(() => securityOptions(['apparmor=profile']))).toContain('unsupported');
  expect(refusal(() => securityOptions(['seccomp={"defaultAction":"ALLOW"}']))).toMatch(
    /invalid.*defaultAction.*ALLOW/,
  );
  expect(refusal(() => securityOptions(['seccomp=/etc/profile.json']))).toMatch(/invalid.*not JSON/);
  expect(securityOptions(['seccomp=unconfined', 'no-new-privileges:true'])).toEqual({
    noNewPrivileges: true,
    seccomp: 'unconfined',
  });
  expect(securityOptions([])).toEqual({ noNewPrivileges: false, seccomp: 'default' });
  expect(securityOptions(['seccomp=builtin']).seccomp).toBe('default');
});

test('a size limit is a number of bytes, or one with a unit', () => {
  const limit = (size: string) => sizeLimit({ size });
  expect(['1', '512m', '1.5G', '10gb', '2GiB', '3 k'].map(limit)).toEqual([
    1,
    512 * 2 ** 20,
    1.5 * 2 ** 30,
    10 * 2 ** 30,
    2 * 2 ** 30,
    3072,
  ]);
  expect(sizeLimit({})).toBeUndefined();
  for (const wrong of ['', '0', '-1', 'all', '1x', '9999999p', '1e9'])
    expect(refusal(() => limit(wrong))).toContain('invalid size');
  expect(refusal(() => sizeLimit({ quota: '1' }))).toContain('unknown option quota');
});

test('a field with the zero value of Go counts as absent', () => {
  const hostConfig = {
    Init: null,
    Sysctls: {},
    GroupAdd: null,
    UsernsMode: '',
    RestartPolicy: { Name: 'no' },
    MemorySwappiness: -1,
    Links: [],
    BlkioWeight: 0,
  };
  expect(refusal(() => refuseUnsupported({ HostConfig: hostConfig, Healthcheck: { Test: ['NONE'] } }))).toBe(
    'not refused',
  );
});

test('kernel parameters are those of a namespace the container has of its own', () => {
  const check = (hostConfig: object) => refusal(() => checkSysctls(HostConfig.parse(hostConfig)));
  expect(check({ Sysctls: { 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '1', 'fs.mqueue.msg_max': '1' } })).toBe(
    'not refused',
  );
  expect(check({ Sysctls: { 'kernel.core_pattern': '|/evil' } })).toContain('not of a namespace but of the host');
  expect(check({ Sysctls: { 'net/../kernel.core_pattern': '|/evil' } })).toContain(
    'not of a namespace but of the host',
  );
  expect(check({ Sysctls: { 'net.ipv4.ip_forward': '1' }, NetworkMode: 'host' })).toContain('shares that namespace');
  expect(check({ Sysctls: { 'kernel.shmmax': '1' }, IpcMode: 'host' })).toContain('shares that namespace');
});
