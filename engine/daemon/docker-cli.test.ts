import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

describe.skipIf(missing)(`the stock docker command${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  const docker = (...args: string[]) => daemon.docker(...args);
  const run = (...args: string[]) => daemon.docker('run', '--rm', ...args);

  test('runs a program and hands on its output and exit code', async () => {
    expect(await run('hostbox', 'echo', 'hi')).toEqual({ code: 0, stdout: 'hi\n', stderr: '' });
    expect(await run('hostbox', 'sh', '-c', 'echo no >&2; exit 42')).toEqual({ code: 42, stdout: '', stderr: 'no\n' });
    expect((await docker('ps', '-aq')).stdout).toBe('');
  });

  test('feeds standard input to the program, and its end', async () => {
    const input = 'x'.repeat(300_000);
    expect((await daemon.dockerWithInput(input, 'run', '--rm', '-i', 'hostbox', 'cat')).stdout).toBe(input);
    expect((await daemon.dockerWithInput('a b c', 'run', '--rm', '-i', 'hostbox', 'wc', '-w')).stdout.trim()).toBe('3');
  });

  test('shows every byte of a large output, in order', async () => {
    const { stdout } = await run('hostbox', 'seq', '1', '200000');
    expect(stdout.length).toBe(1_288_895);
    expect(stdout.endsWith('199999\n200000\n')).toBe(true);
  });

  test('filters system calls by Docker’s profile, a file’s, or none, and joined processes alike', async () => {
    const filter = async (...options: string[]) =>
      (await run(...options, 'hostbox', 'grep', 'Seccomp:', '/proc/self/status')).stdout.trim();
    expect(await filter()).toBe('Seccomp:\t2');
    expect(await filter('-u', '1000')).toBe('Seccomp:\t2');
    expect(await filter('--privileged')).toBe('Seccomp:\t0');
    expect(await filter('--security-opt', 'seccomp=unconfined')).toBe('Seccomp:\t0');
    expect((await docker('info', '-f', '{{.SecurityOptions}}')).stdout).toBe('[name=seccomp,profile=builtin]\n');

    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-profile-'));
    try {
      const file = path.join(directory, 'profile.json');
      const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 122 };
      fs.writeFileSync(file, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }, null, 2));
      const profile = ['--security-opt', `seccomp=${file}`];
      expect((await run(...profile, 'hostbox', 'mkdir', '/x')).stderr).toMatch(/quota/i);
      const id = (await docker('run', '-d', ...profile, 'hostbox', 'sleep', '1000')).stdout.trim();
      expect((await docker('exec', id, 'mkdir', '/x')).stderr).toMatch(/quota/i);
      await docker('rm', '-f', id);
      fs.writeFileSync(file, '{"defaultAction":"NO"}');
      const refused = await run(...profile, 'hostbox', 'true');
      expect(refused.code).toBe(125);
      expect(refused.stderr).toMatch(/defaultAction.*NO/);
    } finally {
      fs.rmSync(directory, { recursive: true });
    }
  });

  test('sets environment, directory, user, host name, entrypoint', async () => {
    const script = 'echo $A $HOSTNAME $(hostname) $(pwd) $(id -u):$(id -g) $TERM.';
    const { stdout } = await run(
      ...['-e', 'A=b', '-w', '/usr', '-u', '12:34', '--hostname', 'box', '--entrypoint', 'sh'],
      ...['hostbox', '-c', script],
    );
    expect(stdout).toBe('b box box /usr 12:34 .\n');
  });

  test('limits memory, CPUs and processes', async () => {
    const id = (
      await docker('run', '-d', '--memory', '32m', '--cpus', '0.5', '--pids-limit', '20', 'hostbox', 'sleep', '60')
    ).stdout.trim();
    const pid = (await docker('inspect', '-f', '{{.State.Pid}}', id)).stdout.trim();
    const cgroup = (controller: string, file: string) => {
      const line = fs
        .readFileSync(`/proc/${pid}/cgroup`, 'utf8')
        .split('\n')
        .find((each) => each.split(':')[1]?.split(',').includes(controller));
      const v1 = line && `/sys/fs/cgroup/${line.split(':')[1]}/${line.split(':')[2]}/${file}`;
      return v1 && fs.existsSync(v1) ? fs.readFileSync(v1, 'utf8').trim() : null;
    };
    const v2 = (file: string) => {
      const own = /^0::(.*)$/m.exec(fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
      return fs.readFileSync(`/sys/fs/cgroup${own}/${file}`, 'utf8').trim();
    };
    expect(cgroup('memory', 'memory.limit_in_bytes') ?? v2('memory.max')).toBe(String(32 << 20));
    expect(cgroup('pids', 'pids.max') ?? v2('pids.max')).toBe('20');
    expect(cgroup('cpu', 'cpu.cfs_quota_us') ?? v2('cpu.max').split(' ')[0]).toBe('50000');
    await docker('rm', '-f', id);
  });

  test('tells when a container was killed for its memory', async () => {
    const { code } = await docker('run', '--name', 'oom', '-m', '16m', 'hostbox', 'tail', '-c', '200m', '/dev/zero');
    expect(code).toBe(137);
    expect((await docker('inspect', '-f', '{{.State.OOMKilled}} {{.State.ExitCode}}', 'oom')).stdout).toBe(
      'true 137\n',
    );
    const now = `${Date.now() / 1000 + 1}`;
    const events = await docker(
      'events',
      '--since',
      '1',
      '--until',
      now,
      '-f',
      'container=oom',
      '--format',
      '{{.Action}}',
    );
    expect(events.stdout.trim().split('\n')).toEqual(['create', 'attach', 'start', 'oom', 'die']);
    await docker('rm', 'oom');
  });

  test('gives no network but the loopback, or that of the host', async () => {
    expect((await run('--network', 'none', 'hostbox', 'ls', '/sys/class/net')).stdout).toBe('lo\n');
    expect(
      (await run('--network', 'host', 'hostbox', 'ls', '/sys/class/net')).stdout.trim().split('\n').sort(),
    ).toEqual(fs.readdirSync('/sys/class/net').sort());
  });

  test('binds directories and files, and volumes that stay', async () => {
    const dir = path.join(daemon.root, 'shared');
    fs.mkdirSync(dir);
    fs.writeFileSync(path.join(dir, 'file'), 'from the host');
    expect(
      (await run('-v', `${dir}:/mnt/x`, 'hostbox', 'sh', '-c', 'cat /mnt/x/file; echo back >/mnt/x/new')).stdout,
    ).toBe('from the host');
    expect(fs.readFileSync(path.join(dir, 'new'), 'utf8')).toBe('back\n');
    const readonly = await run('-v', `${dir}:/mnt/x:ro`, 'hostbox', 'touch', '/mnt/x/no');
    expect(readonly.stderr).toContain('Read-only file system');
    expect((await run('-v', `${dir}/file:/a/b/c`, 'hostbox', 'cat', '/a/b/c')).stdout).toBe('from the host');
    await run('-v', 'kept:/data', 'hostbox', 'sh', '-c', 'echo kept >/data/file');
    expect((await run('-v', 'kept:/data', 'hostbox', 'cat', '/data/file')).stdout).toBe('kept\n');
    await run('-v', '/anonymous', 'hostbox', 'true');
    expect(fs.readdirSync(path.join(daemon.root, 'volumes'))).toEqual(['kept']);
  });

  test('a new volume begins with what the image has there, with its owners, and a used one stays what it is', async () => {
    const before = fs.readdirSync(path.join(daemon.root, 'volumes'));
    const dockerfile =
      'FROM hostbox\nRUN mkdir -p /data/sub && echo of the image > /data/sub/file && ln -s sub/file /data/link && ' +
      'chown -R 7:8 /data && chmod 2750 /data && ln -s /data /alias\nVOLUME /data\n';
    expect((await daemon.dockerWithInput(dockerfile, 'build', '-q', '-t', 'with-data', '-')).code).toBe(0);
    const show = "stat -c '%u:%g %a' /data /data/sub/file 2>&1; cat /data/link 2>/dev/null; ls -A /data";
    const whole = '7:8 2750\n7:8 644\nof the image\nlink\nsub\n';
    expect((await run('with-data', 'sh', '-c', show)).stdout).toBe(whole);
    expect((await run('-v', 'fresh:/data', 'with-data', 'sh', '-c', `${show}; rm /data/link`)).stdout).toBe(whole);
    expect((await run('-v', 'fresh:/data', 'with-data', 'ls', '-A', '/data')).stdout).toBe('sub\n');
    expect((await run('-v', 'alias:/alias', 'with-data', 'cat', '/alias/link')).stdout).toBe('of the image\n');
    await daemon.docker('volume', 'create', 'empty');
    expect((await run('-v', 'empty:/data', 'with-data', 'sh', '-c', show)).stdout).toBe(whole);
    expect((await run('-v', 'none:/data:nocopy', 'with-data', 'ls', '-A', '/data')).stdout).toBe('');
    const mount = 'type=volume,src=no,dst=/data,volume-nocopy';
    expect((await run('--mount', mount, 'with-data', 'ls', '-A', '/data')).stdout).toBe('');
    await daemon.docker('volume', 'rm', 'fresh', 'alias', 'empty', 'none', 'no');
    await daemon.docker('rmi', 'with-data');
    expect(fs.readdirSync(path.join(daemon.root, 'volumes'))).toEqual(before);
  });

  test('answers 127, 126 and 125, and leaves nothing of what did not start', async () => {
    const cases: [number, RegExp, ...string[]][] = [
      [127, /executable file not found in \$PATH/, 'hostbox', 'nothing'],
      [127, /no such file or directory/, 'hostbox', '/no/thing'],
      [126, /permission denied/, 'hostbox', '/etc/passwd'],
      [126, /permission denied|is a directory/, 'hostbox', '/etc'],
      [125, /cannot pull .registry 127.0.0.1:1, repository nothing.: .*refused/, '127.0.0.1:1/nothing', 'true'],
      [125, /unable to find user nobody-there/, '-u', 'nobody-there', 'hostbox', 'true'],
      [125, /A link .--link. needs a network/, '--link', 'x', 'hostbox', 'true'],
      [125, /a MAC address .*network mode none/, '--mac-address', '02:42:ac:11:00:02', 'hostbox', 'true'],
      [125, /A published port .--publish.* needs a network/, '-p', '80:80', 'hostbox', 'true'],
      [125, /--network bridge/, '--network', 'bridge', 'hostbox', 'true'],
      [125, /network mine not found/, '--network', 'mine', 'hostbox', 'true'],
    ];
    for (const [code, message, ...args] of cases) {
      const ran = await run(...args);
      expect(ran.code, `${args.join(' ')}: ${ran.stderr}`).toBe(code);
      expect(ran.stderr).toMatch(message);
      expect(ran.stderr).not.toContain('level=error');
    }
    expect((await docker('ps', '-aq')).stdout).toBe('');
    expect(fs.readdirSync(path.join(daemon.root, 'containers'))).toEqual([]);
  });

  test('a start that failed leaves its reason and its exit code', async () => {
    expect((await docker('run', '--name', 'unstarted', 'hostbox', 'nothing')).code).toBe(127);
    const { stdout } = await docker(
      'inspect',
      '-f',
      '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}',
      'unstarted',
    );
    expect(stdout).toMatch(/^created 127 .*not found in \$PATH/);
    await docker('rm', 'unstarted');
  });

  test('follows logs to the end of the container', async () => {
    await docker(
      'run',
      '-d',
      '--name',
      'chatty',
      'hostbox',
      'sh',
      '-c',
      'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done',
    );
    expect((await docker('logs', '-f', 'chatty')).stdout).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n');
    expect((await docker('logs', '--tail', '2', 'chatty')).stdout).toBe('line 4\nline 5\n');
    const stamped = (await docker('logs', '-t', 'chatty')).stdout.split('\n').filter(Boolean);
    expect(stamped[4]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 5$/);
    const third = stamped[2]!.split(' ')[0]!;
    expect((await docker('logs', '--since', third, 'chatty')).stdout).toBe('line 3\nline 4\nline 5\n');
    expect((await docker('logs', '--until', third, 'chatty')).stdout).toBe('line 1\nline 2\nline 3\n');
    await docker('rm', 'chatty');
  });

  test('lists, formats, renames, stops, waits, restarts, prunes', async () => {
    await docker(
      'run',
      '-d',
      '--name',
      'one',
      '--label',
      'team=a',
      'hostbox',
      'sh',
      '-c',
      'trap "exit 9" TERM; while :; do sleep 0.05; done',
    );
    expect((await docker('ps', '--format', '{{.Names}} {{.Image}} {{.Label "team"}} {{.State}}')).stdout).toBe(
      'one hostbox a running\n',
    );
    await docker('rename', 'one', 'two');
    expect((await docker('top', 'two')).stdout).toContain('trap');
    const waiting = docker('wait', 'two');
    expect((await docker('stop', 'two')).stdout).toBe('two\n');
    expect((await waiting).stdout).toBe('9\n');
    expect((await docker('ps', '-a', '--format', '{{.Status}}')).stdout).toMatch(/^Exited \(9\) .* ago\n$/);
    await docker('restart', 'two');
    expect((await docker('inspect', '-f', '{{.State.Running}}', 'two')).stdout).toBe('true\n');
    await docker('kill', 'two');
    expect((await docker('inspect', '-f', '{{.State.ExitCode}}', 'two')).stdout).toBe('137\n');
    expect((await docker('container', 'prune', '-f')).stdout).toContain('Deleted Containers');
    expect((await docker('ps', '-aq')).stdout).toBe('');
  });

  test('joins a running container', async () => {
    await docker('run', '-d', '--name', 'host', '-e', 'A=b', '--hostname', 'inside', 'hostbox', 'sleep', '60');
    expect(await docker('exec', 'host', 'sh', '-c', 'echo $A $(hostname); exit 6')).toEqual({
      code: 6,
      stdout: 'b inside\n',
      stderr: '',
    });
    expect(
      (await docker('exec', '-e', 'A=c', '-u', '5', '-w', '/tmp', 'host', 'sh', '-c', 'echo $A $(id -u) $(pwd)'))
        .stdout,
    ).toBe('c 5 /tmp\n');
    expect((await daemon.dockerWithInput('typed', 'exec', '-i', 'host', 'cat')).stdout).toBe('typed');
    expect((await docker('exec', 'host', 'nothing')).code).toBe(127);
    expect((await docker('exec', 'host', '/etc/passwd')).code).toBe(126);
    expect((await docker('exec', '-d', 'host', 'touch', '/made')).code).toBe(0);
    await expect.poll(async () => (await docker('exec', 'host', 'ls', '/made')).code).toBe(0);
    await docker('rm', '-f', 'host');
    expect((await docker('exec', 'host', 'true')).stderr).toContain('No such container: host');
  });

  test('shows events as they happen', async () => {
    const child = spawn('docker', [
      '-H',
      `unix://${daemon.socket}`,
      'events',
      '--filter',
      'container=seen',
      '--format',
      '{{.Action}}',
    ]);
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    await expect.poll(async () => (await daemon.get('/info')).json.NEventsListener).toBeGreaterThan(0);
    await docker('run', '--name', 'seen', '--rm', 'hostbox', 'true');
    await expect.poll(() => output).toBe('create\nattach\nstart\ndie\ndestroy\n');
    child.kill();
    await once(child, 'exit');
  });

  describe.skipIf(!fs.existsSync('/usr/bin/script'))('on a terminal', () => {
    /** docker on a pseudo-terminal of script(1), with what is typed once its output has that. */
    async function onTerminal(
      args: string[],
      steps: [seen: string, typed: string][],
    ): Promise<{ code: number; output: string }> {
      const command = ['docker', '-H', `unix://${daemon.socket}`, ...args].map((arg) => `'${arg}'`).join(' ');
      const child = spawn('script', ['-qefc', command, '/dev/null'], {
        env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' },
      });
      let output = '';
      let from = 0;
      const rest = [...steps];
      child.stdout.on('data', (data: Buffer) => {
        output += data.toString();
        const next = rest[0];
        if (next && output.slice(from).includes(next[0])) {
          from = output.length;
          rest.shift();
          child.stdin.write(next[1]);
        }
      });
      const [code] = await once(child, 'close');
      return { code: Number(code), output };
    }

    test('a shell has a terminal, and its end is ours', async () => {
      const { code, output } = await onTerminal(
        ['run', '--rm', '-it', '-e', 'PS1=ready> ', 'hostbox', 'sh'],
        [
          ['ready> ', 'tty; echo $TERM\n'],
          ['xterm\r\nready> ', 'exit 5\n'],
        ],
      );
      expect(output).toContain('/dev/pts/0');
      expect(code).toBe(5);
    });

    test('the detach keys leave a container running, and one can come back', async () => {
      const left = await onTerminal(
        ['run', '--name', 'kept', '-it', '-e', 'PS1=ready> ', 'hostbox', 'sh'],
        [
          ['ready> ', 'X=remembered\n'],
          ['ready> ', '\x10\x11'],
        ],
      );
      expect(left.output).not.toContain('error');
      expect((await docker('inspect', '-f', '{{.State.Running}}', 'kept')).stdout).toBe('true\n');
      const attached = onTerminal(
        ['attach', 'kept'],
        [
          ['ready> ', 'echo $X\n'],
          ['remembered\r\nready> ', 'exit 3\n'],
        ],
      );
      expect((await attached).code).toBe(3);
      await docker('rm', 'kept');
    });

    test('exec has a terminal of its own', async () => {
      await docker('run', '-d', '--name', 'host2', 'hostbox', 'sleep', '60');
      const { code } = await onTerminal(
        ['exec', '-it', '-e', 'PS1=ready> ', 'host2', 'sh'],
        [
          ['ready> ', 'tty\n'],
          ['/dev/pts/0\r\nready> ', 'exit 8\n'],
        ],
      );
      expect(code).toBe(8);
      await docker('rm', '-f', 'host2');
    });
  });

  test('what a container leaves on the host while it runs is its directory and its cgroup, and then nothing', async () => {
    const before = execFileSync('sh', ['-c', 'cat /proc/mounts']).toString();
    const id = (await docker('run', '-d', 'hostbox', 'sleep', '60')).stdout.trim();
    expect(execFileSync('sh', ['-c', 'cat /proc/mounts']).toString()).toBe(before);
    expect(fs.readdirSync(path.join(daemon.root, 'containers'))).toEqual([id]);
    await docker('rm', '-f', id);
    expect(fs.readdirSync(path.join(daemon.root, 'containers'))).toEqual([]);
    expect(fs.readdirSync(path.join(daemon.root, 'merged'))).toEqual([]);
  });
});
