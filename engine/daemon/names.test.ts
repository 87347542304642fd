/** Containers that find each other by name, on a daemon in a network namespace of its own. */

import dgram from 'node:dgram';
import fs from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { boundSocket } from '#kernel/inet-sockets';
import { inNamespace } from '../network/namespace.ts';
import { addressBytes } from '../network/resolver/address-data.ts';
import { CLASS_IN, decodeMessage, encodeMessage, TYPE } from '../network/resolver/message.ts';
import { NetworkedDaemon, noNetworks } from './testing/networked-daemon.ts';
import { dockerIsMissing } from './testing/test-daemon.ts';

const why = noNetworks() ?? (dockerIsMissing() || undefined);
/** Answers every connection on port 80 with its own name. */
const SERVER = 'while :; do hostname | busybox nc -l -p 80; done';

/** A name server on port 53 of all addresses of a container, that knows one address for everything. */
function nameServerIn(pid: number, address: string): dgram.Socket {
  const namespace = fs.openSync(`/proc/${pid}/ns/net`, 'r');
  const fd = inNamespace(namespace, () => boundSocket('udp', '0.0.0.0', 53));
  fs.closeSync(namespace);
  const server = dgram.createSocket('udp4', (bytes, from) => {
    const query = decodeMessage(bytes);
    const name = query.questions[0]!.name;
    const answer = { name, type: TYPE.A, class: CLASS_IN, ttl: 1, data: addressBytes(address) };
    const answers = query.questions[0]!.type === TYPE.A ? [answer] : [];
    server.send(encodeMessage({ ...query, isResponse: true, answers }), from.port, from.address);
  });
  return server.bind({ fd });
}

describe.skipIf(why)('names', () => {
  let net: NetworkedDaemon;
  const out = (...args: string[]) => net.out(...args);
  const run = (name: string, network: string, ...options: string[]) =>
    out('run', '-d', '--name', name, '-h', name, '--network', network, ...options, 'hostbox', 'sh', '-c', SERVER);
  const addressOf = (name: string, network: string) =>
    out('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);
  /** What the C library in a container finds; empty for an unknown name. */
  const lookUp = async (container: string, name: string) => {
    const { stdout } = await net.docker('exec', container, 'busybox', 'nslookup', name, '127.0.0.11');
    // The first address is that of the server.
    return [...stdout.matchAll(/^Address(?: \d+)?: *([\d.]+)(?!.*:53)$/gm)].map(([, address]) => address);
  };

  beforeAll(async () => {
    net = await NetworkedDaemon.start();
    await out('network', 'create', 'shop');
    await out('network', 'create', '--internal', 'vault');
  });
  afterEach(async () => {
    const ids = (await out('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length > 0) await out('rm', '-f', ...ids);
  });
  afterAll(async () => {
    expect(await net?.destroy()).toEqual([]);
  });

  test('a container reaches another by name, alias and id, and not those of another network', async () => {
    const id = await run('web', 'shop', '--network-alias', 'front');
    await run('safe', 'vault');
    await run('client', 'shop');
    const address = await addressOf('web', 'shop');
    for (const name of ['web', 'front', 'WEB', 'web.shop', id.slice(0, 12)])
      expect(await lookUp('client', name), name).toEqual([address]);
    expect(await out('exec', 'client', 'busybox', 'nc', 'web', '80')).toBe('web');
    expect(await lookUp('client', 'safe')).toEqual([]);
    expect(await out('exec', 'client', 'cat', '/etc/resolv.conf')).toMatch(
      /^nameserver 127\.0\.0\.11$[\s\S]*ndots:0$/m,
    );
  });

  test('the default network has no names', async () => {
    await run('web', 'bridge');
    await run('client', 'bridge');
    expect(await out('exec', 'client', 'cat', '/etc/resolv.conf')).not.toContain('127.0.0.11');
    expect((await net.docker('exec', 'client', 'busybox', 'nc', 'web', '80')).code).not.toBe(0);
  });

  test('a shared alias has all addresses, and each is the first in turn', async () => {
    for (const name of ['w1', 'w2', 'w3']) await run(name, 'shop', '--network-alias', 'workers');
    const expected = await Promise.all(['w1', 'w2', 'w3'].map((name) => addressOf(name, 'shop')));
    const firsts = new Set<string | undefined>();
    for (let round = 0; round < 3; round++) {
      const found = await lookUp('w1', 'workers');
      expect([...found].sort()).toEqual([...expected].sort());
      firsts.add(found[0]);
    }
    expect(firsts.size).toBe(3);
    await out('stop', '-t', '0', 'w2');
    expect((await lookUp('w1', 'workers')).sort()).toEqual([expected[0], expected[2]].sort());
  });

  test('names follow a rename, a restart, a connect and a disconnect', async () => {
    await run('web', 'shop');
    await run('client', 'shop');
    await out('rename', 'web', 'site');
    expect(await lookUp('client', 'site')).toEqual([await addressOf('site', 'shop')]);
    await out('restart', '-t', '0', 'site');
    expect(await lookUp('client', 'site')).toEqual([await addressOf('site', 'shop')]);
    await out('network', 'disconnect', 'shop', 'site');
    expect(await lookUp('client', 'site')).toEqual([]);
    await out('network', 'connect', '--alias', 'again', 'shop', 'site');
    expect(await lookUp('client', 'again')).toEqual([await addressOf('site', 'shop')]);
  });

  test('a container of the default network knows names once it is connected to a network with names', async () => {
    await run('web', 'shop');
    await run('client', 'bridge');
    await out('network', 'connect', 'shop', 'client');
    expect(await out('exec', 'client', 'busybox', 'nc', 'web', '80')).toBe('web');
  });

  test('a link is a name for one container alone', async () => {
    await run('web', 'shop');
    await run('linked', 'shop', '--link', 'web:backend');
    await run('other', 'shop');
    expect(await lookUp('linked', 'backend')).toEqual([await addressOf('web', 'shop')]);
    expect(await lookUp('other', 'backend')).toEqual([]);
  });

  test('names of elsewhere are asked of --dns, and of nobody from an internal network', async () => {
    await run('dns', 'shop');
    await out('network', 'connect', 'vault', 'dns');
    const server = nameServerIn(Number(await out('inspect', '-f', '{{.State.Pid}}', 'dns')), '192.0.2.7');
    try {
      await run('client', 'shop', '--dns', await addressOf('dns', 'shop'));
      await run('inside', 'vault', '--dns', await addressOf('dns', 'vault'));
      expect(await lookUp('client', 'elsewhere.example')).toEqual(['192.0.2.7']);
      expect(await lookUp('inside', 'dns')).toEqual([await addressOf('dns', 'vault')]);
      expect(await lookUp('inside', 'elsewhere.example')).toEqual([]);
      // It has its container's port 53, and those who ask at 127.0.0.11 in there are answered by the engine all the same.
      expect(await lookUp('dns', 'client')).toEqual([await addressOf('client', 'shop')]);
    } finally {
      server.close();
    }
  });

  test('a daemon that was killed knows all names again', async () => {
    await run('web', 'shop', '--network-alias', 'front');
    await run('client', 'shop');
    const address = await addressOf('web', 'shop');
    const holder = net.hold();
    try {
      await net.daemon.crash();
      net.daemon.within(['nsenter', '--net', `--target=${holder.pid}`, 'env', '-u', 'SKIFF_BRIDGE']);
      await net.daemon.launch();
    } finally {
      holder.end();
    }
    for (const name of ['web', 'front']) expect(await lookUp('client', name)).toEqual([address]);
    await run('late', 'shop');
    expect(await lookUp('client', 'late')).toEqual([await addressOf('late', 'shop')]);
    expect(await lookUp('late', 'web')).toEqual([address]);
  });
});
