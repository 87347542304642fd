/** Daemons that start on networks of an earlier one, whose containers run on. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { setFrozen } from '../runtime/cgroups/freezer.ts';
import { NetworkedDaemon, noNetworks } from './testing/networked-daemon.ts';
import { dockerIsMissing, untilGone } from './testing/test-daemon.ts';

const why = noNetworks() ?? (dockerIsMissing() || undefined);

/** Each write of a record takes a second and a half more: what is to happen meanwhile does. */
const SLOW_DISK = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync'];
const DELAY = ['-e', 'inject=fdatasync:delay_exit=1500000'];

function hasStrace(): boolean {
  try {
    execFileSync('strace', ['-D', '-f', '-qq', '-o', '/dev/null', ...DELAY, 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(why)('the next daemon', () => {
  let net: NetworkedDaemon;
  let holder: ReturnType<NetworkedDaemon['hold']>;
  const out = (...args: string[]) => net.out(...args);
  const field = (name: string, path: string) => out('inspect', '-f', `{{${path}}}`, name);
  const addressOf = (name: string) => field(name, '.NetworkSettings.Networks.bridge.IPAddress');
  const subnetOf = (name: string) => out('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', name);
  const launch = async (...within: string[]) => {
    net.daemon.within(['nsenter', '--net', `--target=${holder.pid}`, 'env', '-u', 'SKIFF_BRIDGE', ...within]);
    await net.daemon.launch();
  };

  beforeAll(async () => {
    net = await NetworkedDaemon.start();
    holder = net.hold();
  });
  beforeEach(() => {
    net.daemon.errors = '';
  });
  afterEach(async () => {
    const ids = (await out('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length > 0) await out('rm', '-f', ...ids);
    await out('network', 'prune', '-f');
  });
  afterAll(async () => {
    holder?.end();
    expect(await net?.destroy()).toEqual([]);
  });

  test.skipIf(!hasStrace())(
    'keeps the subnet of the default bridge when a restart policy is quicker than it is',
    async () => {
      const ids = [
        await out('run', '-d', 'hostbox', 'sleep', '1000'),
        await out('run', '-d', 'hostbox', 'sleep', '1000'),
      ];
      // Records are read in the order of their ids: the end is seen first, and then something has to be written.
      const [ended, stays] = ids.sort() as [string, string];
      await out('update', '--restart', 'always', ended);
      await out('pause', stays);
      const [subnet, address] = [await subnetOf('bridge'), await addressOf(stays)];
      const pid = Number(await field(ended, '.State.Pid'));
      const { ID } = (await net.daemon.get('/info')).json;
      await net.daemon.crash();
      setFrozen(`/skiff/${ID}/${stays}`, false);
      process.kill(pid, 'SIGKILL');
      await untilGone(pid);
      await launch(...SLOW_DISK, ...DELAY);
      await expect.poll(() => field(ended, '.State.Status'), { timeout: 60_000 }).toBe('running');
      expect(await subnetOf('bridge')).toBe(subnet);
      expect(await addressOf(stays)).toBe(address);
      expect(await out('exec', ended, 'busybox', 'ping', '-c', '1', address)).toContain('0% packet loss');
    },
  );

  test('starts with a network whose file is damaged, which it leaves out and names', async () => {
    const mine = await out('network', 'create', 'mine');
    await out('network', 'create', 'other');
    await out('run', '-d', '--name', 'box', '--network', 'mine', 'hostbox', 'sleep', '1000');
    const file = path.join(net.daemon.root, 'networks', `${mine}.json`);
    const whole = fs.readFileSync(file, 'utf8');
    await net.daemon.crash();
    fs.writeFileSync(file, whole.replace(/"subnet":"[^"]*"/, '"subnet":"x"'));
    await launch();
    await expect
      .poll(() => net.daemon.errors)
      .toMatch(/the network mine .*is damaged and left out: "x" is not a subnet/);
    expect(await out('network', 'ls', '--format', '{{.Name}}')).toBe('bridge\nhost\nnone\nother');
    expect(await out('exec', 'box', 'echo', 'on')).toBe('on');
    await net.daemon.crash();
    fs.writeFileSync(file, whole);
    await launch();
    expect(await out('network', 'inspect', '-f', '{{len .Containers}}', 'mine')).toBe('1');
  });

  test('starts with a foreign link in the place of a bridge, which it names', async () => {
    const mine = await out('network', 'create', 'mine');
    await out('run', '-d', '--name', 'box', '--network', 'mine', '-p', '8085:80', 'hostbox', 'sleep', '1000');
    const link = `br-${mine.slice(0, 12)}`;
    await net.daemon.crash();
    holder.run(`ip link del ${link}; ip link add ${link} type veth peer name other`);
    await launch();
    await expect.poll(() => net.daemon.errors).toMatch(new RegExp(`could not be taken over whole: .*${link}`));
    expect(await out('exec', 'box', 'echo', 'on')).toBe('on');
    holder.run(`ip link del ${link}`);
  });
});
