/** A container's link: one end in the bridge, the other in the container's namespace with its addresses and routes. */

import { NETLINK_ROUTE } from '#kernel/netlink';
import { cableAlias, gatewaysOf, portOf } from './bridge.ts';
import type { Endpoint } from './contract/network.ts';
import { NetworkError } from './errors.ts';
import { setLinkSetting } from './forwarding.ts';
import { parseCidr } from './ip-address.ts';
import { inNamespace } from './namespace.ts';
import { addAddress } from './netlink/address.ts';
import { cutAddress, whereTracked } from './netlink/conntrack.ts';
import { changeLink, createCable, deleteLink, findLink, type Link } from './netlink/link.ts';
import { addDefaultRoute } from './netlink/route.ts';
import { type NetlinkSocket, withNetlink } from './netlink/socket.ts';

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** The host's end, whose name follows from the endpoint: a daemon that knows the record finds the link. */
export function cableName({ id }: Pick<Endpoint, 'id'>): string {
  return `veth${id.slice(0, 11)}`;
}

/** Plug the container into `bridge`. @throws NetworkError, KernelError; nothing is left then */
export function plug(endpoint: Endpoint, bridge: Link, namespace: number, owner: string): void {
  const { network, mac } = endpoint;
  if (!MAC.test(mac))
    throw new NetworkError(`${JSON.stringify(mac.slice(0, 40))} is not a MAC address such as 02:42:ac:11:00:02.`);
  const name = cableName(endpoint);
  withNetlink(NETLINK_ROUTE, (socket) => {
    const alias = cableAlias(owner, network);
    const peer = { name: endpoint.interface, mac, namespace };
    createCable(socket, { name, alias, master: bridge.index, mtu: network.mtu, peer });
    try {
      const link = findLink(socket, name)!;
      // The host speaks by the bridge; at this end it has nothing to hear.
      setLinkSetting(6, name, 'disable_ipv6', '1');
      changeLink(socket, link, { isUp: true, withoutLinkLocal: true, port: portOf(network) });
      inNamespace(namespace, () => configure(endpoint));
    } catch (error) {
      deleteLink(socket, name);
      throw error;
    }
  });
}

/** The container's side, in its namespace. */
function configure(endpoint: Endpoint): void {
  const { interface: name, addresses, isGateway } = endpoint;
  const own = addresses.map(parseCidr);
  const hasV6 = own.some(({ family }) => family === 6);
  // Before IPv6 is on: its routes are those of the engine, whatever a neighbour says of itself as a router.
  setLinkSetting(6, name, 'accept_ra', '0');
  setLinkSetting(6, name, 'disable_ipv6', hasV6 ? '0' : '1');
  // Bridges send a container's own question for its link-local address back to it, which would look like a second owner.
  setLinkSetting(6, name, 'accept_dad', '0');
  // Neighbours that remember an earlier owner of the address are told the new one.
  setLinkSetting(4, name, 'arp_notify', '1');
  setLinkSetting(6, name, 'ndisc_notify', '1');
  withNetlink(NETLINK_ROUTE, (socket) => {
    const link = findLink(socket, name)!;
    for (const address of own.filter(({ family }) => family === 4)) addAddress(socket, link.index, address);
    changeLink(socket, link, { isUp: true });
    for (const address of own.filter(({ family }) => family === 6)) addAddress(socket, link.index, address);
    if (isGateway) addDefaultRoutes(socket, link, endpoint);
  });
}

/** Lead the default routes of the container through this link, away from the one that has them. @throws NetworkError */
export function lead(endpoint: Endpoint, namespace: number): void {
  inNamespace(namespace, () =>
    withNetlink(NETLINK_ROUTE, (socket) => {
      const link = findLink(socket, endpoint.interface);
      if (link === undefined) throw new NetworkError(`The container has no link ${endpoint.interface} any more.`);
      addDefaultRoutes(socket, link, endpoint);
    }),
  );
}

function addDefaultRoutes(socket: NetlinkSocket, link: Link, { network, addresses }: Endpoint): void {
  if (network.internal) return;
  const own = addresses.map(parseCidr);
  for (const family of [4, 6]) {
    const gateway = gatewaysOf(network).find((one) => one.family === family);
    if (gateway && own.some((address) => address.family === family)) addDefaultRoute(socket, link.index, gateway);
  }
}

/** Remove the link and what the kernel remembers of its connections. It need not be there. */
export function unplug(endpoint: Endpoint, warn: (message: string) => void): void {
  withNetlink(NETLINK_ROUTE, (socket) => deleteLink(socket, cableName(endpoint)));
  whereTracked(() => {
    for (const address of endpoint.addresses) cutAddress(address.split('/')[0]!);
  }, warn);
}
