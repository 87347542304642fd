import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { initProgram } from '../runtime/init-program.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

describe.skipIf(missing)('docker run --init', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  const run = (...args: string[]) => daemon.docker('run', '--init', '--network', 'none', ...args);

  test('ends as the program does', async () => {
    const code = async (...args: string[]) => (await run('--rm', 'hostbox', ...args)).code;
    expect(await code('sh', '-c', 'exit 7')).toBe(7);
    expect(await code('sh', '-c', 'kill -9 $$')).toBe(137);
    expect(await code('no-such-program')).toBe(127);
    expect(await code('/etc')).toBe(126);
    // Root may execute it, and this user may not: the init finds out.
    const secret = 'cp /bin/true /tmp/x; chmod 700 /tmp/x; echo made';
    const { stdout } = await run('-d', 'hostbox', 'sh', '-c', `${secret}; exec sleep 1000`);
    await expect.poll(async () => (await daemon.docker('logs', stdout.trim())).stdout).toBe('made\n');
    const image = (await daemon.docker('commit', stdout.trim())).stdout.trim();
    await daemon.docker('rm', '-f', stdout.trim());
    expect((await run('--rm', '-u', '1000', image, '/tmp/x')).code).toBe(126);
  });

  test('is process 1, which reaps what its parent has left', async () => {
    const orphans =
      'for i in 1 2 3 4 5; do (sleep 0.1 & exec true); done; cat /proc/1/comm; sleep 0.5; ls -d /proc/[0-9]*';
    const { stdout } = await run('--rm', 'hostbox', 'sh', '-c', `${orphans} | wc -l`);
    // Process 1, the shell, its pipe's two ends and the listing: no zombie of the five.
    expect(stdout).toMatch(/^docker-init\n[1-5]\n$/);
  });

  test('hands signals on, also those that would end a process 1 of no use', async () => {
    const script =
      'trap "echo hung up" HUP; trap "echo terminated; exit 3" TERM; echo ready; while :; do sleep 0.1; done';
    const id = (await run('-d', 'hostbox', 'sh', '-c', script)).stdout.trim();
    const logs = async () => (await daemon.docker('logs', id)).stdout;
    await expect.poll(logs).toContain('ready');
    await daemon.docker('kill', '-s', 'HUP', id);
    await expect.poll(logs).toContain('hung up');
    await daemon.docker('stop', id);
    expect(await logs()).toBe('ready\nhung up\nterminated\n');
    expect((await daemon.docker('inspect', '-f', '{{.State.ExitCode}} {{.HostConfig.Init}}', id)).stdout).toBe(
      '3 true\n',
    );
    const idle = (await run('-d', 'hostbox', 'sleep', '1000')).stdout.trim();
    await daemon.docker('stop', idle);
    expect((await daemon.docker('inspect', '-f', '{{.State.ExitCode}}', idle)).stdout).toBe('143\n');
  });

  test('needs nothing of the image, changes nothing in it, and leads the terminal', async () => {
    const { stdout } = await run(
      '--name',
      'quiet',
      '-u',
      '1000',
      '--read-only',
      '--cap-drop',
      'ALL',
      'hostbox',
      'id',
      '-u',
    );
    expect(stdout).toBe('1000\n');
    expect((await daemon.docker('diff', 'quiet')).stdout).toBe('');
    // Process group and foreground group, of proc_pid_stat(5).
    const groups = (await run('--rm', '-t', 'hostbox', 'sh', '-c', 'cut -d " " -f 5,8 /proc/self/stat')).stdout.trim();
    expect(groups).toMatch(/^(\d+) \1$/);
    const id = (await run('-d', 'hostbox', 'sleep', '1000')).stdout.trim();
    expect((await daemon.docker('exec', id, 'cat', '/proc/1/comm')).stdout).toBe('docker-init\n');
    expect((await daemon.docker('top', id)).stdout).toMatch(/docker-init +-- \S*sleep 1000/);
  });
});

test('the init is a static program of each architecture, and of no other', async () => {
  for (const architecture of ['x64', 'arm64']) {
    const program = initProgram(architecture);
    expect(program.toString('latin1', 0, 4)).toBe('\x7fELF');
    expect(program.length).toBeLessThan(1024);
  }
  expect(() => initProgram('mips')).toThrow(/no init for mips/);
});
