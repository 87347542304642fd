import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { daemonOf, endDaemon } from './testing/daemon-process.ts';
import { bundle, plainEnv, run, runSkiff } from './testing/ran.ts';
import { canRunContainers } from './testing/tools.ts';

let root: string;
let socket: string;

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-autostart-'));
  socket = path.join(root, 'run', 'skiff.sock');
});

afterEach(async () => {
  await endDaemon(root, 'SIGTERM');
  fs.rmSync(root, { recursive: true, force: true });
});

// Should a test fail half-way, its daemon goes by itself.
const env = (): NodeJS.ProcessEnv => plainEnv({ SKIFF_IDLE_EXIT: '30' });
const skiff = (...args: string[]) => runSkiff(['--root', root, ...args], { env: env() });

describe.skipIf(!canRunContainers)('the daemon on demand', () => {
  test('is started once, however many ask at the same time', async () => {
    const asked = Array.from({ length: 8 }, (_, at) =>
      skiff('run', '--rm', '--network', 'none', 'hostbox', 'echo', `hello ${at}`),
    );
    const ran = await Promise.all(asked);
    expect(ran.map(({ code, stdout, stderr }) => [code, stdout, stderr])).toEqual(
      ran.map((_, at) => [0, `hello ${at}\n`, '']),
    );
    // A second daemon would have found the root taken and said so.
    expect(fs.readFileSync(path.join(root, 'run', 'daemon.log'), 'utf8')).toBe('');
  });

  test('serves the commands after the one that started it', async () => {
    await skiff('ping');
    const first = daemonOf(root);
    expect(first).toBeGreaterThan(1);
    expect(await skiff('ps', '-q')).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
    expect(daemonOf(root)).toBe(first);
  });

  test('is stopped by its own command, which says when there is none', async () => {
    await skiff('ping');
    const pid = daemonOf(root);
    expect((await skiff('daemon', 'stop')).stdout).toBe(`Stopped the daemon of ${root} (process ${pid}).\n`);
    expect(daemonOf(root)).not.toBe(pid);
    expect((await skiff('daemon', 'stop')).stdout).toBe(`No daemon runs for ${root}.\n`);
    expect((await skiff('daemon', 'start')).stderr).toContain("There is no 'skiff daemon start'");
  });

  test('is started again when it was killed and its socket still lies there', async () => {
    await skiff('ping');
    await endDaemon(root, 'SIGKILL');
    expect(fs.existsSync(socket)).toBe(true);
    expect(await skiff('ping')).toEqual({ code: 0, signal: null, stdout: 'OK\n', stderr: '' });
  });

  test('is started by the next when the one that was starting it is killed', async () => {
    const first = spawn(process.execPath, ['--', bundle, '--root', root, 'ping'], { env: env(), stdio: 'ignore' });
    const run = path.join(root, 'run');
    fs.mkdirSync(run);
    const watcher = fs.watch(run);
    await once(watcher, 'change');
    watcher.close();
    const second = skiff('ping');
    first.kill('SIGKILL');
    expect(await second).toMatchObject({ code: 0, stdout: 'OK\n' });
  });

  test('listens where a socket’s path is longer than the kernel’s 107 bytes', async () => {
    const short = root;
    root = path.join(short, 'x'.repeat(60), 'y'.repeat(60));
    try {
      expect(Buffer.byteLength(path.join(root, 'run', 'skiff.sock'))).toBeGreaterThan(107);
      const ran = await skiff('run', '--rm', '--network', 'none', 'hostbox', 'echo', 'far');
      expect(ran).toMatchObject({ code: 0, stdout: 'far\n', stderr: '' });
      await endDaemon(root, 'SIGTERM');
    } finally {
      root = short;
    }
  });

  test('is waited for when it is just about to end', async () => {
    await skiff('ping');
    const before = daemonOf(root) as number;
    process.kill(before, 'SIGTERM');
    expect(await skiff('ping')).toMatchObject({ code: 0, stdout: 'OK\n', stderr: '' });
    expect(await skiff('ping')).toMatchObject({ code: 0, stdout: 'OK\n', stderr: '' });
  });
});

describe('a daemon that cannot be reached or started', () => {
  test('is told with its own words', async () => {
    fs.writeFileSync(path.join(root, 'images'), 'not a directory');
    const { code, stderr } = await skiff('ping');
    expect(code).toBe(125);
    expect(stderr).toContain('The daemon did not start: it ended with exit code 1.');
    expect(stderr).toMatch(/daemon\.log, ends with:\n.*EEXIST.*images/);
  });

  test('is never started for a socket that was named without its root', async () => {
    const { code, stderr } = await runSkiff(['-H', `unix://${socket}`, 'ping'], { env: env() });
    expect(code).toBe(1);
    expect(stderr).toBe(`Cannot connect to the skiff daemon at unix://${socket}. Is it running?\n`);
    expect(fs.existsSync(path.dirname(socket))).toBe(false);
  });

  test('is told when its root cannot be made', async () => {
    const { code, stderr } = await runSkiff(['--root', '/proc/no/such', 'ping'], { env: env() });
    expect(code).toBe(125);
    expect(stderr).toContain('which cannot be made');
    expect(stderr).toContain('--root or SKIFF_ROOT');
  });

  test('is told when it is not built', async () => {
    const alone = path.join(root, 'skiff.cjs');
    fs.copyFileSync(bundle, alone);
    const { code, stderr } = await run(process.execPath, ['--', alone, '--root', root, 'ping'], { env: env() });
    expect(code).toBe(125);
    expect(stderr).toContain(`there is no ${path.join(root, 'daemon.cjs')}`);
  });
});
