/** Packets that arrive, and packets that must not: bridges, ports and rules, in network namespaces of the test's own. */

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { O_RDONLY, open } from '#kernel/descriptors';
import { NETLINK_ROUTE } from '#kernel/netlink';
import { macFromAddress } from './bridge.ts';
import type { BridgeNetwork, Endpoint, HostNetwork, PublishedPort } from './contract/network.ts';
import { openHostNetwork } from './host-network.ts';
import { formatCidr, parseAddress, parseCidr } from './ip-address.ts';
import { inNamespace } from './namespace.ts';
import { addAddress } from './netlink/address.ts';
import { listConnections } from './netlink/conntrack.ts';
import { changeLink, createCable, findLink, listLinks } from './netlink/link.ts';
import { addDefaultRoute } from './netlink/route.ts';
import { type NetlinkSocket, withNetlink } from './netlink/socket.ts';
import { defaultRanges, freeSubnet, hostSubnets } from './subnet-pool.ts';
import { enterOwnNetwork, Inhabitant } from './testing/own-network.ts';

let home: () => void;
let host: HostNetwork;
let inhabitants: Inhabitant[] = [];

beforeAll(() => {
  home = enterOwnNetwork();
});
afterAll(() => home());
beforeEach(() => {
  host = openHostNetwork({ root: 'test', ipForward: true });
});
afterEach(async () => {
  await Promise.all(inhabitants.map((one) => one.end()));
  inhabitants = [];
  await host.clear();
  expect(names().filter((name) => name !== 'lo')).toEqual([]);
});

function names(): string[] {
  return withNetlink(NETLINK_ROUTE, (socket) => listLinks(socket).map(({ name }) => name));
}

function network(number: number, change: Partial<BridgeNetwork> = {}): BridgeNetwork {
  return {
    id: randomBytes(32).toString('hex'),
    bridge: `br${number}`,
    subnets: [{ subnet: `172.${number}.0.0/16`, gateway: `172.${number}.0.1` }],
    internal: false,
    icc: true,
    masquerade: true,
    mtu: 0,
    ...change,
  };
}

interface Guest extends Inhabitant {
  endpoint: Endpoint;
}

function guest(of: BridgeNetwork, ...addresses: string[]): Guest {
  const one = new Inhabitant();
  inhabitants.push(one);
  const endpoint: Endpoint = {
    id: randomBytes(32).toString('hex'),
    network: of,
    interface: 'eth0',
    addresses,
    mac: macFromAddress(addresses[0]!.split('/')[0]!),
    isGateway: true,
  };
  host.connect(endpoint, one.namespace);
  return Object.assign(one, { endpoint });
}

describe('a bridge', () => {
  test('two containers reach each other under their own addresses', async () => {
    const net = network(20);
    await host.raise(net);
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
});

function port(of: Guest, hostPort: number, change: Partial<PublishedPort> = {}): PublishedPort {
  const containerAddress = of.endpoint.addresses[0]!.split('/')[0]!;
  return { protocol: 'tcp', containerAddress, containerPort: 80, hostAddress: '0.0.0.0', hostPort, ...change };
}

/** A machine beside this one, at 192.0.2.2, that sends what is for 172.16.0.0/12 to it. */
function outside(): Inhabitant {
  const one = new Inhabitant();
  inhabitants.push(one);
  withNetlink(NETLINK_ROUTE, (socket) => {
    const wire = { name: 'outer0', alias: 'skiff-test outside', master: 0, mtu: 0 };
    createCable(socket, { ...wire, peer: { name: 'eth0', mac: '02:42:00:00:00:02', namespace: one.namespace } });
    setUp(socket, 'outer0', '192.0.2.1/24');
  });
  inNamespace(one.namespace, () =>
    withNetlink(NETLINK_ROUTE, (socket) => {
      const index = setUp(socket, 'eth0', '192.0.2.2/24');
      addDefaultRoute(socket, index, { family: 4, address: parseAddress('192.0.2.1').value });
    }),
  );
  return one;
}

function setUp(socket: NetlinkSocket, name: string, address: string): number {
  const link = findLink(socket, name)!;
  addAddress(socket, link.index, parseCidr(address));
  changeLink(socket, link, { isUp: true });
  return link.index;
}

test('a free subnet is not one that the host reaches already', async () => {
  await host.raise(network(17));
  expect(formatCidr(freeSubnet(defaultRanges, hostSubnets()))).toBe('172.18.0.0/16');
});

describe('published ports', () => {
  test('are reached from outside, from the loopback, from other containers and from the container itself', async () => {
    const [net, other] = [network(20), network(21)];
    await host.raise(net);
    await host.raise(other);
    const [server, neighbour, stranger] = [
      guest(net, '172.20.0.2/16'),
      guest(net, '172.20.0.3/16'),
      guest(other, '172.21.0.2/16'),
    ];
    const machine = outside();
    const local = new Inhabitant(openOwn());
    inhabitants.push(local);
    for (const protocol of ['tcp', 'udp'] as const) {
      await server.listen(protocol, 80);
      await host.publish(net, [port(server, 8080, { protocol })]);
      expect(await machine.ask(protocol, '192.0.2.1', 8080)).toBe('from 192.0.2.2');
      expect(await local.ask(protocol, '127.0.0.1', 8080)).toBe('from 172.20.0.1');
      expect(await local.ask(protocol, '192.0.2.1', 8080)).toBe('from 192.0.2.1');
      expect(await stranger.ask(protocol, '192.0.2.1', 8080)).toMatch(/^from 172\.20\.0\.1$/);
      expect(await neighbour.ask(protocol, '192.0.2.1', 8080)).toBe('from 172.20.0.1');
      expect(await neighbour.ask(protocol, '172.20.0.1', 8080)).toBe('from 172.20.0.1');
      expect(await server.ask(protocol, '192.0.2.1', 8080)).toBe('from 172.20.0.1');
      expect(await machine.ask(protocol, '172.20.0.2', 80)).toBe('silence');
      const connections = listConnections().filter(({ original }) => original.destinationPort === 8080);
      expect(connections.map(({ reply }) => reply.source)).toContain('172.20.0.2');
      expect(await machine.ask(protocol, '192.0.2.1', 8081)).not.toMatch(/^from/);
    }
  });
});

function openOwn(): number {
  return open('/proc/thread-self/ns/net', O_RDONLY);
}
