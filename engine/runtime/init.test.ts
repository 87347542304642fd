import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostCapabilities } from './capabilities.ts';
import { cgroupsOf, descriptorsOf, environmentOf, limitsOf, mountsOf, namespaceOf, statusOf } from './testing/proc.ts';
import { dockerCapabilities, specFor } from './testing/rootfs.ts';
import { startShim, type TestShim } from './testing/shim.ts';

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('a running container, seen from outside', () => {
  let shim: TestShim;
  let pid: number;
  let container: string;
  beforeAll(async () => {
    shim = await startShim();
    const spec = specFor(shim, ['/bin/sleep', '1000'], {
      process: {
        env: ['PATH=/bin', 'GREETING=hello world'],
        cwd: '/made/for/it',
        noNewPrivileges: true,
        oomScoreAdj: 300,
      },
      linux: { sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '1234567' } },
    });
    const started = await shim.start(spec);
    pid = started.pid;
    container = started.key.container;
  });
  afterAll(() => shim?.close());

  test('it is the user program itself, and a child of the shim', () => {
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toBe('/bin/sleep\x001000\0');
    expect(statusOf(pid).PPid).toBe(String(shim.pid));
    expect(statusOf(pid).Threads).toBe('1');
  });

  test.each(['pid', 'net', 'mnt', 'ipc', 'uts', 'cgroup'])('its %s namespace is its own', (name) => {
    expect(namespaceOf(pid, name)).not.toBe(namespaceOf('self', name));
    expect(namespaceOf(shim.pid, name)).toBe(namespaceOf('self', name));
  });

  test('it is PID 1 of its namespace, a session leader without a terminal', () => {
    expect(statusOf(pid).NSpid?.split('\t')).toEqual([String(pid), '1']);
    const [, , , session, terminal] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    expect([session, terminal]).toEqual([String(pid), '0']);
  });

  test('its root is the overlay, with nothing of the host mounted and no mount shared with the host', () => {
    const mounts = mountsOf(pid);
    expect(mounts.get('/')?.type).toBe('overlay');
    expect([...mounts.keys()].sort()).toEqual(
      ['/', '/proc', '/dev', '/dev/pts', '/dev/mqueue', '/dev/shm', '/sys', '/proc/kcore', '/proc/keys', '/proc/acpi']
        .concat(['/sys/firmware', '/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'])
        .filter((path) => existsSync(`/proc/${pid}/root${path}`))
        .sort(),
    );
    for (const { optional } of mounts.values()) expect(optional).toBe('');
    expect(mounts.get('/sys')?.options).toContain('ro');
    expect(mounts.get('/proc/sys')?.options).toContain('ro');
  });

  test('the host sees none of its mounts', () => {
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(shim.directory);
  });

  test('a masked file reads as empty and a masked directory has no entries', async () => {
    expect(statSync(`/proc/${pid}/root/proc/kcore`, { throwIfNoEntry: false })?.rdev ?? 0x103).toBe(0x103);
    const { stdout } = await shim.exec(container, {
      args: ['sh', '-c', 'ls -A /sys/firmware | wc -l; wc -c < /proc/keys'],
    });
    expect(stdout.split('\n').slice(0, 2)).toEqual(['0', '0']);
  });

  test('its capabilities are those it was given, none inherited and none ambient', () => {
    const { CapEff, CapPrm, CapBnd, CapInh, CapAmb } = statusOf(pid);
    const mask = '00000000a80425fb'; // the fourteen of Docker's default set
    expect(dockerCapabilities.bounding).toHaveLength(14);
    expect(hostCapabilities()).toEqual(expect.arrayContaining(dockerCapabilities.bounding!));
    expect({ CapEff, CapPrm, CapBnd, CapInh, CapAmb }).toEqual({
      CapEff: mask,
      CapPrm: mask,
      CapBnd: mask,
      CapInh: '0'.repeat(16),
      CapAmb: '0'.repeat(16),
    });
  });

  test('no_new_privs is set, no signal is blocked or ignored', () => {
    const { NoNewPrivs, SigBlk, SigIgn } = statusOf(pid);
    expect({ NoNewPrivs, SigBlk, SigIgn }).toEqual({ NoNewPrivs: '1', SigBlk: '0'.repeat(16), SigIgn: '0'.repeat(16) });
  });

  test('it has three descriptors and nothing of the shim', () => {
    const open = descriptorsOf(pid);
    expect(Object.keys(open)).toEqual(['0', '1', '2']);
    expect(open['0']).toBe('/dev/null');
    expect(open['1']).toMatch(/^pipe:/);
  });

  test('its environment is exactly what was asked for, and HOME from its own passwd', () => {
    expect(environmentOf(pid)).toEqual(['PATH=/bin', 'GREETING=hello world', 'HOME=/root']);
  });

  test('a working directory that the image does not have is made', () => {
    expect(statSync(`/proc/${pid}/cwd`).ino).toBe(statSync(`/proc/${pid}/root/made/for/it`).ino);
  });

  test('its hostname, kernel parameters and OOM score are its own', async () => {
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('300');
    expect(readFileSync('/proc/sys/kernel/shmmax', 'utf8').trim()).not.toBe('1234567');
    const { stdout } = await shim.exec(container, {
      args: [
        'sh',
        '-c',
        'hostname; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax; cat /sys/class/net/lo/flags',
      ],
    });
    expect(stdout.split('\n')).toEqual(['inside', '1', '1234567', '0x9', '']);
  });

  test('its soft limit of open files is not the one Node raised for itself', () => {
    expect(limitsOf(pid)['Max open files']?.soft).toBe('1024');
  });

  test('it is in its cgroup in every hierarchy that limits', () => {
    const expected = expect.stringMatching(new RegExp(`^${shim.cgroups}/`));
    const of = cgroupsOf(pid);
    if (existsSync('/sys/fs/cgroup/memory'))
      expect([of.memory, of.pids, of.freezer, of.devices]).toEqual([expected, expected, expected, expected]);
    else expect(of['']).toEqual(expected);
  });
});

describe.skipIf(!isRoot)('what a specification asks for', () => {
  let shim: TestShim;
  beforeAll(async () => {
    shim = await startShim();
  });
  afterAll(() => shim?.close());

  test.each([
    ['exit 0', { exitCode: 0, signal: null }],
    ['exit 42', { exitCode: 42, signal: null }],
    ['kill -9 $$; exit 3', { exitCode: 3, signal: null }], // PID 1 is immune to its own signals
    ['sh -c "kill -11 \\$\\$"; exit $?', { exitCode: 139, signal: null }],
  ])('`%s` ends with %o', async (script, status) => {
    expect((await shim.run(specFor(shim, ['sh', '-c', script]))).status).toEqual(status);
  });

  test('death by a signal is 128 and its number', async () => {
    const { key } = await shim.start(specFor(shim, ['sleep', '1000']));
    await shim.call('signal', { key, signal: 9 });
    expect((await shim.exit(key)).status).toEqual({ exitCode: 137, signal: 'SIGKILL' });
    await shim.call('forget', { key });
  });

  test('a program that is not found is 127, one that is not executable 126', async () => {
    for (const [program, exitCode] of [
      ['nosuchprogram', 127],
      ['/etc/passwd', 126],
      ['/bin', 126],
    ] as const) {
      await expect(shim.run(specFor(shim, [program]))).rejects.toMatchObject({
        failure: { kind: 'failed', step: 'execve', exitCode },
      });
    }
  });

  test('a user by name has its groups and home, and no capability is left of its root powers', async () => {
    const script = 'id -u; id -g; id -G; echo $HOME; grep Cap /proc/self/status';
    const { stdout } = await shim.run(specFor(shim, ['sh', '-c', script], { process: { userSpec: 'alice' } }));
    expect(stdout.split('\n').slice(0, 4)).toEqual(['1001', '1002', '1002 10 29', '/home/alice']);
    expect(stdout).toMatch(/CapPrm:\t0{16}\nCapEff:\t0{16}\nCapBnd:\t00000000a80425fb\n/);
  });

  test.each([
    ['alice:audio', '1001 29 29'],
    ['1001', '1001 1002 1002 10 29'],
    ['2147483647', '2147483647 0 0'],
    ['7777', '7777 0 0'],
    ['7777:8888', '7777 8888 8888'],
    [':29', '0 29 29'],
  ])('the user %s is %s', async (userSpec, ids) => {
    const { stdout } = await shim.run(
      specFor(shim, ['sh', '-c', 'echo $(id -u) $(id -g) $(id -G)'], { process: { userSpec } }),
    );
    expect(stdout.trim()).toBe(ids);
  });

  test('groups are added by name and number, and an unknown one is an error', async () => {
    const script = ['sh', '-c', 'echo $(id -u) $(id -G)'];
    const groups = (groupSpecs: string[]) =>
      shim.run(specFor(shim, script, { process: { userSpec: '7:8', groupSpecs } })).then(({ stdout }) => stdout.trim());
    expect(await groups(['audio', '4242', 'wheel', '29'])).toBe('7 8 10 29 4242');
    expect(await groups(['2147483648']).catch(String)).toMatch(/uids and gids must be in range 0-2147483647/);
    expect(await groups(['crew']).catch(String)).toMatch(/unable to find group crew/);
  });

  test('ambient capabilities stay with a user who is not root', async () => {
    const sets = ['CAP_NET_RAW'];
    const capabilities = { bounding: sets, effective: sets, permitted: sets, inheritable: sets, ambient: sets };
    const { stdout } = await shim.run(
      specFor(shim, ['grep', 'CapEff', '/proc/self/status'], { process: { userSpec: '1000', capabilities } }),
    );
    expect(stdout).toBe('CapEff:\t0000000000002000\n');
  });

  test('a read-only root refuses writing and its mounts do not', async () => {
    const { stdout, status } = await shim.run(
      specFor(shim, ['sh', '-c', 'touch /x 2>/dev/null && echo root; touch /dev/shm/x && echo shm'], {
        root: { readonly: true },
      }),
    );
    expect([stdout, status.exitCode]).toEqual(['shm\n', 0]);
  });

  test('limits are set, and cut to what the host allows', async () => {
    const hard = Number(readFileSync('/proc/self/limits', 'utf8').match(/Max open files\s+\S+\s+(\S+)/)![1]);
    const rlimits = [
      { type: 'RLIMIT_NOFILE', soft: 2 * hard, hard: 2 * hard },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
    ];
    const { stdout } = await shim.run(specFor(shim, ['cat', '/proc/self/limits'], { process: { rlimits } }));
    expect(stdout).toMatch(new RegExp(`Max open files\\s+${hard}\\s+${hard}`));
    expect(stdout).toMatch(/Max core file size\s+0\s+0/);
  });

  test('a host network is the host network', async () => {
    const namespaces = (['pid', 'mount', 'ipc', 'uts'] as const).map((type) => ({ type }));
    const { stdout } = await shim.run(specFor(shim, ['ls', '-l', '/proc/self/ns/net'], { linux: { namespaces } }));
    expect(stdout).toContain(namespaceOf('self', 'net'));
  });

  test('what a host PID namespace leaves running ends with the container', async () => {
    const namespaces = (['mount', 'ipc', 'uts'] as const).map((type) => ({ type }));
    const spec = specFor(shim, ['sh', '-c', 'sleep 1000 & sleep 1000 & echo $!'], { linux: { namespaces } });
    const { stdout } = await shim.run(spec);
    expect(existsSync(`/proc/${stdout.trim()}`)).toBe(false);
  });

  test('a bind mount is what it is bound to, in both directions', async () => {
    const source = join(shim.directory, 'rootfs', 'tmp');
    const bind = { destination: '/data', source, type: 'bind', options: ['rbind', 'rw'] };
    const spec = specFor(shim, ['sh', '-c', 'echo from inside > /data/note']);
    await shim.run({ ...spec, mounts: [...spec.mounts, bind] });
    expect(readFileSync(join(source, 'note'), 'utf8')).toBe('from inside\n');
  });
});
