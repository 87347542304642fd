/** Bridges: a link of the host's that containers are plugged into, and that has the gateways' addresses. */

import { randomBytes } from 'node:crypto';
import { NETLINK_ROUTE } from '#kernel/netlink';
import type { BridgeNetwork } from './contract/network.ts';
import { NetworkError } from './errors.ts';
import { bridgesFilter, linkSetting, routeLoopback, setLinkSetting } from './forwarding.ts';
import type { HostChanges } from './host-changes.ts';
import { type Cidr, formatAddress, formatCidr, parseAddress, parseCidr } from './ip-address.ts';
import { addAddress, deleteAddress, listAddresses } from './netlink/address.ts';
import { changeLink, createBridge, deleteLink, findLink, type Link, listLinks } from './netlink/link.ts';
import { type NetlinkSocket, withNetlink } from './netlink/socket.ts';

/** What nft and /proc/sys can name as well. */
const LINK_NAME = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,15}$/;

/** The gateways with the prefixes of their subnets. */
export function gatewaysOf({ subnets }: BridgeNetwork): Cidr[] {
  return subnets.map(({ subnet, gateway }) => {
    const { family, value } = parseAddress(gateway);
    return { family, address: value, prefix: parseCidr(subnet).prefix };
  });
}

/**
 * Make the bridge of a network, or put right what differs. Cables that lost their bridge are plugged in again.
 * @param owner the alias by which we know our links. @param changes where it is noted what a bridge of somebody else gets
 * @throws NetworkError, KernelError. A bridge that was made by this call is gone then.
 */
export function raiseBridge(network: BridgeNetwork, owner: string, changes: HostChanges): Link {
  const { bridge: name, mtu } = network;
  if (!LINK_NAME.test(name))
    throw new NetworkError(
      `${JSON.stringify(name.slice(0, 40))} cannot be the name of a bridge: use 1 to 15 of A–Z, a–z, 0–9, "_", "." and "-".`,
    );
  return withNetlink(NETLINK_ROUTE, (socket) => {
    const before = findLink(socket, name);
    if (before !== undefined && before.kind !== 'bridge')
      throw new NetworkError(
        `The link ${name} exists and is not a bridge. Give the network another name with --opt com.docker.network.bridge.name=NAME.`,
      );
    if (before === undefined) createBridge(socket, name, randomMac(), owner);
    try {
      const link = before ?? findLink(socket, name)!;
      if (before === undefined || !network.icc) plugIn(socket, network, link, owner);
      const isOurs = link.alias === owner;
      if (!isOurs) noteChanges(socket, network, link, changes);
      if (mtu !== 0 && link.mtu !== mtu) changeLink(socket, link, { mtu });
      setAddresses(socket, network, link, isOurs);
      if (!link.isUp) changeLink(socket, link, { isUp: true });
      routeLoopback(name);
      return link;
    } catch (error) {
      if (before === undefined) deleteLink(socket, name);
      throw error;
    }
  });
}

function setAddresses(socket: NetlinkSocket, network: BridgeNetwork, link: Link, isOurs: boolean): void {
  const wanted = gatewaysOf(network);
  const hasV6 = wanted.some(({ family }) => family === 6);
  if (isOurs) {
    // Before IPv6 is on: a container could say that it is the host's router (CVE-2020-13401).
    setLinkSetting(6, link.name, 'accept_ra', '0');
    // Nobody else makes addresses here: without looking for a twin of them first, the gateway answers at once.
    setLinkSetting(6, link.name, 'accept_dad', '0');
    setLinkSetting(6, link.name, 'disable_ipv6', hasV6 ? '0' : '1');
  }
  const present = addressesOf(socket, link);
  // A bridge that somebody else made keeps what he gave it.
  if (isOurs)
    for (const address of present) if (!wanted.some(same(address))) deleteAddress(socket, link.index, address);
  for (const address of wanted) if (!present.some(same(address))) addAddress(socket, link.index, address);
}

function addressesOf(socket: NetlinkSocket, { index }: Link): Cidr[] {
  return listAddresses(socket).filter((address) => address.index === index && !address.isLinkLocal);
}

function same(one: Cidr): (other: Cidr) => boolean {
  return ({ family, address, prefix }) => one.family === family && one.address === address && one.prefix === prefix;
}

/** Before they are made: what a bridge that somebody else made is to lose again when the network goes. */
function noteChanges(socket: NetlinkSocket, network: BridgeNetwork, link: Link, changes: HostChanges): void {
  const present = addressesOf(socket, link);
  const missing = gatewaysOf(network).filter((wanted) => !present.some(same(wanted)));
  changes.borrow(link.name, {
    addresses: missing.map(formatCidr),
    localnet: linkSetting(4, link.name, 'route_localnet') === '0',
    mtu: network.mtu !== 0 && network.mtu !== link.mtu ? link.mtu : 0,
  });
}

function giveBack(socket: NetlinkSocket, name: string, changes: HostChanges): void {
  const before = changes.giveBack(name);
  const link = findLink(socket, name);
  if (before === undefined || link === undefined) return;
  if (before.localnet) setLinkSetting(4, name, 'route_localnet', '0');
  for (const address of before.addresses) deleteAddress(socket, link.index, parseCidr(address));
  if (before.mtu !== 0) changeLink(socket, link, { mtu: before.mtu });
}

/** The cables of containers whose bridge somebody removed, and of those that br_netfilter was turned on or off for. */
function plugIn(socket: NetlinkSocket, network: BridgeNetwork, bridge: Link, owner: string): void {
  for (const cable of listLinks(socket))
    if (cable.alias === cableAlias(owner, network)) {
      const port = portOf(network);
      if (cable.master === bridge.index && cable.isIsolated === port.isolated) continue;
      if (cable.master !== bridge.index) changeLink(socket, cable, { master: bridge.index });
      changeLink(socket, cable, { isUp: true, port });
    }
}

/** The alias of a cable tells which network it belongs to. */
export function cableAlias(owner: string, { id }: BridgeNetwork): string {
  return `${owner} ${id}`;
}

/**
 * How a container is plugged in. Where br_netfilter is on, a bridge passes frames through the rules of forwarding by itself
 * and sends those for a published port on to its container, which may be the one that they came from: that is a hairpin, and
 * ports that are isolated would drop them. Where it is off no rule sees frames, and only the isolation keeps them apart.
 */
export function portOf({ icc }: BridgeNetwork): { hairpin: boolean; isolated: boolean } {
  return { hairpin: true, isolated: !icc && !bridgesFilter() };
}

/** Remove the bridge of a network if we made it, else what we gave it. It need not be there. */
export function dropBridge({ bridge }: BridgeNetwork, owner: string, changes: HostChanges): void {
  withNetlink(NETLINK_ROUTE, (socket) => {
    if (findLink(socket, bridge)?.alias === owner) deleteLink(socket, bridge);
    giveBack(socket, bridge, changes);
  });
}

/** Remove every bridge and every cable that bears our alias, and what we gave to bridges of others. */
export function dropAll(owner: string, changes: HostChanges): void {
  withNetlink(NETLINK_ROUTE, (socket) => {
    for (const [name] of changes.borrowedBridges()) giveBack(socket, name, changes);
    for (const { name, alias } of listLinks(socket))
      if (alias === owner || alias.startsWith(`${owner} `)) deleteLink(socket, name);
  });
}

/** Not of any maker of cards: the second bit of the first byte says "locally administered". */
export function randomMac(): string {
  return `02:42:${Array.from(randomBytes(4), (byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}

/** As Docker makes them: 02:42 and the four bytes of the IPv4 address. */
export function macFromAddress(address: string): string {
  const { family, value } = parseAddress(address);
  if (family !== 4) return randomMac();
  const bytes = formatAddress(4, value).split('.');
  return `02:42:${bytes.map((byte) => Number(byte).toString(16).padStart(2, '0')).join(':')}`;
}
