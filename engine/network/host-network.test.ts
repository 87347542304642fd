/** Packets that arrive, and packets that must not, in network namespaces of the test's own. */

import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { NETLINK_ROUTE } from '#kernel/netlink';
import { routeLoopback } from './forwarding.ts';
import { openHostNetwork } from './host-network.ts';
import { formatCidr, parseAddress, parseCidr } from './ip-address.ts';
import { inNamespace } from './namespace.ts';
import { deleteAddress } from './netlink/address.ts';
import { deleteLink, findLink, listLinks } from './netlink/link.ts';
import { addDefaultRoute, addRoute, listRoutes } from './netlink/route.ts';
import { withNetlink } from './netlink/socket.ts';
import { defaultRanges, freeSubnet, hostSubnets } from './subnet-pool.ts';
import {
  dualNetwork,
  everyTestHasAHost,
  guest,
  linkNames,
  local,
  network,
  outside,
  port,
  test as the,
} from './testing/host.ts';

everyTestHasAHost();

/** What is not let through does not come back, or is told so by the kernel of the host. */
const nothing = /^(silence|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|EACCES)$/;

/** They are there if the kernel has br_netfilter. */
const bridgeFilters = ['iptables', 'ip6tables'].map((kind) => `/proc/sys/net/bridge/bridge-nf-call-${kind}`);

describe('a bridge', () => {
  test('two containers reach each other under their own addresses', async () => {
    const net = network(20);
    await the.host.raise(net);
    const [a, b] = [guest(net, '172.20.0.2/16'), guest(net, '172.20.0.3/16')];
    await b.listen('tcp', 80);
    await b.listen('udp', 53);
    expect(await a.ask('tcp', '172.20.0.3', 80)).toBe('from 172.20.0.2');
    expect(await a.ask('udp', '172.20.0.3', 53)).toBe('from 172.20.0.2');
    expect(inNamespace(a.namespace, () => withNetlink(NETLINK_ROUTE, listLinks))).toMatchObject([
      { name: 'lo', isUp: true },
      { name: 'eth0', isUp: true, mac: '02:42:ac:14:00:02' },
    ]);
  });

  test('containers reach each other and the outside by IPv6', async () => {
    const net = dualNetwork(20);
    await the.host.raise(net);
    const machine = outside();
    const [a, b] = [guest(net, '172.20.0.2/16', 'fd00:20::2/64'), guest(net, '172.20.0.3/16', 'fd00:20::3/64')];
    await b.listen('tcp', 80, '::');
    await machine.listen('tcp', 80, '::');
    await machine.listen('udp', 53, '::');
    expect(await a.ask('tcp', 'fd00:20::3', 80)).toBe('from fd00:20::2');
    expect(await a.ask('tcp', '192.0.2.2', 80)).toBe('from 192.0.2.1');
    expect(await a.ask('tcp', 'fd99::2', 80)).toBe('from fd99::1');
    expect(await a.ask('udp', 'fd99::2', 53)).toBe('from fd99::1');
  });

  test('without masquerading packets leave with the address of the container', async () => {
    const net = network(20, { masquerade: false });
    await the.host.raise(net);
    const machine = outside();
    await machine.listen('tcp', 80);
    expect(await guest(net, '172.20.0.2/16').ask('tcp', '192.0.2.2', 80)).toBe('from 172.20.0.2');
  });

  test('forwarding is turned on for a network that leads outside, and for no other', async () => {
    const file = '/proc/sys/net/ipv4/ip_forward';
    const isOn = () => fs.readFileSync(file, 'utf8').trim() === '1';
    fs.writeFileSync(file, '0');
    await the.host.raise(network(20, { internal: true }));
    await openHostNetwork({ root: 'test', ipForward: false }).raise(network(21));
    expect(isOn()).toBe(false);
    await the.host.raise(network(22));
    expect(isOn()).toBe(true);
  });

  test('a maximum size of packets holds for the bridge and both ends of the cable', async () => {
    const net = network(20, { mtu: 1280 });
    await the.host.raise(net);
    const a = guest(net, '172.20.0.2/16');
    const sizes = withNetlink(NETLINK_ROUTE, listLinks)
      .filter(({ name }) => name !== 'lo')
      .map(({ mtu }) => mtu);
    expect(sizes).toEqual([1280, 1280]);
    expect(inNamespace(a.namespace, () => withNetlink(NETLINK_ROUTE, (socket) => findLink(socket, 'eth0')!.mtu))).toBe(
      1280,
    );
  });

  test('raised twice, with another gateway, it has that one alone', async () => {
    const net = network(20);
    await the.host.raise(net);
    await the.host.raise({ ...net, subnets: [{ subnet: '172.20.0.0/16', gateway: '172.20.0.254' }] });
    const a = guest(net, '172.20.0.2/16');
    const server = local();
    await server.listen('tcp', 80);
    expect(await a.ask('tcp', '172.20.0.254', 80)).toBe('from 172.20.0.2');
    expect(await a.ask('tcp', '172.20.0.1', 80)).toMatch(nothing);
  });

  test('a bridge that somebody deleted comes back with the containers that were plugged into it', async () => {
    const net = network(20);
    await the.host.raise(net);
    const [a, b] = [guest(net, '172.20.0.2/16'), guest(net, '172.20.0.3/16')];
    await b.listen('tcp', 80);
    deleteByHand('br20');
    expect(await a.ask('tcp', '172.20.0.3', 80)).toMatch(nothing);
    await the.host.raise(net);
    expect(await a.ask('tcp', '172.20.0.3', 80)).toBe('from 172.20.0.2');
    deleteByHand('br20');
    expect(await guest(net, '172.20.0.4/16').ask('tcp', '172.20.0.3', 80)).toBe('from 172.20.0.4');
  });

  test('a name that belongs to another kind of link is refused, and that link stays', async () => {
    outside();
    await expect(the.host.raise(network(20, { bridge: 'outer0' }))).rejects.toThrow(
      /outer0 exists and is not a bridge/,
    );
    expect(linkNames()).toContain('outer0');
  });

  test('a free subnet is not one that the host reaches already', async () => {
    await the.host.raise(network(17));
    expect(formatCidr(freeSubnet(defaultRanges, hostSubnets()))).toBe('172.18.0.0/16');
  });

  test('a link that cannot be made leaves nothing, and the error has the words of the kernel', async () => {
    const net = network(20);
    await the.host.raise(net);
    const a = guest(net, '172.20.0.2/16');
    const twice = { ...a.endpoint, id: 'ffffffffffffffff' };
    const before = linkNames();
    expect(() => the.host.connect(twice, a.namespace)).toThrow(/RTM_NEWLINK veth vethfffffffffff with eth0.*EEXIST/);
    const wrong = { ...twice, interface: 'eth1', addresses: ['172.20.0.5/16', '127.0.0.1/33'] };
    expect(() => the.host.connect(wrong, a.namespace)).toThrow(/127\.0\.0\.1\/33/);
    expect(linkNames()).toEqual(before);
  });

  test('a disconnected container has no link and no route, and one that was never connected can be disconnected', async () => {
    const net = network(20);
    await the.host.raise(net);
    const a = guest(net, '172.20.0.2/16');
    the.host.disconnect(a.endpoint);
    the.host.disconnect(a.endpoint);
    inNamespace(a.namespace, () => {
      expect(linkNames()).toEqual(['lo']);
      expect(withNetlink(NETLINK_ROUTE, listRoutes)).toEqual([]);
    });
  });
});

function deleteByHand(name: string): void {
  withNetlink(NETLINK_ROUTE, (socket) => deleteLink(socket, name));
}

describe('isolation', () => {
  test('a container does not reach a container of another network', async () => {
    const [net, other] = [dualNetwork(20), dualNetwork(21)];
    await the.host.raise(net);
    await the.host.raise(other);
    const a = guest(net, '172.20.0.2/16', 'fd00:20::2/64');
    const b = guest(other, '172.21.0.2/16', 'fd00:21::2/64');
    await b.listen('tcp', 80, '::');
    await b.listen('udp', 53, '::');
    for (const address of ['172.21.0.2', 'fd00:21::2']) {
      expect(await a.ask('tcp', address, 80)).toMatch(nothing);
      expect(await a.ask('udp', address, 53)).toMatch(nothing);
    }
    expect(await local().ask('tcp', '172.21.0.2', 80)).toBe('from 172.21.0.1');
  });

  test('a container of two networks speaks in both', async () => {
    const [net, other] = [network(20), network(21)];
    await the.host.raise(net);
    await the.host.raise(other);
    const [a, b, both] = [guest(net, '172.20.0.2/16'), guest(other, '172.21.0.2/16'), guest(net, '172.20.0.3/16')];
    const second = { ...both.endpoint, id: 'abcdefabcdef', network: other, interface: 'eth1', isGateway: false };
    the.host.connect({ ...second, addresses: ['172.21.0.3/16'], mac: '02:42:ac:15:00:03' }, both.namespace);
    await both.listen('tcp', 80);
    expect(await a.ask('tcp', '172.20.0.3', 80)).toBe('from 172.20.0.2');
    expect(await b.ask('tcp', '172.21.0.3', 80)).toBe('from 172.21.0.2');
  });

  test('an internal network reaches its own containers and its bridge, and nothing else either way', async () => {
    const [net, other] = [dualNetwork(20, { internal: true }), dualNetwork(21)];
    await the.host.raise(net);
    await the.host.raise(other);
    const machine = outside();
    const [a, b] = [guest(net, '172.20.0.2/16', 'fd00:20::2/64'), guest(net, '172.20.0.3/16', 'fd00:20::3/64')];
    const server = guest(other, '172.21.0.2/16', 'fd00:21::2/64');
    for (const one of [b, machine, server]) await one.listen('tcp', 80, '::');
    await the.host.publish(other, [port(server, 8080), port(server, 8080, { hostAddress: '::' })]);
    expect(await a.ask('tcp', '172.20.0.3', 80)).toBe('from 172.20.0.2');
    expect(await a.ask('tcp', 'fd00:20::3', 80)).toBe('from fd00:20::2');
    // With a route that it makes itself as well.
    inNamespace(a.namespace, () =>
      withNetlink(NETLINK_ROUTE, (socket) => {
        expect(listRoutes(socket).filter(({ hasGateway }) => hasGateway)).toEqual([]);
        for (const gateway of ['172.20.0.1', 'fd00:20::1']) {
          const { family, value } = parseAddress(gateway);
          addDefaultRoute(socket, findLink(socket, 'eth0')!.index, { family, address: value });
        }
      }),
    );
    const targets = [
      ['192.0.2.2', 80],
      ['172.21.0.2', 80],
      ['fd99::2', 80],
      ['fd00:21::2', 80],
      ['172.20.0.1', 8080],
      ['fd00:20::1', 8080],
    ];
    for (const [address, number] of targets)
      expect(await a.ask('tcp', address as string, number as number)).toMatch(nothing);
    expect(await machine.ask('tcp', '172.20.0.3', 80)).toMatch(nothing);
    expect(await server.ask('tcp', '172.20.0.3', 80)).toMatch(nothing);
    await expect(the.host.publish(net, [port(a, 8081)])).rejects.toThrow(/br20: it is internal/);
  });

  test.each(fs.existsSync(bridgeFilters[0]!) ? ['0', '1'] : ['0'])(
    'without icc containers reach the outside and published ports, and not each other; br_netfilter %s',
    async (filter) => {
      for (const kind of ['iptables', 'ip6tables'])
        fs.writeFileSync(`/proc/sys/net/bridge/bridge-nf-call-${kind}`, filter);
      const net = dualNetwork(20, { icc: false });
      await the.host.raise(net);
      const machine = outside();
      const [a, b] = [guest(net, '172.20.0.2/16', 'fd00:20::2/64'), guest(net, '172.20.0.3/16', 'fd00:20::3/64')];
      await b.listen('tcp', 80, '::');
      await machine.listen('tcp', 80);
      expect(await a.ask('tcp', '172.20.0.3', 80)).toMatch(nothing);
      expect(await a.ask('tcp', 'fd00:20::3', 80)).toMatch(nothing);
      expect(await a.ask('tcp', '192.0.2.2', 80)).toBe('from 192.0.2.1');
      await the.host.publish(net, [port(b, 8080)]);
      expect(await machine.ask('tcp', '192.0.2.1', 8080)).toBe('from 192.0.2.2');
      expect(await a.ask('tcp', '172.20.0.1', 8080)).toBe('from 172.20.0.1');
      // By way of the gateway it is not let through either.
      inNamespace(a.namespace, () =>
        withNetlink(NETLINK_ROUTE, (socket) =>
          addRoute(socket, findLink(socket, 'eth0')!.index, parseCidr('172.20.0.3/32'), parseCidr('172.20.0.1/16')),
        ),
      );
      expect(await a.ask('tcp', '172.20.0.3', 80)).toMatch(nothing);
    },
  );

  test("a container does not reach what listens on the host's loopback", async () => {
    const net = network(20);
    await the.host.raise(net);
    const a = guest(net, '172.20.0.2/16');
    const server = local();
    await server.listen('tcp', 6379, '127.0.0.1');
    expect(await local().ask('tcp', '127.0.0.1', 6379)).toBe('from 127.0.0.1');
    // A container with the power to do so sends packets for 127.0.0.1 to its gateway.
    inNamespace(a.namespace, () =>
      withNetlink(NETLINK_ROUTE, (socket) => {
        const { index } = findLink(socket, 'eth0')!;
        routeLoopback('eth0');
        deleteAddress(socket, findLink(socket, 'lo')!.index, parseCidr('127.0.0.1/8'));
        addRoute(socket, index, parseCidr('127.0.0.1/32'), parseCidr('172.20.0.1/16'));
      }),
    );
    expect(await a.ask('tcp', '127.0.0.1', 6379)).toMatch(nothing);
  });
});
