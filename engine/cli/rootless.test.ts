import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FIRST_SUBORDINATE, noOrdinaryUser, OrdinaryUser, UID } from './testing/ordinary-user.ts';
import { has } from './testing/tools.ts';

const reason = noOrdinaryUser();

/** Node calls who has id 33 in the container by its number outside. */
const outside = (id: number): number => FIRST_SUBORDINATE + id - 1;

describe('an ordinary user with subordinate ids', () => {
  let user: OrdinaryUser;

  beforeAll(async () => {
    if (reason === undefined) user = await OrdinaryUser.start();
  });

  afterAll(async () => {
    if (user) expect(await user.destroy()).toEqual([]);
  });

  beforeEach((context) => {
    if (reason !== undefined) context.skip(reason);
  });

  test('runs a container whose root is the user: what it writes is the user’s', async () => {
    const bind = path.join(user.home, 'bind');
    await user.run('mkdir', [bind]);
    const script = 'id -u; echo mine > /bind/root; ls -n /bind | grep -c " 0 "';
    expect(await user.skiff('run', '--rm', '-v', `${bind}:/bind`, 'hostbox', 'sh', '-c', script)).toMatchObject({
      code: 0,
      stdout: '0\n1\n',
      stderr: '',
    });
    expect(fs.statSync(path.join(bind, 'root')).uid).toBe(UID);
    const daemon = fs.readFileSync(`/proc/${user.daemonPid()}/uid_map`, 'utf8').trim().split(/\s+/);
    expect(daemon).toEqual(['0', `${UID}`, '1', '1', `${FIRST_SUBORDINATE}`, '65536']);
  });

  test('other users of a container are subordinate ids, and their files are removed with it', async () => {
    const script =
      'touch /data/of-33 && chown 33:34 /data/of-33; mkdir /etc/closed; chown 7 /etc/closed; chmod 0 /etc/closed';
    expect(await user.skiff('run', '--name', 'owners', '-v', 'vol:/data', 'hostbox', 'sh', '-c', script)).toMatchObject(
      {
        code: 0,
        stderr: '',
      },
    );
    const { uid, gid } = fs.statSync(path.join(user.root, 'volumes/vol/_data/of-33'));
    expect([uid, gid]).toEqual([outside(33), outside(34)]);
    const bind = path.join(user.home, 'closed');
    await user.run('mkdir', [bind]);
    const denied = await user.skiff('run', '--rm', '-u', '33', '-v', `${bind}:/b`, 'hostbox', 'touch', '/b/x');
    expect(denied).toMatchObject({ code: 1, stderr: expect.stringContaining('Permission denied') });
    expect(await user.skiff('rm', 'owners')).toMatchObject({ code: 0, stderr: '' });
  });

  test('only the user can read the socket and the state', async () => {
    await user.skiff('ping');
    expect(fs.statSync(user.socket).mode & 0o777).toBe(0o600);
    expect(fs.statSync(path.join(user.root, 'containers')).mode & 0o777).toBe(0o700);
  });

  test('exec joins the container as root and as somebody else, with exit codes', async () => {
    await user.skiff('run', '-d', '--name', 'joined', 'hostbox', 'sleep', '1000');
    const who = 'id -u; hostname; ls /proc | grep -c "^[0-9]"; exit 9';
    const asRoot = await user.skiff('exec', 'joined', 'sh', '-c', who);
    expect([asRoot.code, asRoot.stdout.split('\n')[0]]).toEqual([9, '0']);
    // Its own processes and the container's first: it is in the PID namespace.
    expect(Number(asRoot.stdout.split('\n')[2])).toBeLessThan(6);
    expect(await user.skiff('exec', '-u', '33', 'joined', 'id', '-u')).toMatchObject({ code: 0, stdout: '33\n' });
    expect(await user.skiffWith({ input: 'in\n' }, 'exec', '-i', 'joined', 'cat')).toMatchObject({ stdout: 'in\n' });
    await user.skiff('rm', '-f', 'joined');
  });

  test('containers outlive a killed daemon, and the next one joins their user namespace', async () => {
    await user.skiff('run', '-d', '--name', 'survivor', 'hostbox', 'sh', '-c', 'echo hi; exec sleep 1000');
    const killed = user.daemonPid();
    process.kill(killed, 'SIGKILL');
    expect(await user.skiff('exec', 'survivor', 'echo', 'still')).toMatchObject({ code: 0, stdout: 'still\n' });
    expect(user.daemonPid()).not.toBe(killed);
    for (const kind of ['user', 'mnt'])
      expect(fs.readlinkSync(`/proc/${user.daemonPid()}/ns/${kind}`)).toBe(
        fs.readlinkSync(`/proc/${user.shimPid()}/ns/${kind}`),
      );
    expect(await user.skiff('logs', 'survivor')).toMatchObject({ stdout: 'hi\n' });
    expect(await user.skiff('stop', '-t', '0', 'survivor')).toMatchObject({ code: 0 });
    expect(await user.skiff('start', 'survivor')).toMatchObject({ code: 0, stderr: '' });
    process.kill(user.shimPid(), 'SIGKILL');
    await user.skiff('wait', 'survivor');
    expect(await user.skiff('start', 'survivor')).toMatchObject({ code: 0, stderr: '' });
    await user.skiff('rm', '-f', 'survivor');
  });

  test('an image is built with owners, deleted files and replaced directories', async () => {
    const context = path.join(user.home, 'context');
    await user.run('mkdir', [context]);
    const dockerfile = [
      'FROM hostbox',
      'RUN mkdir /d && touch /d/old /gone && chown 33:34 /d/old',
      'RUN rm /gone && rm -r /d && mkdir /d && touch /d/new && chown 5 /d/new',
    ].join('\n');
    await user.run('tee', [path.join(context, 'Dockerfile')], { input: dockerfile });
    expect(await user.skiff('build', '-q', '-t', 'owned', context)).toMatchObject({ code: 0 });
    const look = 'ls /d; stat -c %u /d/new; test -e /gone || echo no';
    expect(await user.skiff('run', '--rm', 'owned', 'sh', '-c', look)).toMatchObject({ stdout: 'new\n5\nno\n' });
  });

  test('what the container shares with the host is shown, and devices are the host’s', async () => {
    const shared = await user.skiff(
      'run',
      '--rm',
      '--network',
      'host',
      '--uts',
      'host',
      'hostbox',
      'ls',
      '/sys/class/net',
    );
    expect(shared).toMatchObject({ code: 0, stdout: expect.stringContaining('lo') });
    const device = ['--device', '/dev/zero:/dev/nought', 'hostbox', 'sh', '-c', 'head -c 3 /dev/nought | wc -c'];
    expect(await user.skiff('run', '--rm', ...device)).toMatchObject({ code: 0, stdout: '3\n' });
    const mounted = ['--privileged', 'hostbox', 'sh', '-c', 'mount -t tmpfs t /mnt && echo mounted'];
    expect(await user.skiff('run', '--rm', ...mounted)).toMatchObject({ stdout: 'mounted\n' });
  });

  test('a limit that would not hold is refused, and info says why', async (context) => {
    const info = JSON.parse((await user.skiff('info', '--json')).stdout);
    expect(info.SecurityOptions).toContain('name=rootless');
    if (info.CgroupDriver !== 'none') context.skip('a control group is delegated here');
    const limited = await user.skiff('run', '--rm', '-m', '64m', 'hostbox', 'true');
    expect(limited).toMatchObject({ code: 125, stderr: expect.stringContaining('Without root there are') });
    expect(info.Warnings.join('\n')).toContain('Without root there are');
    expect(await user.skiff('run', '--rm', '--oom-score-adj', '-5', 'hostbox', 'true')).toMatchObject({ code: 125 });
  });

  test.skipIf(!has('docker'))('the docker command finds everything it knows', async () => {
    const run = ['run', '--rm', '--network', 'none', 'hostbox', 'sh', '-c', 'id -u; exit 4'];
    expect(await user.docker(...run)).toMatchObject({ code: 4, stdout: '0\n' });
  });
});

describe('an ordinary user with one id', () => {
  let user: OrdinaryUser;

  beforeAll(async () => {
    if (reason === undefined) user = await OrdinaryUser.start({ subordinate: false });
  });

  afterAll(async () => {
    if (user) expect(await user.destroy()).toEqual([]);
  });

  test('runs containers that have one user, and is told how to have more', async (context) => {
    if (reason !== undefined) context.skip(reason);
    expect(await user.skiff('run', '--rm', 'hostbox', 'id', '-u')).toMatchObject({ code: 0, stdout: '0\n' });
    expect(await user.skiff('run', '--rm', '-u', '33', 'hostbox', 'true')).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('There is no uid 33 here'),
    });
    expect((await user.skiff('info')).stderr).toContain('no subordinate ids');
  });
});

test('without a user namespace images work, and containers are refused with the way out', async (context) => {
  if (reason !== undefined) context.skip(reason);
  const user = await OrdinaryUser.start({ without: ['/usr/bin/unshare'] });
  try {
    expect(await user.skiff('images', '-q')).toMatchObject({ code: 0 });
    const refused = await user.skiff('run', '--rm', 'hostbox', 'true');
    expect(refused).toMatchObject({ code: 125, stderr: expect.stringMatching(/util-linux.* with sudo/) });
    expect((await user.skiff('info')).stderr).toContain('sudo');
  } finally {
    await user.destroy();
  }
});
