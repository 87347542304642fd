import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { noOrdinaryUser, OrdinaryUser, OUTSIDE } from './testing/ordinary-user.ts';
import { has } from './testing/tools.ts';

const PORT = 8080;

function whyNot(): string | undefined {
  if (!fs.existsSync('/dev/net/tun')) return 'there is no /dev/net/tun here';
  const missing = ['ip', 'slirp4netns', 'pasta'].find((program) => !has(program));
  return noOrdinaryUser() ?? (missing === undefined ? undefined : `there is no ${missing} here`);
}

const reason = whyNot();

/** The processes that serve containers of this user. */
function servers(user: OrdinaryUser): string[] {
  return fs.readdirSync('/proc').filter((name) => {
    try {
      return fs.readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`${user.root}/run/networks/`);
    } catch {
      return false;
    }
  });
}

describe('the network of an ordinary user’s container', () => {
  let user: OrdinaryUser;
  let server: ChildProcess;

  beforeAll(async () => {
    if (reason !== undefined) return;
    user = await OrdinaryUser.start({ network: true });
    const program = `require('node:http').createServer((_, answer) => answer.end('reached\\n')).listen(${PORT}, () => console.log('.'))`;
    server = user.serve(process.execPath, '-e', program);
    await once(server.stdout!, 'data');
  });

  afterAll(async () => {
    server?.kill('SIGKILL');
    if (user) expect(await user.destroy()).toEqual([]);
  });

  beforeEach((context) => {
    if (reason !== undefined) context.skip(reason);
  });

  const reach = (address: string) => `wget -q -O - http://${address}:${PORT}/`;

  test('is slirp4netns unless another is named; it reaches what the user reaches, and not the host’s loopback', async () => {
    const script = `${reach(OUTSIDE)}; ls /sys/class/net; cat /etc/resolv.conf; ${reach('10.0.2.2')} || echo closed`;
    const ran = await user.skiff('run', '--rm', 'hostbox', 'sh', '-c', script);
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/^reached\nlo\ntap0\n/) });
    expect(ran.stdout).toMatch(/nameserver 10\.0\.2\.3\n[\s\S]*closed\n$/);
    expect(servers(user)).toEqual([]);
  });

  test('is pasta when that is named', async () => {
    const script = `${reach(OUTSIDE)}; ls /sys/class/net`;
    const ran = await user.skiff('run', '--rm', '--network', 'pasta', 'hostbox', 'sh', '-c', script);
    expect(ran).toMatchObject({ code: 0, stdout: 'reached\ncard0\nlo\n' });
    expect(servers(user)).toEqual([]);
  });

  test('"none" is accepted, and an unknown name is refused', async () => {
    const none = await user.skiff(
      'run',
      '--rm',
      '--network',
      'none',
      'hostbox',
      'sh',
      '-c',
      `ls /sys/class/net; ${reach(OUTSIDE)}`,
    );
    expect(none).toMatchObject({ code: 1, stdout: 'lo\n' });
    const unknown = await user.skiff('run', '--rm', '--network', 'other', 'hostbox', 'true');
    expect(unknown).toMatchObject({ code: 125, stderr: expect.stringContaining('network other not found') });
  });

  test('is there before the program is, outlives a killed daemon, and ends with the container', async () => {
    await user.skiff('run', '-d', '--name', 'server', 'hostbox', 'sleep', '1000');
    expect(servers(user)).toHaveLength(1);
    const format = '{{.NetworkSettings.Networks.slirp4netns.IPAddress}}';
    expect(await user.skiff('inspect', '--format', format, 'server')).toMatchObject({ stdout: '10.0.2.100\n' });
    process.kill(user.daemonPid(), 'SIGKILL');
    expect(await user.skiff('exec', 'server', 'sh', '-c', reach(OUTSIDE))).toMatchObject({ stdout: 'reached\n' });
    await user.skiff('restart', '-t', '0', 'server');
    expect(await user.skiff('exec', 'server', 'sh', '-c', reach(OUTSIDE))).toMatchObject({ stdout: 'reached\n' });
    expect(servers(user)).toHaveLength(1);
    process.kill(user.daemonPid(), 'SIGKILL');
    process.kill(user.shimPid(), 'SIGKILL');
    // The next daemon finds that the container has ended, and ends what served it.
    await user.skiff('ps');
    expect(servers(user)).toEqual([]);
    expect(fs.readdirSync(path.join(user.root, 'run/networks'))).toEqual([]);
    await user.skiff('rm', '-f', 'server');
  });
});

test('without slirp4netns and pasta a container has its own loopback, and is told what to install', async (context) => {
  if (reason !== undefined) context.skip(reason);
  const user = await OrdinaryUser.start({ without: ['slirp4netns', 'pasta'].map((name) => `/usr/bin/${name}`) });
  try {
    expect(await user.skiff('run', '--rm', 'hostbox', 'ls', '/sys/class/net')).toMatchObject({
      code: 0,
      stdout: 'lo\n',
    });
    const refused = await user.skiff('run', '--rm', '--network', 'pasta', 'hostbox', 'true');
    expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining('package passt') });
    expect((await user.skiff('info')).stderr).toContain('slirp4netns');
  } finally {
    await user.destroy();
  }
});
