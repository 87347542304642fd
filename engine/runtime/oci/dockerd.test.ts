import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launcher, type Ran } from './testing/bench.ts';
import { makeArchive, pathOf, toItsEnd } from './testing/podman.ts';

/** Where the workshop unpacks Docker's daemon. */
const unpacked = resolve('.workshop/tools');
const PATH = `${process.env.PATH}:${unpacked}`;

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'dockerd’s containers are root’s here';
  const missing = ['dockerd', 'containerd'].find((name) => pathOf(name) === '' && !existsSync(join(unpacked, name)));
  const other = missing ?? ['docker', 'runc', 'script'].find((name) => pathOf(name) === '');
  return other === undefined ? undefined : `there is no ${other} here`;
}

const reason = whyNot();
const onlyV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
/** Milliseconds. A session is a dozen containers and commands, of two runtimes, on a machine that others use too. */

/** Docker's own daemon, that knows this runtime as `skiff`, beside runc. */
describe('dockerd --add-runtime', () => {
  const cgroupParent = `/skiff-dockerd-test-${process.pid}`;
  let directory: string;
  let daemon: ChildProcess;
  let log = '';

  const start = (...words: string[]) =>
    spawn(words[0]!, words.slice(1), {
      env: { ...process.env, PATH, DOCKER_HOST: `unix://${directory}/docker.sock` },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  const docker = (...words: string[]): Promise<Ran> => toItsEnd(start('docker', ...words));

  beforeAll(async () => {
    if (reason !== undefined) return;
    directory = mkdtempSync(join(tmpdir(), 'skiff-dockerd-'));
    const archive = makeArchive(directory);
    const places = ['data-root=data', 'exec-root=exec', 'pidfile=pid'].map((place) => {
      const [option, name] = place.split('=') as [string, string];
      return [`--${option}`, join(directory, name)];
    });
    const network = ['--bridge', 'none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'];
    const socket = `unix://${directory}/docker.sock`;
    const own = ['--add-runtime', `skiff=${launcher}`, '--cgroup-parent', cgroupParent];
    // Its mounts are in a namespace that ends with it.
    const alone = ['unshare', '--mount', '--propagation', 'private'];
    daemon = start(...alone, 'dockerd', '-H', socket, ...places.flat(), ...network, ...own);
    await new Promise<void>((ready, fail) => {
      daemon.stderr!.setEncoding('utf8').on('data', (text: string) => {
        log += text;
        if (log.includes('API listen on')) ready();
      });
      daemon.once('exit', () => fail(new Error(`dockerd did not start:\n${log}`)));
    });
    expect(await docker('import', archive, 'box')).toMatchObject({ code: 0 });
  });

  afterAll(async () => {
    if (daemon?.exitCode === null) {
      const left = (await docker('ps', '-aq')).stdout.split('\n').filter(Boolean);
      if (left.length > 0) await docker('rm', '-f', ...left);
      const ended = once(daemon, 'exit');
      daemon.kill();
      await ended;
    }
    if (directory) rmSync(directory, { recursive: true, force: true });
    for (const hierarchy of ['', ...readdirSync('/sys/fs/cgroup')])
      try {
        rmdirSync(join('/sys/fs/cgroup', hierarchy, cgroupParent));
      } catch {
        // No such cgroup in this hierarchy, or no hierarchy.
      }
  });

  beforeEach((context) => {
    if (reason !== undefined) context.skip(reason);
  });

  test('docker run, exec, pause, logs, stop and rm are as with runc', async () => {
    const status = 'grep -E "^(Cap|Seccomp:|NoNewPrivs|Groups)" /proc/self/status';
    const strict = ['--read-only', '--user', '1001', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
    const limits = ['--tmpfs', '/t:mode=700', '--memory', '64m', '--pids-limit', '20', '--hostname', 'named'];
    const inside = `id; ${status}; touch /x; ls -ld /t | cut -c1-10; hostname; cat /sys/fs/cgroup/pids/pids.max`;
    const session = async (runtime: string) => {
      const run = ['run', '--runtime', runtime, '--network', 'none'];
      const name = `one-${runtime}`;
      return [
        await docker(...run, '--rm', 'box', 'sh', '-c', `id; ${status}; exit 7`),
        await docker(...run, '--rm', ...strict, ...limits, 'box', 'sh', '-c', inside),
        (await docker(...run, '--rm', 'box', 'nonesuch')).code,
        (await docker(...run, '-d', '--name', name, 'box', 'sh', '-c', 'echo out; exec sleep 1000')).code,
        await docker(
          'exec',
          '-u',
          '1001',
          '-w',
          '/tmp',
          '-e',
          'A=b',
          name,
          'sh',
          '-c',
          `id; pwd; echo $A; ${status}; exit 9`,
        ),
        (await docker('pause', name)).code,
        (await docker('inspect', '-f', '{{.State.Status}}', name)).stdout,
        (await docker('unpause', name)).code,
        (await docker('logs', name)).stdout,
        (await docker('stop', '-t', '0', name)).code,
        (await docker('inspect', '-f', '{{.State.ExitCode}} {{.HostConfig.Runtime}}', name)).stdout.replace(
          runtime,
          'RUNTIME',
        ),
        (await docker('rm', name)).code,
      ];
    };
    const [ours, theirs] = await Promise.all([session('skiff'), session('runc')]);
    expect(ours).toEqual(theirs);
    expect(ours[0]).toMatchObject({ code: 7, stdout: expect.stringContaining('uid=0') });
    expect(ours.slice(2)).toEqual([
      127,
      0,
      expect.objectContaining({ code: 9 }),
      0,
      'paused\n',
      0,
      'out\n',
      0,
      '137 RUNTIME\n',
      0,
    ]);
  });

  test('docker run -t shows a terminal, which containerd is given before the program runs', async () => {
    const run = ['run', '--rm', '-t', '--runtime', 'skiff', '--network', 'none', 'box', 'sh', '-c', 'tty; exit 5'];
    expect(await docker(...run)).toMatchObject({ code: 5, stdout: '/dev/pts/0\r\n' });
  });

  test.skipIf(onlyV2)('a limit that dockerd passes on is set', async () => {
    const show = 'cat /sys/fs/cgroup/memory/memory.swappiness';
    const run = ['run', '--rm', '--runtime', 'skiff', '--network', 'none', '--memory-swappiness', '10', 'box'];
    expect(await docker(...run, 'sh', '-c', show)).toMatchObject({ code: 0, stdout: '10\n' });
  });
});
