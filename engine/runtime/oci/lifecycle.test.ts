import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cgroupVersion, mountedHierarchies } from '../cgroups/detect.ts';
import { isAlive, statusOf } from '../testing/proc.ts';
import { type Bench, type LooseConfig, launcher, openBench, schemaErrors } from './testing/bench.ts';

function sleeps(config: LooseConfig): void {
  config.process.args = ['sleep', '1000'];
}

describe.skipIf(process.getuid?.() !== 0)('a container by the runtime command line', () => {
  let bench: Bench;
  beforeAll(() => {
    bench = openBench();
  });
  afterAll(() => bench?.close());

  test('it is created, waits, runs when started, ends, and is deleted', () => {
    const id = bench.newId();
    const bundle = bench.bundle((config) => {
      config.process.args = ['sleep', '1000'];
      config.annotations = { a: 'b' };
    });
    const pidFile = join(bench.directory, 'pid');
    expect(bench.run('create', '--bundle', bundle, '--pid-file', pidFile, id)).toMatchObject({ code: 0, stderr: '' });
    const created = JSON.parse(bench.run('state', id).stdout);
    expect(created).toMatchObject({ id, status: 'created', bundle, annotations: { a: 'b' } });
    expect(schemaErrors('state-schema.json', created)).toBeNull();
    expect(readFileSync(pidFile, 'utf8')).toBe(String(created.pid));
    expect(statusOf(created.pid).Name).not.toBe('sleep');

    expect(bench.run('delete', id)).toMatchObject({ code: 1 });
    expect(bench.run('start', id)).toMatchObject({ code: 0, stderr: '' });
    expect(statusOf(created.pid)).toMatchObject({ Name: 'sleep', CapAmb: '0000000000000000', NoNewPrivs: '1' });
    expect(bench.stateOf(id)).toMatchObject({ status: 'running', pid: created.pid });
    expect(bench.run('start', id).stderr).toMatch(/already running/);
    expect(JSON.parse(bench.run('ps', '--format', 'json', id).stdout)).toEqual([created.pid]);
    expect(JSON.parse(bench.run('list', '--format', 'json').stdout)).toEqual([
      expect.objectContaining({ id, status: 'running' }),
    ]);

    expect(bench.run('pause', id).code).toBe(0);
    expect(bench.stateOf(id).status).toBe('paused');
    expect(bench.run('exec', id, 'true').stderr).toMatch(/paused/);
    expect(bench.run('resume', id).code).toBe(0);

    expect(bench.run('kill', id, 'KILL').code).toBe(0);
    expect(bench.run('delete', '--force', id).code).toBe(0);
    expect(isAlive(created.pid)).toBe(false);
    expect(bench.run('state', id)).toMatchObject({ code: 1, stderr: expect.stringMatching(/does not exist/) });
    expect(readdirSync(bench.state)).toEqual([]);
  });

  test('features and the bundle that spec writes are what the schemas say', () => {
    const features = JSON.parse(bench.run('features').stdout);
    expect(schemaErrors('features-schema.json', features)).toBeNull();
    const directory = bench.bundle();
    rmSync(join(directory, 'config.json'));
    expect(bench.run('spec', '--bundle', directory).code).toBe(0);
    const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'));
    expect(schemaErrors('config-schema.json', config)).toBeNull();
    // As runc's, to which callers add one on version 1.
    const types = config.linux.namespaces.map(({ type }: { type: string }) => type);
    expect(types.includes('cgroup')).toBe(cgroupVersion(mountedHierarchies()) === 2);
  });

  test('the same bundle prints the same and ends the same as with runc', (context) => {
    const { stdout } = spawnSync('sh', ['-c', 'command -v runc'], { encoding: 'utf8' });
    const runc = stdout.trim();
    if (runc === '') context.skip('runc is not installed');
    const scripts = [
      'id; pwd; umask; env | sort; hostname',
      'grep -E "^(Cap|NoNewPrivs|Seccomp:|Groups)" /proc/self/status; ulimit -n; cat /proc/self/oom_score_adj',
      'exit 7',
      'kill -9 $$',
      'cat',
      // runc makes a link to /proc/kcore, where the kernel has it, and masks what that leads to.
      'ls -l /dev | grep -v kcore | sed "s/ [A-Z][a-z][a-z] .* / /"; ls /sys/firmware /proc/acpi; cat /proc/kcore | head -c1; echo x > /proc/sys/kernel/domainname',
      'touch /x && echo written',
      'grep -c . /proc/self/mountinfo >/dev/null; ls /sys/fs/cgroup | grep -E "memory|pids|cpu$|devices|freezer"',
    ];
    for (const script of scripts) {
      const bundle = bench.bundle((config) => {
        config.process.args = ['sh', '-c', script];
        config.process.user = { uid: 1001, gid: 1002, additionalGids: [10, 29], umask: 0o27 };
        config.process.env = ['PATH=/bin', 'HOME=/', 'A=b c'];
        config.process.oomScoreAdj = 500;
        config.root.readonly = true;
        config.process.capabilities = {
          bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW'],
          permitted: ['CAP_CHOWN', 'CAP_KILL'],
          effective: ['CAP_CHOWN'],
          inheritable: ['CAP_KILL'],
          ambient: ['CAP_KILL'],
        };
        config.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }],
        };
      });
      const [theirs, ours] = [runc, launcher].map((runtime) =>
        bench.runWith({ input: 'typed\n', runtime }, 'run', '--bundle', bundle, bench.newId()),
      );
      expect(ours, script).toEqual(theirs);
    }
  });

  test('exec joins: its own user, environment, directory and exit code', () => {
    const id = bench.newId();
    bench.run('create', '--bundle', bench.bundle(sleeps), id);
    bench.run('start', id);
    expect(
      bench.run(
        'exec',
        '--user',
        '1001:1002',
        '--cwd',
        '/tmp',
        '--env',
        'A=b',
        id,
        'sh',
        '-c',
        'id -u; pwd; echo $A; exit 9',
      ),
    ).toEqual({
      code: 9,
      stdout: '1001\n/tmp\nb\n',
      stderr: '',
    });
    expect(bench.runWith({ input: 'in' }, 'exec', id, 'cat').stdout).toBe('in');
    expect(bench.run('exec', id, 'nonesuch')).toMatchObject({
      code: 255,
      stderr: expect.stringMatching(/executable file not found in \$PATH/),
    });
    const process = join(bench.directory, 'process.json');
    const pidFile = join(bench.directory, 'exec-pid');
    writeFileSync(
      process,
      JSON.stringify({ args: ['sleep', '500'], cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } }),
    );
    expect(bench.run('exec', '--process', process, '--detach', '--pid-file', pidFile, id).code).toBe(0);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    // The command that started it has ended, and it has not.
    expect(statusOf(pid).Name).toBe('sleep');
    expect(JSON.parse(bench.run('ps', '--format', 'json', id).stdout)).toContain(pid);
    bench.run('delete', '--force', id);
    expect(isAlive(pid)).toBe(false);
  });

  test('descriptors that are to be preserved are the program’s, and no others', () => {
    const bundle = bench.bundle((config) => {
      config.process.args = ['sh', '-c', 'cat <&3; ls /proc/self/fd'];
    });
    const file = join(bench.directory, 'three');
    writeFileSync(file, 'from three\n');
    const script = `exec 3<${file} 4<${file} 5<${file}; exec "$0" --root ${bench.state} run --preserve-fds 2 --bundle ${bundle} ${bench.newId()}`;
    const direct = spawnSync('/bin/sh', ['-c', script, launcher], { encoding: 'utf8' }).stdout;
    expect(direct.split('\n').slice(0, 6)).toEqual(['from three', '0', '1', '2', '3', '4']);
    expect(direct).not.toMatch(/^[67]$/m);
  });

  test('a terminal is offered at the console socket, which a terminal needs', async () => {
    const id = bench.newId();
    const socket = join(bench.directory, 'console.sock');
    const bundle = bench.bundle((config) => {
      config.process.terminal = true;
      config.process.args = ['sleep', '1000'];
    });
    expect(bench.run('create', '--bundle', bundle, id).stderr).toMatch(/without setting console socket/);
    let received = '';
    const server = createServer((connection) =>
      connection.on('data', (data) => {
        received += data.toString();
      }),
    );
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const create = spawn(launcher, [
      '--root',
      bench.state,
      'create',
      '--bundle',
      bundle,
      '--console-socket',
      socket,
      id,
    ]);
    const code = await new Promise((resolve) => create.on('exit', resolve));
    expect(code).toBe(0);
    expect(received).toBe('/dev/ptmx');
    bench.run('delete', '--force', id);
    await new Promise((resolve) => server.close(resolve));
  });

  test('a create that is killed at any moment leaves nothing that delete --force does not remove', async () => {
    for (let milliseconds = 60; milliseconds < 700; milliseconds += 70) {
      const id = bench.newId();
      let cgroupsPath = '';
      const bundle = bench.bundle((config) => {
        config.process.args = ['sleep', '1000'];
        cgroupsPath = config.linux.cgroupsPath!;
      });
      const create = spawn(
        'node',
        [
          '--single-threaded',
          '--v8-pool-size=0',
          join('.build', 'default', 'runtime.cjs'),
          '--root',
          bench.state,
          'create',
          '--bundle',
          bundle,
          id,
        ],
        { stdio: 'ignore' },
      );
      const timer = setTimeout(() => create.kill('SIGKILL'), milliseconds);
      await new Promise((resolve) => create.on('exit', resolve));
      clearTimeout(timer);
      const known = existsSync(join(bench.state, id, 'state.json')) ? bench.stateOf(id) : null;
      expect(bench.run('delete', '--force', id)).toMatchObject({ code: 0, stderr: '' });
      if (known?.pid) expect(isAlive(known.pid)).toBe(false);
      const { v1, v2 } = mountedHierarchies();
      for (const { mountPoint } of [...v1, ...(v2 ? [v2] : [])])
        expect(existsSync(join(mountPoint, cgroupsPath))).toBe(false);
      expect(existsSync(bench.state) ? readdirSync(bench.state) : []).toEqual([]);
    }
  });
});
