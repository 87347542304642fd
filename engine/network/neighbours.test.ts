/** What the host's neighbours and its containers must not gain by networks, and what is left of them when they go. */

import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { NETLINK_ROUTE } from '#kernel/netlink';
import { cableName } from './cable.ts';
import { linkSetting, routeLoopback } from './forwarding.ts';
import { formatCidr, parseCidr } from './ip-address.ts';
import { inNamespace } from './namespace.ts';
import { addAddress, deleteAddress, listAddresses } from './netlink/address.ts';
import { createBridge, deleteLink, findLink, listLinks } from './netlink/link.ts';
import { addRoute, listRoutes } from './netlink/route.ts';
import { hasTable } from './netlink/set-elements.ts';
import { withNetlink } from './netlink/socket.ts';
import {
  dualNetwork,
  everyTestHasAHost,
  guest,
  linkNames,
  local,
  network,
  openHost,
  outside,
  port,
  test as the,
} from './testing/host.ts';
import { advertiseRouter } from './testing/router.ts';

everyTestHasAHost();

const nothing = /^(silence|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|EACCES)$/;
const forwardings = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding'];

function setForwarding(value: '0' | '1'): void {
  for (const file of forwardings) fs.writeFileSync(file, value);
}

function forwarding(): string[] {
  return forwardings.map((file) => fs.readFileSync(file, 'utf8').trim());
}

test.each(['tcp', 'udp'] as const)(
  'a port of %s published at 127.0.0.1 is not reached by a neighbour',
  async (protocol) => {
    const net = network(20);
    await the.host.raise(net);
    const server = guest(net, '172.20.0.2/16');
    const machine = outside();
    await server.listen(protocol, 80);
    await the.host.publish(net, [port(server, 8080, { protocol, hostAddress: '127.0.0.1' })]);
    // The neighbour has no such address, and sends packets for it to the host.
    inNamespace(machine.namespace, () =>
      withNetlink(NETLINK_ROUTE, (socket) => {
        routeLoopback('eth0');
        deleteAddress(socket, findLink(socket, 'lo')!.index, parseCidr('127.0.0.1/8'));
        addRoute(socket, findLink(socket, 'eth0')!.index, parseCidr('127.0.0.1/32'), parseCidr('192.0.2.1/24'));
      }),
    );
    expect(await machine.ask(protocol, '127.0.0.1', 8080)).toMatch(nothing);
    expect(await local().ask(protocol, '127.0.0.1', 8080)).toBe('from 172.20.0.1');
  },
);

describe('a host that was no router', () => {
  test('forwards nothing between its neighbours, also after a restart of the daemon, and stops to forward in the end', async () => {
    setForwarding('0');
    const [one, other] = [outside(0), outside(1)];
    await other.listen('tcp', 80, '::');
    const net = dualNetwork(20);
    await the.host.raise(net);
    const a = guest(net, '172.20.0.2/16', 'fd00:20::2/64');
    expect(forwarding()).toEqual(['1', '1']);
    const neighbours = async () => {
      for (const address of ['192.0.3.2', 'fd98::2']) expect(await one.ask('tcp', address, 80)).toMatch(nothing);
      expect(await a.ask('tcp', '192.0.3.2', 80)).toBe('from 192.0.3.1');
      expect(await a.ask('tcp', 'fd98::2', 80)).toBe('from fd98::1');
    };
    await neighbours();
    the.host.close();
    the.host = openHost();
    await the.host.takeOver([net], []);
    await neighbours();
    await the.host.clear();
    expect(forwarding()).toEqual(['0', '0']);
  });

  test('stays one, with the rule, for links that came later', async () => {
    setForwarding('0');
    const [one, other] = [outside(0), outside(1)];
    await other.listen('tcp', 80);
    await the.host.raise(network(20));
    outside(2);
    await the.host.clear();
    expect(forwarding()).toEqual(['1', '0']);
    expect(await one.ask('tcp', '192.0.3.2', 80)).toMatch(nothing);
    expect(hasTable('skiff-test')).toBe(true);
    // It is the same for a daemon that starts then.
    the.host = openHost();
    await the.host.raise(network(21));
    expect(await one.ask('tcp', '192.0.3.2', 80)).toMatch(nothing);
  });

  test('keeps the routes that other routers told it', async () => {
    setForwarding('0');
    outside(0);
    outside(1);
    fs.writeFileSync('/proc/sys/net/ipv6/conf/outer0/accept_ra', '1');
    fs.writeFileSync('/proc/sys/net/ipv6/conf/outer1/accept_ra', '0');
    const settings = () => ['outer0', 'outer1'].map((name) => linkSetting(6, name, 'accept_ra'));
    await the.host.raise(dualNetwork(20));
    expect(settings()).toEqual(['2', '0']);
    await the.host.clear();
    expect(settings()).toEqual(['1', '0']);
  });
});

test('a host that was a router goes on to be one', async () => {
  setForwarding('1');
  const [one, other] = [outside(0), outside(1)];
  await other.listen('tcp', 80, '::');
  await the.host.raise(dualNetwork(20));
  expect(await one.ask('tcp', '192.0.3.2', 80)).toBe('from 192.0.2.2');
  expect(await one.ask('tcp', 'fd98::2', 80)).toBe('from fd99::2');
  await the.host.clear();
  expect(forwarding()).toEqual(['1', '1']);
});

test('neither the host nor a container believes a container that says it is a router', async () => {
  const [net, old] = [dualNetwork(20), network(21)];
  await the.host.raise(net);
  await the.host.raise(old);
  const a = guest(net, '172.20.0.2/16', 'fd00:20::2/64');
  expect(linkSetting(6, 'br20', 'accept_ra')).toBe('0');
  expect(linkSetting(6, 'br20', 'disable_ipv6')).toBe('0');
  expect(linkSetting(6, 'br21', 'disable_ipv6')).toBe('1');
  expect(linkSetting(6, cableName(a.endpoint), 'disable_ipv6')).toBe('1');
  expect(inNamespace(a.namespace, () => linkSetting(6, 'eth0', 'accept_ra'))).toBe('0');
});

test('the host keeps the route of a router outside when forwarding is turned on, and takes none from a container', async () => {
  setForwarding('0');
  const router = outside();
  fs.writeFileSync('/proc/sys/net/ipv6/conf/outer0/accept_ra', '1');
  const defaultLinks = () =>
    withNetlink(NETLINK_ROUTE, (socket) =>
      listRoutes(socket)
        .filter(({ family, prefix }) => family === 6 && prefix === 0)
        .map(({ index }) => listLinks(socket).find((link) => link.index === index)!.name),
    );
  // Its link-local address cannot be used at once.
  const learned = async () => {
    await expect
      .poll(() => {
        advertiseRouter(router.namespace, 'eth0');
        return defaultLinks();
      })
      .toContain('outer0');
  };
  await learned();
  const net = dualNetwork(20);
  await the.host.raise(net);
  expect(defaultLinks()).toEqual(['outer0']);
  const [a, b] = [guest(net, '172.20.0.2/16', 'fd00:20::2/64'), guest(net, '172.20.0.3/16', 'fd00:20::3/64')];
  const ofA = () => inNamespace(a.namespace, defaultLinks);
  expect(ofA()).toEqual(['eth0']);
  advertiseRouter(b.namespace, 'eth0');
  await learned();
  expect(defaultLinks()).toEqual(['outer0']);
  expect(ofA()).toEqual(['eth0']);
});

test.each(['drop', 'clear'] as const)('after %s a bridge of somebody else is as it was', async (end) => {
  const state = () =>
    withNetlink(NETLINK_ROUTE, (socket) => {
      const { index, mtu, alias } = findLink(socket, 'docker0')!;
      const addresses = listAddresses(socket).filter((one) => one.index === index && !one.isLinkLocal);
      return {
        mtu,
        alias,
        addresses: addresses.map(formatCidr),
        localnet: linkSetting(4, 'docker0', 'route_localnet'),
      };
    });
  withNetlink(NETLINK_ROUTE, (socket) => {
    createBridge(socket, 'docker0', '02:42:0a:00:00:01', 'somebody');
    addAddress(socket, findLink(socket, 'docker0')!.index, parseCidr('172.17.0.1/16'));
  });
  try {
    const before = state();
    // For a host that was no router the bridge is one of its own links, and yet that of a network.
    setForwarding('0');
    const machine = outside();
    await machine.listen('tcp', 80);
    const net = network(20, { bridge: 'docker0', mtu: 1400 });
    await the.host.raise(net);
    expect(state()).toMatchObject({ mtu: 1400, addresses: ['172.17.0.1/16', '172.20.0.1/16'], localnet: '1' });
    expect(await guest(net, '172.20.0.2/16').ask('tcp', '192.0.2.2', 80)).toBe('from 192.0.2.1');
    the.host.close();
    the.host = openHost();
    await the.host.takeOver([net], []);
    if (end === 'drop') await the.host.drop(net);
    else await the.host.clear();
    expect(linkNames()).toContain('docker0');
    expect(state()).toEqual(before);
  } finally {
    withNetlink(NETLINK_ROUTE, (socket) => deleteLink(socket, 'docker0'));
  }
});
