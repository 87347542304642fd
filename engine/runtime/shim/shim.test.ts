import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mountedHierarchies } from '../cgroups/detect.ts';
import { sweepCgroups } from '../cgroups/sweep.ts';
import { descriptorsOf, isAlive } from '../testing/proc.ts';
import { specFor } from '../testing/rootfs.ts';
import { startShim, type TestShim } from '../testing/shim.ts';

const isRoot = process.getuid?.() === 0;

/** Resolves when a process that is not a child of ours has ended. */
async function ended(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.skipIf(!isRoot)('a shim', () => {
  let shim: TestShim;
  beforeAll(async () => {
    shim = await startShim();
  });
  afterAll(() => shim?.close());

  test('is called skiff-shim, leaves its standard streams, and its socket is its user’s alone', () => {
    expect(readFileSync(`/proc/${shim.pid}/comm`, 'utf8')).toBe('skiff-shim\n');
    const { 0: stdin, 1: stdout, 2: stderr } = descriptorsOf(shim.pid);
    expect([stdin, stdout, stderr]).toEqual(['/dev/null', '/dev/null', '/dev/null']);
    expect(statSync(join(shim.directory, 'shim.sock')).mode & 0o777).toBe(0o600);
  });

  test('starts no thread while containers come and go', async () => {
    const before = readdirSync(`/proc/${shim.pid}/task`);
    await Promise.all(Array.from({ length: 4 }, () => shim.run(specFor(shim, ['true']), { stdin: true })));
    expect(readdirSync(`/proc/${shim.pid}/task`)).toEqual(before);
  });

  test('tells what runs and what has ended until it is forgotten, also to a new client', async () => {
    const { key, pid } = await shim.start(specFor(shim, ['sleep', '1000']));
    const { running } = await shim.call('hello', {});
    expect(running).toEqual([{ key, pid, startTime: expect.stringMatching(/^\d+$/) }]);
    expect(running[0]?.startTime).toBe(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]);
    await shim.call('signal', { key, signal: 15, all: false });
    await shim.call('signal', { key, signal: 9 });
    const exited = await shim.exit(key);
    expect((await shim.call('hello', {})).exited).toEqual([expect.objectContaining({ key, status: exited.status })]);
    const file = join(shim.directory, 'run/exits', `${key.container}.json`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      key,
      status: { exitCode: 137 },
    });
    await shim.call('forget', { key });
    await shim.call('forget', { key });
    expect((await shim.call('hello', {})).exited).toEqual([]);
    expect(existsSync(file)).toBe(false);
  });

  test('refuses what the state of a process forbids, and says which', async () => {
    const spec = specFor(shim, ['sleep', '1000']);
    const key = { container: spec.annotations!.container! };
    const kind = (failure: 'conflict' | 'not-found') => ({ failure: { kind: failure } });
    await expect(shim.call('start', { ...key, spec })).rejects.toMatchObject(kind('not-found'));
    await expect(shim.attach(key)).rejects.toMatchObject(kind('not-found'));
    await shim.start(spec);
    const stdio = { terminal: false, stdin: false, stdinOnce: false };
    await expect(shim.call('open', { key, stdio })).rejects.toMatchObject(kind('conflict'));
    await expect(shim.call('start', { ...key, spec })).rejects.toMatchObject(kind('conflict'));
    await expect(shim.call('forget', { key })).rejects.toMatchObject(kind('conflict'));
    await expect(shim.call('shutdown', {})).rejects.toMatchObject(kind('conflict'));
    await shim.call('signal', { key, signal: 9 });
    await shim.exit(key);
    await expect(shim.call('signal', { key, signal: 9 })).rejects.toMatchObject(kind('conflict'));
    expect((await (await shim.attach(key)).ended).stdout).toHaveLength(0);
    await shim.call('forget', { key });
  });

  test('answers nonsense with a failure and goes on', async () => {
    await expect(shim.call('nonsense' as 'hello', {})).rejects.toMatchObject({ failure: { kind: 'failed' } });
    await expect(shim.call('start', null as never)).rejects.toMatchObject({ failure: { kind: 'failed' } });
    for (const greeting of ['nonsense\n', '{"role":"captain"}\n', '{}\n']) {
      const socket = connect(join(shim.directory, 'shim.sock'));
      socket.write(greeting);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(JSON.parse(String(answer))).toMatchObject({ error: { kind: 'failed' } });
      socket.destroy();
    }
    await shim.call('hello', {});
  });
});

describe.skipIf(!isRoot)('when things go wrong', () => {
  test('a shim that is killed takes its containers with it, and a sweep removes their cgroups', async () => {
    const shim = await startShim();
    const pids: number[] = [];
    for (let count = 0; count < 3; count++)
      pids.push(
        (await shim.start(specFor(shim, ['sh', '-c', 'sleep 1000 & wait'], { process: { userSpec: '7:7' } }))).pid,
      );
    const all = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => pids.some((pid) => line.trim().startsWith(String(pid))));
    expect(all).toHaveLength(3);
    const gone = once(shim.process, 'exit');
    process.kill(shim.pid, 'SIGKILL');
    await gone;
    await Promise.all(pids.map(ended));
    expect(sweepCgroups(shim.cgroups)).toBe(true);
    await shim.close();
  });

  test('a shim that is killed at any moment of a start leaves no process', async () => {
    for (const milliseconds of [0, 2, 4, 6, 8, 10, 14, 20]) {
      const shim = await startShim();
      const starts = Array.from({ length: 4 }, (_, index) =>
        shim.start(specFor(shim, ['sleep', '1000'], { process: { userSpec: index % 2 ? 'alice' : '0' } })),
      );
      const outcomes = Promise.allSettled(starts);
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      const gone = once(shim.process, 'exit');
      process.kill(shim.pid, 'SIGKILL');
      await gone;
      await outcomes;
      await Promise.all(processesWithMountsOf(shim.directory).map(ended));
      expect(processesWithMountsOf(shim.directory)).toEqual([]);
      expect(sweepCgroups(shim.cgroups)).toBe(true);
      await shim.close();
    }
  });

  test('a killed shim’s containers end even if their first process has become another user meanwhile', async () => {
    const shim = await startShim();
    // A change of user makes the kernel forget whom the process wanted to die with; the sweep is what is left then.
    const script = 'busybox setuidgid alice sleep 1000';
    const { pid } = await shim.start(specFor(shim, ['sh', '-c', `exec ${script}`]));
    const gone = once(shim.process, 'exit');
    process.kill(shim.pid, 'SIGKILL');
    await gone;
    expect(sweepCgroups(shim.cgroups)).toBe(true);
    await ended(pid);
    await shim.close();
  });

  test('a shim without control connections ends once nothing runs, and leaves the exits in files', async () => {
    const shim = await startShim();
    const { key, pid } = await shim.start(specFor(shim, ['sh', '-c', 'sleep 0.3; exit 6']));
    const gone = once(shim.process, 'exit');
    shim.disconnect();
    expect(isAlive(pid)).toBe(true);
    expect(await gone).toEqual([0, null]);
    const record = readFileSync(join(shim.directory, 'run/exits', `${key.container}.json`), 'utf8');
    expect(JSON.parse(record)).toMatchObject({ key, status: { exitCode: 6, signal: null } });
    expect(existsSync(join(shim.directory, 'shim.sock'))).toBe(false);
    const next = spawnAgain(shim);
    const [line] = (await once(next.stdout!, 'data')) as [Buffer];
    expect(String(line)).toMatch(/^skiff-shim \d+ ready\n$/);
    const hello = await ask(join(shim.directory, 'shim.sock'));
    expect(hello).toMatchObject({ result: { running: [], exited: [{ key, status: { exitCode: 6 } }] } });
    await once(next, 'exit');
    await shim.close();
  });

  test('a shim that ends takes away the parents of its containers’ cgroups', async () => {
    const shim = await startShim();
    await shim.run(specFor(shim, ['true']));
    const directories = () =>
      [...mountedHierarchies().v1, mountedHierarchies().v2]
        .flatMap((hierarchy) => (hierarchy ? [join(hierarchy.mountPoint, shim.cgroups)] : []))
        .filter((directory) => existsSync(directory));
    expect(directories()).not.toEqual([]);
    const gone = once(shim.process, 'exit');
    await shim.call('shutdown', {});
    await gone;
    expect(directories()).toEqual([]);
    await shim.close();
  });

  test('a log that cannot be written does not stop the container', async () => {
    const shim = await startShim();
    const { status, stdout } = await shim.run(specFor(shim, ['seq', '1000']), { logPath: '/dev/full' });
    expect([status.exitCode, stdout.split('\n').length]).toEqual([0, 1001]);
    const missing = join(shim.directory, 'nowhere', 'log');
    await expect(shim.run(specFor(shim, ['true']), { logPath: missing })).rejects.toMatchObject({
      failure: { code: 'ENOENT', message: expect.stringContaining(missing) },
    });
    await shim.close();
  });

  test('a socket path longer than the 107 bytes of its address works', async () => {
    const shim = await startShim();
    const directory = join(shim.directory, 'd'.repeat(120));
    mkdirSync(directory);
    const other = spawnAgain(shim, join(directory, 'shim.sock'), join(directory, 'run'));
    await once(other.stdout!, 'data');
    expect(readdirSync(directory)).toContain('shim.sock');
    const gone = once(other, 'exit');
    other.kill('SIGKILL');
    await gone;
    await shim.close();
  });
});

/** A container has mounts from its shim's directory, until the last step of its end. */
function processesWithMountsOf(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return isAlive(pid) && readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(directory);
      } catch {
        return false;
      }
    });
}

function spawnAgain(shim: TestShim, socket = join(shim.directory, 'shim.sock'), run = join(shim.directory, 'run')) {
  const bundle = join(shim.directory, 'shim.cjs');
  return spawn(process.execPath, ['--single-threaded', '--v8-pool-size=0', bundle, socket, run], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** One request on a connection of its own. */
async function ask(path: string): Promise<unknown> {
  const socket = connect(path);
  socket.write('{"role":"control"}\n{"id":1,"method":"hello","params":{}}\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return JSON.parse(String(answer));
}
