/** What a container finds around it: its control groups, its groups, kernel parameters, the files of /etc. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cgroupVersion, mountedHierarchies } from '../runtime/cgroups/detect.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();
const version = cgroupVersion(mountedHierarchies());

describe.skipIf(missing)('a container', () => {
  let daemon: TestDaemon;
  let directory: string;
  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-around-'));
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
    fs.rmSync(directory, { recursive: true, force: true });
  });

  const run = (...args: string[]) => daemon.docker('run', '--rm', '--network', 'none', ...args);
  const sh = async (script: string, ...options: string[]) => {
    const { stdout, stderr } = await run(...options, 'hostbox', 'sh', '-c', script);
    return stdout + stderr;
  };

  test.skipIf(version === null).each(['private', 'host'])(
    'sees its own limit, read-only (--cgroupns %s)',
    async (mode) => {
      const file = version === 1 ? 'memory/memory.limit_in_bytes' : 'memory.max';
      const limited = ['-m', '64m', '--cgroupns', mode];
      const script = `cat /sys/fs/cgroup/${file}; touch /sys/fs/cgroup/x; mkdir /sys/fs/cgroup/memory/x`;
      const said = await sh(script, ...limited);
      // A host's cgroup namespace shows v2's whole tree, whose top has no limit.
      if (version === 1 || mode === 'private') expect(said.split('\n')[0]).toBe(String(64 << 20));
      expect(said).toContain('Read-only file system');
    },
  );

  test.skipIf(version !== 1)('has a directory for each controller, and links for those that share one', async () => {
    const names = (await sh('ls /sys/fs/cgroup')).trim().split('\n');
    expect(names).toEqual(expect.arrayContaining(['cpu', 'cpuacct', 'cpuset', 'devices', 'freezer', 'memory', 'pids']));
    // What a JVM compares: the root of the mount and the process's own path.
    for (const mode of ['private', 'host']) {
      const said = await sh(
        'grep " - cgroup " /proc/self/mountinfo | grep -w memory | cut -d " " -f 4; grep ":memory:" /proc/self/cgroup | cut -d : -f 3',
        '--cgroupns',
        mode,
      );
      const [root, own] = said.trim().split('\n');
      expect(own).toBe(root);
    }
  });

  test.skipIf(version === null)('with --privileged may write there', async () => {
    const directory = version === 1 ? '/sys/fs/cgroup/memory/below' : '/sys/fs/cgroup/below';
    expect(await sh(`mkdir ${directory} && rmdir ${directory} && echo made`, '--privileged')).toBe('made\n');
  });

  test('has its primary group among its supplementary groups, however its user is said', async () => {
    const groups = 'grep ^Groups: /proc/self/status';
    const found = async (...options: string[]) => (await sh(groups, ...options)).trim().split(/\s+/).slice(1).join(' ');
    expect(await found()).toMatch(/^0( |$)/);
    expect(await found('-u', '1234:2345')).toBe('2345');
    expect(await found('-u', '1234:2345', '--group-add', '77')).toBe('77 2345');
    expect(await found('-u', '4321')).toBe('0');
    const id = (await daemon.docker('run', '-d', '--network', 'none', 'hostbox', 'sleep', '1000')).stdout.trim();
    const exec = await daemon.docker('exec', '-u', '1234:2345', id, 'sh', '-c', groups);
    expect(exec.stdout).toMatch(/^Groups:\s+2345\s*$/);
    await daemon.docker('rm', '-f', id);
    fs.writeFileSync(path.join(directory, 'Dockerfile'), `FROM hostbox\nUSER 1234:2345\nRUN ${groups} > /tmp/groups\n`);
    await daemon.docker('build', '-q', '-t', 'groups', directory);
    expect((await run('groups', 'cat', '/tmp/groups')).stdout).toMatch(/^Groups:\s+2345\s*$/);
    expect((await run('-u', '2147483648', 'hostbox', 'true')).stderr).toContain(
      'uids and gids must be in range 0-2147483647',
    );
  });

  test('may listen at any port and ping as any group, unless it is asked for otherwise', async () => {
    const read = 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range';
    expect(await sh(read)).toBe('0\n0\t2147483647\n');
    expect(await sh(read, '--sysctl', 'net.ipv4.ip_unprivileged_port_start=1000')).toBe('1000\n0\t2147483647\n');
  });

  const files = '/etc/hosts /etc/hostname /etc/resolv.conf';

  test('cannot write to the files of /etc with --read-only', async () => {
    const script = `for f in ${files}; do echo x >> $f && echo wrote $f; done`;
    expect(await sh(script)).toBe('wrote /etc/hosts\nwrote /etc/hostname\nwrote /etc/resolv.conf\n');
    expect((await sh(script, '--read-only')).match(/Read-only file system/g)).toHaveLength(3);
  });

  test('finds them over a volume or a directory that is mounted at /etc', async () => {
    const script = `cat /etc/hostname; grep -c localhost /etc/hosts; ls ${files} | wc -l`;
    const host = path.join(directory, 'etc');
    fs.mkdirSync(host);
    for (const source of ['etc-volume', host])
      expect(await sh(script, '--hostname', 'boxed', '-v', `${source}:/etc`)).toMatch(/^boxed\n[1-9]\n3\n$/);
    await daemon.docker('volume', 'rm', 'etc-volume');
  });

  test('whose working directory is missing has it made when it is created', async () => {
    const make = (...args: string[]) => daemon.docker('create', '--network', 'none', ...args);
    const { stdout, stderr, code } = await make('-w', '/home/new/directory', 'hostbox', 'true');
    expect(code, stderr).toBe(0);
    const id = stdout.trim();
    expect((await daemon.docker('diff', id)).stdout.trim().split('\n').sort()).toEqual([
      'A /home/new',
      'A /home/new/directory',
      'C /home',
    ]);
    expect((await daemon.docker('cp', `${id}:/home/new/directory`, '-')).code).toBe(0);
    await daemon.docker('rm', id);
    const there = (await make('-w', '/tmp', 'hostbox', 'true')).stdout.trim();
    expect((await daemon.docker('diff', there)).stdout).toBe('');
    await daemon.docker('rm', there);
  });

  test('shows its users in `docker top` by the names that the host has for them', async () => {
    const { stdout } = await daemon.docker('run', '-d', '--network', 'none', 'hostbox', 'sleep', '1000');
    await daemon.docker('exec', '-d', '-u', '54321', stdout.trim(), 'sleep', '2000');
    const rows = (await daemon.docker('top', stdout.trim())).stdout.trim().split('\n').slice(1);
    expect(rows.map((row) => `${row.split(/\s+/)[0]} ${row.split(/\s+/).at(-1)}`).sort()).toEqual([
      '54321 2000',
      'root 1000',
    ]);
    await daemon.docker('rm', '-f', stdout.trim());
  });

  test('with --tmpfs finds the mode that is documented, 1777, whatever the image has there', async () => {
    fs.writeFileSync(path.join(directory, 'Dockerfile'), 'FROM hostbox\nRUN mkdir /narrow && chmod 751 /narrow\n');
    await daemon.docker('build', '-q', '-t', 'narrow', directory);
    const mode = async (option: string) =>
      (await run('--tmpfs', option, 'narrow', 'stat', '-c', '%a', '/narrow')).stdout.trim();
    expect(await mode('/narrow')).toBe('1777');
    expect(await mode('/narrow:mode=700')).toBe('700');
  });

  test('with -v SOURCE:/x:ro cannot write to what is mounted below the source either', async () => {
    const options = (
      await sh('grep -E " /bound(/[a-z]+)? " /proc/self/mountinfo | cut -d " " -f 6', '-v', '/dev:/bound:ro')
    )
      .trim()
      .split('\n');
    expect(options.filter((each) => each.split(',').includes('rw'))).toEqual([]);
  });

  test.each([
    [['--cpuset-cpus', '99'], 'Requested CPUs are not available - requested 99, available: '],
    [['--cpuset-cpus', '0-99999'], 'Requested CPUs are not available - requested 0-99999, available: '],
    [['--cpuset-cpus', '3-1'], 'Invalid value 3-1 for CpusetCpus'],
    [['--cpuset-mems', '99'], 'Requested memory nodes are not available - requested 99, available: '],
    [['--cpu-shares', '1'], 'The minimum allowed cpu-shares is 2'],
    [['--cpu-shares', '262145'], 'The maximum allowed cpu-shares is 262144'],
  ])('is not made with %j, and the reason is said', async (options, reason) => {
    const ran = await daemon.docker('create', '--network', 'none', ...options, 'hostbox', 'true');
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain(reason);
  });

  test('is not sent a signal by an unknown name', async () => {
    const id = (await daemon.docker('run', '-d', '--network', 'none', 'hostbox', 'sleep', '1000')).stdout.trim();
    for (const signal of ['SIG42', 'SIGnosuch', '-3'])
      expect((await daemon.docker('kill', '--signal', signal, id)).stderr).toContain('invalid signal');
    expect((await daemon.docker('inspect', '-f', '{{.State.Running}}', id)).stdout).toBe('true\n');
    await daemon.docker('rm', '-f', id);
  });
});
