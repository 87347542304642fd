/** Networks of bridges as the stock docker command sees them, on a daemon in a network namespace of its own. */

import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NetworkedDaemon, noNetworks } from './testing/networked-daemon.ts';
import { dockerIsMissing } from './testing/test-daemon.ts';

const why = noNetworks() ?? (dockerIsMissing() || undefined);
/** Answers every connection on port 80 with its own name. */
const SERVER = 'while :; do hostname | busybox nc -l -p 80; done';

describe.skipIf(why)('networks of bridges', () => {
  let net: NetworkedDaemon;
  const out = (...args: string[]) => net.out(...args);
  /** What answers at a port of the host's; empty if nothing does. */
  const ask = (port: string) => net.tried('busybox', 'nc', '127.0.0.1', port);
  const field = (name: string, path: string) => out('inspect', '-f', `{{${path}}}`, name);

  beforeAll(async () => {
    net = await NetworkedDaemon.start();
  });
  afterEach(async () => {
    const ids = (await out('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length > 0) await out('rm', '-f', ...ids);
    await out('network', 'prune', '-f');
  });
  afterAll(async () => {
    expect(await net?.destroy()).toEqual([]);
  });

  test('the default network gives an address, a route and a way to other containers', async () => {
    await out('run', '-d', '--name', 'web', '-h', 'web', 'hostbox', 'sh', '-c', SERVER);
    const address = await field('web', '.NetworkSettings.Networks.bridge.IPAddress');
    const gateway = await field('web', '.NetworkSettings.Networks.bridge.Gateway');
    expect(await out('exec', 'web', 'ip', '-o', '-4', 'addr', 'show', 'eth0')).toContain(`inet ${address}/16`);
    expect(await out('exec', 'web', 'ip', 'route')).toContain(`default via ${gateway} dev eth0`);
    expect(await out('exec', 'web', 'cat', '/etc/hosts')).toContain(`${address}\tweb`);
    await expect.poll(() => out('run', '--rm', 'hostbox', 'sh', '-c', `busybox nc ${address} 80 || true`)).toBe('web');
    expect(await field('web', '.NetworkSettings.IPAddress')).toBe(address);
    expect(await field('web', '.HostConfig.NetworkMode')).toBe('bridge');
    const members = JSON.parse(await out('network', 'inspect', '-f', '{{json .Containers}}', 'bridge'));
    expect(Object.values(members)).toMatchObject([{ Name: 'web', IPv4Address: `${address}/16` }]);
  });

  test('published ports are reached from the host, shown, and closed with the container', async () => {
    await out(
      'run',
      '-d',
      '--name',
      'web',
      '-h',
      'web',
      '-p',
      '8080:80',
      '-p',
      '127.0.0.1::81',
      'hostbox',
      'sh',
      '-c',
      SERVER,
    );
    await expect.poll(() => ask('8080')).toBe('web\n');
    expect(await out('port', 'web', '80')).toBe('0.0.0.0:8080');
    expect(await out('port', 'web', '81')).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await out('ps', '--format', '{{.Ports}}')).toMatch(/^0\.0\.0\.0:8080->80\/tcp, 127\.0\.0\.1:\d+->81\/tcp$/);
    const second = await net.docker('run', '-d', '--name', 'second', '-p', '8080:80', 'hostbox', 'sleep', '100');
    expect(second).toMatchObject({ code: 125, stderr: expect.stringContaining('8080') });
    expect(await field('second', '.State.Status')).toBe('created');
    await out('rm', '-f', 'web');
    expect(ask('8080')).toBe('');
    await out('start', 'second');
    await out('run', '-d', '--name', 'all', '-P', '--expose', '7000-7001', 'hostbox', 'sleep', '100');
    expect((await out('port', 'all')).split('\n')).toEqual([
      expect.stringMatching(/^7000\/tcp -> 0\.0\.0\.0:\d+$/),
      expect.stringMatching(/^7001\/tcp -> 0\.0\.0\.0:\d+$/),
    ]);
  });

  test('a network of one’s own has the subnet, the addresses and the aliases it is asked for', async () => {
    const options = ['--subnet', '10.5.0.0/24', '--gateway', '10.5.0.254', '--ip-range', '10.5.0.128/25'];
    const id = await out(
      'network',
      'create',
      ...options,
      '--aux-address',
      'router=10.5.0.128',
      '--label',
      'a=b',
      'back',
    );
    const [{ IPAM, Labels }] = JSON.parse(await out('network', 'inspect', id.slice(0, 12)));
    expect(Labels).toEqual({ a: 'b' });
    expect(IPAM.Config).toEqual([
      {
        Subnet: '10.5.0.0/24',
        IPRange: '10.5.0.128/25',
        Gateway: '10.5.0.254',
        AuxiliaryAddresses: { router: '10.5.0.128' },
      },
    ]);
    await out('run', '-d', '--name', 'one', '--network', 'back', '--network-alias', 'uno', 'hostbox', 'sleep', '100');
    expect(await field('one', '.NetworkSettings.Networks.back.IPAddress')).toBe('10.5.0.129');
    const asked = ['--ip', '10.5.0.7', '--mac-address', '02:42:00:00:00:07'];
    await out('run', '-d', '--name', 'two', '--network', 'back', ...asked, 'hostbox', 'sleep', '100');
    expect(await out('exec', 'two', 'ip', 'addr', 'show', 'eth0')).toMatch(/02:42:00:00:00:07.*inet 10\.5\.0\.7\/24/s);
    const again = await net.docker('run', '--rm', '--network', 'back', '--ip', '10.5.0.7', 'hostbox', 'true');
    expect(again).toMatchObject({ code: 125, stderr: expect.stringContaining('Address already in use') });
    expect(JSON.parse(await field('one', 'json .NetworkSettings.Networks.back.Aliases'))).toEqual(['uno']);
    const removed = await net.docker('network', 'rm', 'back');
    expect(removed).toMatchObject({ code: 1, stderr: expect.stringContaining('has active endpoints') });
    await out('rm', '-f', 'two');
    await out('run', '--rm', '--network', 'back', '--ip', '10.5.0.7', 'hostbox', 'true');
  });

  test.each([
    [['--subnet', '172.17.0.0/24'], /overlaps/],
    [['--subnet', '10.6.0.1/24'], /it should be 10\.6\.0\.0\/24/],
    [['--subnet', '10.6.0.0/24', '--gateway', '10.6.0.255'], /10\.6\.0\.255/],
    [['--subnet', '10.6.0.0/31'], /prefix/],
    [['--subnet', 'fd00:6::/64'], /--ipv6/],
    [['--driver', 'overlay'], /network driver "overlay"/],
    [['-o', 'com.docker.network.bridge.nonsense=1'], /nonsense/],
    [['-o', 'com.docker.network.bridge.name=much-too-long-a-name'], /1 to 15/],
    [['--ipam-driver', 'dhcp'], /IPAM driver "dhcp"/],
    [['--config-only'], /--config-only/],
    [['--subnet', '10.6.0.0/24', '--aux-address', 'a=10.6.0.255'], /10\.6\.0\.255 is the broadcast address/],
    [['-o', 'com.docker.network.bridge.name=br:1'], /1 to 15/],
    [['--subnet', '169.254.0.0/16'], /169\.254\.0\.0\/16, which has a meaning/],
  ])('a network with %j is refused, and nothing is left of it', async (options, message) => {
    await out('run', '-d', 'hostbox', 'sleep', '100');
    const links = net.links();
    const { code, stderr } = await net.docker('network', 'create', ...options, 'wrong');
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect((await net.docker('network', 'inspect', 'wrong')).code).toBe(1);
    expect(net.links()).toEqual(links);
  });

  test('a running container is connected to a network and disconnected from it', async () => {
    await out('network', 'create', 'front');
    await out('network', 'create', 'attic');
    await out('run', '-d', '--name', 'box', '--network', 'front', 'hostbox', 'sleep', '100');
    const route = () => out('exec', 'box', 'ip', 'route');
    const before = await route();
    await out('network', 'connect', '--alias', 'loft', 'attic', 'box');
    expect(Object.keys(JSON.parse(await field('box', 'json .NetworkSettings.Networks'))).sort()).toEqual([
      'attic',
      'front',
    ]);
    const address = await field('box', '.NetworkSettings.Networks.attic.IPAddress');
    expect(await out('exec', 'box', 'ip', 'addr', 'show', 'eth1')).toContain(address);
    expect(await out('run', '--rm', '--network', 'attic', 'hostbox', 'busybox', 'ping', '-c', '1', address)).toContain(
      '0% packet loss',
    );
    const twice = await net.docker('network', 'connect', 'attic', 'box');
    expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining('already exists in network attic') });
    await out('network', 'disconnect', 'attic', 'box');
    expect(await route()).toBe(before);
    const gone = await net.docker('network', 'disconnect', 'attic', 'box');
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('is not connected to the network attic') });
  });

  test('one create takes several networks, and the highest priority has the default route', async () => {
    for (const name of ['a', 'b', 'c']) await out('network', 'create', ...(name === 'c' ? ['--internal'] : []), name);
    const networks = ['--network', 'name=b,alias=bee', '--network', 'name=a,gw-priority=1', '--network', 'c'];
    await out('run', '-d', '--name', 'box', ...networks, 'hostbox', 'sleep', '100');
    const gateway = await field('box', '.NetworkSettings.Networks.a.Gateway');
    expect(await out('exec', 'box', 'ip', 'route')).toContain(`default via ${gateway}`);
    expect((await out('exec', 'box', 'ls', '/sys/class/net')).split('\n')).toEqual(['eth0', 'eth1', 'eth2', 'lo']);
    expect(await field('box', '.NetworkSettings.Networks.c.Gateway')).toBe('');
  });

  test('containers share a network with container:NAME, and reach the host by host-gateway', async () => {
    await out(
      'run',
      '-d',
      '--name',
      'web',
      '-h',
      'web',
      '--add-host',
      'host:host-gateway',
      'hostbox',
      'sh',
      '-c',
      SERVER,
    );
    const gateway = await field('web', '.NetworkSettings.Networks.bridge.Gateway');
    expect(await out('exec', 'web', 'cat', '/etc/hosts')).toContain(`${gateway}\thost\n`);
    const shared = ['run', '--rm', '--network', 'container:web', 'hostbox'];
    await expect.poll(() => out(...shared, 'sh', '-c', 'busybox nc 127.0.0.1 80 || true')).toBe('web');
    expect(await out(...shared, 'hostname')).toBe('web');
    const conflict = await net.docker('run', '--rm', '--network', 'container:web', '-p', '1:1', 'hostbox', 'true');
    expect(conflict).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('port publishing and the container type'),
    });
    await out('create', '--name', 'late', '--network', 'container:web', 'hostbox', 'true');
    await out('stop', '-t', '0', 'web');
    const late = await net.docker('start', 'late');
    expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining('non running container') });
  });

  test('a link of the default bridge names the other container', async () => {
    await out('run', '-d', '--name', 'db', 'hostbox', 'sleep', '100');
    const address = await field('db', '.NetworkSettings.Networks.bridge.IPAddress');
    expect(await out('run', '--rm', '--link', 'db:base', 'hostbox', 'cat', '/etc/hosts')).toContain(
      `${address}\tbase `,
    );
    await out('stop', '-t', '0', 'db');
    const late = await net.docker('run', '--rm', '--link', 'db:base', 'hostbox', 'true');
    expect(late).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('Cannot link to a non running container'),
    });
  });

  test('the commands of a build have the default network', async () => {
    const dockerfile = 'FROM hostbox\nRUN ip route | grep default\nRUN --network=none ls /sys/class/net';
    const built = await net.daemon.dockerWithInput(dockerfile, 'build', '--no-cache', '-t', 'built', '-');
    expect(built).toMatchObject({ code: 0, stdout: expect.stringMatching(/default via 172.*\nlo\n/s) });
    expect(net.links().filter((name) => name.startsWith('veth'))).toEqual([]);
  });

  test('a daemon that is killed leaves networks and ports that the next one takes over', async () => {
    await out('run', '-d', '--name', 'web', '-h', 'web', '-p', '8081:80', 'hostbox', 'sh', '-c', SERVER);
    const address = await field('web', '.NetworkSettings.Networks.bridge.IPAddress');
    const { daemon } = net;
    const holder = daemon.process!.pid!;
    // The namespace has to outlive the daemon: the container's own shim is in it.
    const shim = daemon.shimPid()!;
    await daemon.crash();
    daemon.within(['nsenter', '--net', `--target=${shim}`, 'env', '-u', 'SKIFF_BRIDGE']);
    await daemon.launch();
    expect(daemon.process!.pid).not.toBe(holder);
    await expect.poll(() => ask('8081')).toBe('web\n');
    expect(await field('web', '.NetworkSettings.Networks.bridge.IPAddress')).toBe(address);
    await out('run', '-d', '--name', 'next', 'hostbox', 'sleep', '100');
    expect(await field('next', '.NetworkSettings.Networks.bridge.IPAddress')).not.toBe(address);
    const taken = await net.docker('run', '--rm', '-p', '8081:80', 'hostbox', 'true');
    expect(taken.code).toBe(125);
    await out('rm', '-f', 'web');
    await out('run', '--rm', '-p', '8081:80', 'hostbox', 'true');
  });

  test('a daemon that ends with no container running leaves no link and no rule', async () => {
    await out('network', 'create', 'kept');
    await out('run', '--rm', '-p', '8082:80', 'hostbox', 'true');
    const { daemon } = net;
    const shell = net.hold();
    daemon.process!.kill('SIGTERM');
    await once(daemon.process!, 'exit');
    expect([shell.run('ip -o link | grep -vc " lo:"'), shell.run('nft list tables')]).toEqual(['0', '']);
    daemon.within(['nsenter', '--net', `--target=${shell.pid}`, 'env', '-u', 'SKIFF_BRIDGE']);
    await daemon.launch();
    // What the host reaches meanwhile is left alone: the default bridge goes elsewhere.
    shell.run('ip link add other type bridge && ip addr add 172.17.0.9/16 dev other && ip link set other up');
    expect(await out('run', '--rm', 'hostbox', 'ip', 'route')).toMatch(/^default via 172\.(?!17\.)/);
    shell.run('ip link del other');
    expect(await out('run', '--rm', '--network', 'kept', 'hostbox', 'ls', '/sys/class/net')).toContain('eth0');
    shell.end();
  });
});
