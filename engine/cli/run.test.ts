import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endDaemon } from './testing/daemon-process.ts';
import { TestEngine } from './testing/engine.ts';
import { bundle, plainEnv } from './testing/ran.ts';
import { canRunContainers } from './testing/tools.ts';

let engine: TestEngine;

beforeAll(async () => {
  if (canRunContainers) engine = await TestEngine.start();
});

afterEach(async () => {
  await engine?.removeContainers();
});

afterAll(async () => {
  await engine?.destroy();
});

const RUN = ['run', '--rm', '--network', 'none'];

function skiff(...args: string[]): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const child = spawn(process.execPath, ['--', bundle, '--root', engine.root, ...args], {
    env: plainEnv(),
    stdio: 'pipe',
  });
  child.stdin.on('error', () => {});
  return child;
}

/** Resolves once the child's output has `text`; its output goes on being read. */
function said(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let all = '';
    child.stdout?.on('data', (chunk) => {
      all = (all + chunk).slice(-1000);
      if (all.includes(text)) resolve();
    });
    child.on('close', () => reject(new Error(`it ended without "${text}", after: ${all}`)));
  });
}

describe.skipIf(!canRunContainers)('run', () => {
  test('keeps the two outputs apart and answers with the exit code', async () => {
    const ran = await engine.skiff([...RUN, 'hostbox', 'sh', '-c', 'echo out; echo err >&2; exit 42']);
    expect(ran).toEqual({ code: 42, signal: null, stdout: 'out\n', stderr: 'err\n' });
    expect(await engine.containers()).toEqual([]);
  });

  test('sends the seccomp profile that is in a file', async () => {
    const file = path.join(engine.root, 'profile.json');
    const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 122 };
    fs.writeFileSync(file, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }, null, 2));
    const ran = await engine.skiff([...RUN, '--security-opt', `seccomp=${file}`, 'hostbox', 'mkdir', '/x']);
    expect(ran.stderr).toMatch(/quota/i);
    const absent = await engine.skiff([...RUN, '--security-opt', 'seccomp=/absent.json', 'hostbox', 'true']);
    expect(absent.code).toBe(125);
    expect(absent.stderr).toContain('opening seccomp profile (/absent.json) failed');
  });

  test('gives the container what the options say', async () => {
    const options = [
      '-e',
      'A=1',
      '-w',
      '/tmp',
      '-u',
      '1:2',
      '-h',
      'box',
      '--entrypoint',
      'sh',
      '--tmpfs',
      '/t:size=1m',
    ];
    const script = 'echo $A $PWD $(id -u):$(id -g) $(hostname); grep -c " /t tmpfs" /proc/mounts; touch /x';
    const ran = await engine.skiff([...RUN, '--read-only', ...options, 'hostbox', '-c', script]);
    expect(ran.stdout).toBe('1 /tmp 1:2 box\n1\n');
    expect(ran.stderr).toContain('/x');
    expect(ran.code).toBe(1);
  });

  test('says what the daemon refuses in the daemon’s sentence, and leaves nothing', async () => {
    const unknown = await engine.skiff([...RUN, 'no-such-image', 'true']);
    expect(unknown.code).toBe(125);
    expect(unknown.stderr).toContain("Unable to find image 'no-such-image:latest' locally");
    expect(await engine.skiff([...RUN, 'hostbox', 'no-such-program'])).toMatchObject({ code: 127 });
    expect(await engine.skiff([...RUN, 'hostbox', '/etc'])).toMatchObject({ code: 126 });
    expect(await engine.containers()).toEqual([]);
  });

  test('writes the container’s id to a file that must not be there', async () => {
    const file = path.join(engine.root, 'cid');
    const first = await engine.skiff(['run', '-d', '--network', 'none', '--cidfile', file, 'hostbox', 'sleep', '100']);
    expect(`${fs.readFileSync(file, 'utf8')}\n`).toBe(first.stdout);
    const second = await engine.skiff([...RUN, '--cidfile', file, 'hostbox', 'true']);
    expect(second.code).toBe(125);
    expect(second.stderr).toContain(`delete ${file}`);
  });

  test('passes bytes through unchanged, in both directions at once', async () => {
    const input = randomBytes(8 * 1024 * 1024);
    const child = skiff(...RUN, '-i', 'hostbox', 'cat');
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stdin?.end(input);
    expect((await once(child, 'close'))[0]).toBe(0);
    expect(Buffer.concat(chunks).equals(input)).toBe(true);
  });

  test('closes standard input and still takes the output (half-close)', async () => {
    const script = 'n=$(wc -c); sleep 0.3; echo $n bytes';
    const ran = await engine.skiff([...RUN, '-i', 'hostbox', 'sh', '-c', script], { input: 'hello' });
    expect(ran).toMatchObject({ code: 0, stdout: '5 bytes\n' });
  });

  test('needs no memory for a huge output that is not read yet', async () => {
    await engine.skiff(['run', '-d', '--name', 'source', '--network', 'none', 'hostbox', 'sleep', '1000']);
    // By exec, for there the daemon keeps no log.
    const child = skiff('exec', 'source', 'head', '-c', '300000000', '/dev/zero');
    await once(child.stdout, 'readable');
    const resident = (): number =>
      Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
    let bytes = 0;
    let peak = 0;
    for await (const chunk of child.stdout) {
      bytes += chunk.length;
      if (bytes < 200_000_000) peak = resident();
    }
    expect(bytes).toBe(300_000_000);
    expect(peak).toBeGreaterThan(20);
    expect(peak).toBeLessThan(200);
  });

  test('ends quietly when the reader of its output goes away', async () => {
    const child = skiff('run', '--network', 'none', 'hostbox', 'sh', '-c', 'while echo y; do sleep 0.01; done');
    let errors = '';
    child.stderr?.on('data', (chunk) => {
      errors += chunk;
    });
    await said(child, 'y\n');
    (child.stdout as unknown as { destroy(): void }).destroy();
    const [code] = await once(child, 'exit');
    expect(code).toBe(141);
    expect(errors).toBe('');
  });

  test('hands signals on to the container', async () => {
    const child = skiff(
      ...RUN,
      'hostbox',
      'sh',
      '-c',
      'trap "echo got; exit 5" USR1; echo ready; while :; do sleep 0.1; done',
    );
    await said(child, 'ready');
    child.kill('SIGUSR1');
    expect((await once(child, 'exit'))[0]).toBe(5);
  });

  test('ends itself at the third SIGTERM that the container ignores', async () => {
    const child = skiff('run', '--network', 'none', 'hostbox', 'sh', '-c', 'trap "" TERM; echo ready; exec sleep 100');
    await said(child, 'ready');
    const ended = once(child, 'exit');
    for (let sent = 0; sent < 3; sent += 1) {
      child.kill('SIGTERM');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect((await ended)[0]).toBe(1);
    expect((await engine.skiff(['ps', '-q'])).stdout).not.toBe('');
  });

  test('says so when the daemon dies, and the container lives on', async () => {
    const child = skiff(
      'run',
      '--name',
      'survivor',
      '--network',
      'none',
      'hostbox',
      'sh',
      '-c',
      'echo ready; exec sleep 100',
    );
    let errors = '';
    child.stderr?.on('data', (chunk) => {
      errors += chunk;
    });
    await said(child, 'ready');
    const ended = once(child, 'close');
    await endDaemon(engine.root, 'SIGKILL');
    expect((await ended)[0]).toBe(125);
    expect(errors).toContain('The daemon went away');
    await engine.stopDaemon();
    await engine.startDaemon();
    expect(await engine.containers()).toEqual(['survivor']);
  });
});
