import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cgroupsOf, childrenOf, descriptorsOf, namespaceOf, statusOf } from './testing/proc.ts';
import { specFor } from './testing/rootfs.ts';
import { startShim, type TestShim } from './testing/shim.ts';

describe.skipIf(process.getuid?.() !== 0)('a process that joins a container', () => {
  let shim: TestShim;
  let container: string;
  let pid: number;
  beforeAll(async () => {
    shim = await startShim();
    const started = await shim.start(specFor(shim, ['sleep', '1000']));
    container = started.key.container;
    pid = started.pid;
  });
  afterAll(() => shim?.close());

  const launch = async (args: string[]) => {
    const key = { container, exec: shim.newName() };
    await shim.call('open', { key, stdio: { terminal: false, stdin: false, stdinOnce: false } });
    const process = { cwd: '/', env: ['PATH=/bin'], args, user: { uid: 0, gid: 0 } };
    return { key, ...(await shim.call('exec', { ...key, process })) };
  };

  test('is in all of its namespaces and its cgroup, and a child of the shim', async () => {
    const joined = await launch(['sleep', '1000']);
    for (const name of ['pid', 'net', 'mnt', 'ipc', 'uts', 'cgroup'])
      expect(namespaceOf(joined.pid, name)).toBe(namespaceOf(pid, name));
    expect(cgroupsOf(joined.pid)).toEqual(cgroupsOf(pid));
    expect(statusOf(joined.pid).PPid).toBe(String(shim.pid));
    expect(Object.keys(descriptorsOf(joined.pid))).toEqual(['0', '1', '2']);
    await shim.call('signal', { key: joined.key, signal: 15 });
    expect((await shim.exit(joined.key)).status).toEqual({ exitCode: 143, signal: 'SIGTERM' });
  });

  test('the shim itself stays where it was, also for its next children', async () => {
    expect(namespaceOf(shim.pid, 'pid')).toBe(namespaceOf('self', 'pid'));
    expect(namespaceOf(shim.pid, 'pid_for_children')).toBe(namespaceOf('self', 'pid_for_children'));
  });

  test('has its own user, environment, working directory and exit code', async () => {
    const { stdout, status } = await shim.exec(container, {
      args: ['sh', '-c', 'id -u; pwd; echo $COLOUR; exit 7'],
      env: ['PATH=/bin', 'COLOUR=blue'],
      cwd: '/tmp',
      user: { uid: 0, gid: 0 },
      userSpec: 'alice',
    });
    expect(stdout).toBe('1001\n/tmp\nblue\n');
    expect(status).toEqual({ exitCode: 7, signal: null });
  });

  test('has no capability that it was not given', async () => {
    const none = await shim.exec(container, { args: ['grep', 'CapBnd', '/proc/self/status'] });
    expect(none.stdout).toBe('CapBnd:\t0000000000000000\n');
  });

  test('sees the other processes of the container and none of the host', async () => {
    const { stdout } = await shim.exec(container, { args: ['ls', '/proc'] });
    const pids = stdout.split('\n').filter((name) => /^\d+$/.test(name));
    expect(pids).toContain('1');
    expect(pids).toHaveLength(2);
  });

  test('a program that is not there is 127, and no process is left of the try', async () => {
    const before = childrenOf(shim.pid);
    await expect(launch(['nosuchprogram'])).rejects.toMatchObject({ failure: { step: 'execve', exitCode: 127 } });
    await expect(shim.exec(container, { args: ['true'], userSpec: 'nosuchuser' })).rejects.toMatchObject({
      failure: { step: 'user', exitCode: 125, message: expect.stringContaining('nosuchuser') },
    });
    expect(childrenOf(shim.pid)).toEqual(before);
  });

  test('ends when the container ends', async () => {
    const other = await shim.start(specFor(shim, ['sleep', '1000']));
    const key = { container: other.key.container, exec: 'x' };
    await shim.call('open', { key, stdio: { terminal: false, stdin: false, stdinOnce: false } });
    const process = { cwd: '/', env: [], args: ['/bin/sleep', '1000'], user: { uid: 0, gid: 0 } };
    await shim.call('exec', { ...key, process });
    await shim.call('signal', { key: other.key, signal: 9 });
    expect((await shim.exit(key)).status).toEqual({ exitCode: 137, signal: 'SIGKILL' });
    await shim.exit(other.key);
    await expect(shim.exec(other.key.container, { args: ['true'] })).rejects.toMatchObject({
      failure: { kind: 'conflict' },
    });
    await shim.call('forget', { key: other.key });
  });

  test('a container there is not is not found', async () => {
    await expect(shim.exec('nowhere', { args: ['true'] })).rejects.toMatchObject({ failure: { kind: 'not-found' } });
  });
});
