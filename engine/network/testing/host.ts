/** A host in a network namespace of the test file's own, with containers in it and a machine outside of it. */

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { O_RDONLY, open } from '#kernel/descriptors';
import { NETLINK_ROUTE } from '#kernel/netlink';
import { macFromAddress } from '../bridge.ts';
import type { BridgeNetwork, Endpoint, HostNetwork, HostNetworkOptions, PublishedPort } from '../contract/network.ts';
import { setLinkSetting } from '../forwarding.ts';
import { openHostNetwork } from '../host-network.ts';
import { parseAddress, parseCidr } from '../ip-address.ts';
import { inNamespace } from '../namespace.ts';
import { addAddress } from '../netlink/address.ts';
import { changeLink, createCable, findLink, listLinks } from '../netlink/link.ts';
import { addDefaultRoute } from '../netlink/route.ts';
import { type NetlinkSocket, withNetlink } from '../netlink/socket.ts';
import { enterOwnNetwork, Inhabitant } from './own-network.ts';

/** Made anew for every test. */
export const test = { host: undefined as unknown as HostNetwork };

let inhabitants: Inhabitant[] = [];
let directory = '';

/** To be called once in a test file: each test has a fresh host, and nothing may be left of it. */
export function everyTestHasAHost(): void {
  let home: () => void;
  beforeAll(() => {
    home = enterOwnNetwork();
  });
  afterAll(() => home());
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-host-'));
    test.host = openHost();
  });
  afterEach(async () => {
    await Promise.all(inhabitants.map((one) => one.end()));
    inhabitants = [];
    // The kernel takes the cables of a namespace away a little after its last process.
    await vi.waitFor(() => expect(linkNames().filter((name) => name.startsWith('outer'))).toEqual([]), 10_000);
    await test.host.clear();
    fs.rmSync(directory, { recursive: true });
    expect(linkNames()).toEqual(['lo']);
  });
}

/** The host of this test, as a daemon that starts finds it. */
export function openHost(change: Partial<HostNetworkOptions> = {}): HostNetwork {
  return openHostNetwork({ root: 'test', ipForward: true, directory, ...change });
}

export function linkNames(): string[] {
  return withNetlink(NETLINK_ROUTE, (socket) => listLinks(socket).map(({ name }) => name));
}

/** The network 172.NUMBER.0.0/16 on the bridge brNUMBER. */
export function network(number: number, change: Partial<BridgeNetwork> = {}): BridgeNetwork {
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

/** Both 172.NUMBER.0.0/16 and fd00:NUMBER::/64. */
export function dualNetwork(number: number, change: Partial<BridgeNetwork> = {}): BridgeNetwork {
  const one = network(number, change);
  return { ...one, subnets: [...one.subnets, { subnet: `fd00:${number}::/64`, gateway: `fd00:${number}::1` }] };
}

export interface Guest extends Inhabitant {
  endpoint: Endpoint;
}

/** @param addresses with the prefixes of their subnets */
export function guest(of: BridgeNetwork, ...addresses: string[]): Guest {
  const one = inhabit();
  const endpoint: Endpoint = {
    id: randomBytes(32).toString('hex'),
    network: of,
    interface: 'eth0',
    addresses,
    mac: macFromAddress(addresses[0]!.split('/')[0]!),
    isGateway: true,
  };
  test.host.connect(endpoint, one.namespace);
  return Object.assign(one, { endpoint });
}

/** A process in a namespace, by default one of its own; it ends with the test. */
export function inhabit(namespace?: number): Inhabitant {
  const one = new Inhabitant(namespace);
  inhabitants.push(one);
  return one;
}

/** A process of the host's. */
export function local(): Inhabitant {
  return inhabit(open('/proc/thread-self/ns/net', O_RDONLY));
}

/**
 * A machine beside the host, at 192.0.2.2 and fd99::2, which sends everything to the host at 192.0.2.1 and fd99::1.
 * @param number of the link, outerNUMBER, and of its networks: 192.0.(2 + NUMBER).0/24 and fd(99 - NUMBER)::/64
 */
export function outside(number = 0): Inhabitant {
  const one = inhabit();
  const [name, v4, v6] = [`outer${number}`, `192.0.${2 + number}.`, `fd${99 - number}::`];
  withNetlink(NETLINK_ROUTE, (socket) => {
    const peer = { name: 'eth0', mac: '02:42:00:00:00:02', namespace: one.namespace };
    createCable(socket, { name, alias: 'outside', master: 0, mtu: 0, peer });
    setUp(socket, name, `${v4}1/24`, `${v6}1/64`);
  });
  inNamespace(one.namespace, () =>
    withNetlink(NETLINK_ROUTE, (socket) => {
      const index = setUp(socket, 'eth0', `${v4}2/24`, `${v6}2/64`);
      for (const gateway of [`${v4}1`, `${v6}1`]) {
        const { family, value } = parseAddress(gateway);
        addDefaultRoute(socket, index, { family, address: value });
      }
    }),
  );
  return one;
}

function setUp(socket: NetlinkSocket, name: string, ...addresses: string[]): number {
  const link = findLink(socket, name)!;
  // An address that is still being looked for on the link is silent for a second or two. RFC 4862, section 5.4.
  setLinkSetting(6, name, 'accept_dad', '0');
  changeLink(socket, link, { isUp: true });
  for (const address of addresses) addAddress(socket, link.index, parseCidr(address));
  return link.index;
}

/** Port 80 of a container at a port of the host's, TCP at 0.0.0.0 unless `change` says otherwise. */
export function port(of: Guest, hostPort: number, change: Partial<PublishedPort> = {}): PublishedPort {
  const { family } = parseAddress(change.hostAddress ?? '0.0.0.0');
  const own = of.endpoint.addresses.map((address) => address.split('/')[0]!);
  const containerAddress = own.find((address) => parseAddress(address).family === family)!;
  return { protocol: 'tcp', containerAddress, containerPort: 80, hostAddress: '0.0.0.0', hostPort, ...change };
}
