import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { noOrdinaryUser, OrdinaryUser, UID } from './testing/ordinary-user.ts';

const TREE = '/sys/fs/cgroup';
const reason =
  noOrdinaryUser() ??
  (fs.existsSync(path.join(TREE, 'cgroup.controllers'))
    ? undefined
    : 'control groups of version 1 cannot be delegated; npm run test:vm has 2');

const CONTROLLERS = ['cpu', 'memory', 'pids'];

/** What systemd does for `Delegate=yes`. Kernel documentation, admin-guide/cgroup-v2, "Delegation". */
function delegate(): string {
  const directory = path.join(TREE, `skiff-delegated-${process.pid}`);
  fs.writeFileSync(path.join(TREE, 'cgroup.subtree_control'), CONTROLLERS.map((name) => `+${name}`).join(' '));
  fs.mkdirSync(directory);
  for (const name of ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'])
    fs.chownSync(path.join(directory, name), UID, UID);
  return directory;
}

/** Those below it too, which are empty by then. */
function removeCgroup(directory: string): void {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(path.join(directory, entry.name));
  fs.rmdirSync(directory);
}

/** Milliseconds. A virtual machine without hardware help takes minutes for what is seconds elsewhere; nothing here waits for a length of time. */
const PATIENCE = 600_000;

describe('an ordinary user to whom a control group is delegated', { timeout: PATIENCE }, () => {
  let user: OrdinaryUser;
  let directory: string;

  beforeAll(async () => {
    if (reason !== undefined) return;
    user = await OrdinaryUser.start();
    directory = delegate();
    // The daemon, which this starts, begins where the command is.
    const started = await user.skiffIn(directory, 'ping');
    expect(started).toMatchObject({ code: 0, stderr: '' });
  }, PATIENCE);

  afterAll(async () => {
    if (!user) return;
    expect(await user.destroy()).toEqual([]);
    removeCgroup(directory);
  }, PATIENCE);

  beforeEach((context) => {
    if (reason !== undefined) context.skip(reason);
  });

  test('has limits that hold', async () => {
    const limits = ['-m', '64m', '--pids-limit', '30', '--cpus', '0.5'];
    const script = 'cd /sys/fs/cgroup; cat memory.max pids.max cpu.max';
    expect(await user.skiff('run', '--rm', ...limits, 'hostbox', 'sh', '-c', script)).toMatchObject({
      code: 0,
      stdout: `${64 << 20}\n30\n50000 100000\n`,
      stderr: '',
    });
    const bomb = ['run', '--name', 'bomb', '-m', '16m', '--memory-swap', '16m', 'hostbox', 'tail', '/dev/zero'];
    expect(await user.skiff(...bomb)).toMatchObject({ code: 137 });
    expect(await user.skiff('inspect', '--format', '{{.State.OOMKilled}}', 'bomb')).toMatchObject({ stdout: 'true\n' });
    await user.skiff('rm', 'bomb');
  });

  test('finds what exec starts in the container’s own, and nothing about limits in the warnings of info', async () => {
    await user.skiff('run', '-d', '--name', 'joined', '--pids-limit', '30', 'hostbox', 'sleep', '1000');
    const exec = await user.skiff('exec', 'joined', 'cat', '/proc/self/cgroup', '/sys/fs/cgroup/pids.max');
    expect(exec).toMatchObject({ code: 0, stdout: '0::/\n30\n' });
    await user.skiff('rm', '-f', 'joined');
    const info = JSON.parse((await user.skiff('info', '--json')).stdout);
    expect(info).toMatchObject({ CgroupVersion: '2' });
    expect(info.Warnings.join('\n')).not.toContain('limits');
  });
});
