/** Links: bridges, the two ends of a cable, and what is set on them. rtnetlink(7), linux/if_link.h. */

import { KernelError } from '#kernel/errors';
import {
  attribute,
  decodeAttributes,
  type NetlinkMessage,
  nested,
  readText,
  readU32,
  splitBody,
  text,
  u8,
  u32,
} from './message.ts';
import { type NetlinkSocket, NLM_F_CREATE, NLM_F_EXCL, type Request } from './socket.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const IFINFOMSG_BYTES = 16;

const IFF_UP = 1;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const AF_INET6 = 10;

const NOTHING = Buffer.alloc(0);

export interface Link {
  index: number;
  name: string;
  /** `bridge`, `veth` and others; empty for a device of the machine's. */
  kind: string;
  isUp: boolean;
  /** Six bytes in hexadecimal with colons; empty where there are none. */
  mac: string;
  mtu: number;
  /** The index of the bridge that it is a port of; 0 if it is not. */
  master: number;
  /** A text for people and for us: who made it. */
  alias: string;
  /** Of a bridge's port: whether it reaches no other port of its kind. */
  isIsolated: boolean;
}

/** struct ifinfomsg. `change` says which of the flags are meant. */
function ifinfomsg(index: number, flags: number, change: number): Buffer {
  const bytes = Buffer.alloc(IFINFOMSG_BYTES);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(change, 12);
  return bytes;
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/**
 * Make a bridge. It gets the address of a port unless it has one of its own, and would change it with every container.
 * @param alias who makes it, at most 255 bytes; it is there from the first moment on
 */
export function createBridge(socket: NetlinkSocket, name: string, mac: string, alias: string): void {
  const create: Request = {
    name: 'RTM_NEWLINK',
    subject: `bridge ${name}`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([
      ifinfomsg(0, 0, 0),
      attribute(IFLA_IFNAME, text(name)),
      attribute(IFLA_ADDRESS, macBytes(mac)),
      nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, text('bridge'))),
    ]),
  };
  socket.requests([create, setAlias(name, alias)]);
}

/** The kernel takes an alias only of a link that exists. */
function setAlias(name: string, alias: string): Request {
  return {
    name: 'RTM_NEWLINK',
    subject: `alias of ${name}`,
    type: RTM_NEWLINK,
    flags: 0,
    body: Buffer.concat([
      ifinfomsg(0, 0, 0),
      attribute(IFLA_IFNAME, text(name)),
      attribute(IFLA_IFALIAS, Buffer.from(alias)),
    ]),
  };
}

/** A cable of two ends, made in one step: one in the socket's namespace as a port of a bridge, one in another. */
export interface Cable {
  name: string;
  /** Who makes it, at most 255 bytes. */
  alias: string;
  /** The index of the bridge. */
  master: number;
  /** Bytes; 0 for the kernel's default. */
  mtu: number;
  /** @param namespace a descriptor of the peer's network namespace */
  peer: { name: string; mac: string; namespace: number };
}

/** Both ends are down. @throws KernelError EEXIST, EINVAL; nothing is left then */
export function createCable(socket: NetlinkSocket, { name, alias, master, mtu, peer }: Cable): void {
  const size = mtu === 0 ? [] : [attribute(IFLA_MTU, u32(mtu))];
  const peerInfo = nested(
    VETH_INFO_PEER,
    ifinfomsg(0, 0, 0),
    attribute(IFLA_IFNAME, text(peer.name)),
    attribute(IFLA_ADDRESS, macBytes(peer.mac)),
    attribute(IFLA_NET_NS_FD, u32(peer.namespace)),
    ...size,
  );
  const create: Request = {
    name: 'RTM_NEWLINK',
    subject: `veth ${name} with ${peer.name}`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([
      ifinfomsg(0, 0, 0),
      attribute(IFLA_IFNAME, text(name)),
      attribute(IFLA_MASTER, u32(master)),
      ...size,
      nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, text('veth')), nested(IFLA_INFO_DATA, peerInfo)),
    ]),
  };
  socket.requests([create, setAlias(name, alias)]);
}

/** What is changed on a link that exists. Absent fields stay as they are. */
export interface LinkChange {
  isUp?: boolean;
  mtu?: number;
  mac?: string;
  /** The index of the bridge that it becomes a port of. */
  master?: number;
  /** Without it the kernel gives every link a link-local IPv6 address. */
  withoutLinkLocal?: boolean;
  /** Of a bridge's port: whether a frame may leave where it came in, and whether other such ports are out of its reach. */
  port?: { hairpin: boolean; isolated: boolean };
}

export function changeLink(
  socket: NetlinkSocket,
  { index, name }: Pick<Link, 'index' | 'name'>,
  change: LinkChange,
): void {
  const { isUp, mtu, mac, master, withoutLinkLocal, port } = change;
  const body = [ifinfomsg(index, isUp ? IFF_UP : 0, isUp === undefined ? 0 : IFF_UP)];
  if (mtu !== undefined) body.push(attribute(IFLA_MTU, u32(mtu)));
  if (mac !== undefined) body.push(attribute(IFLA_ADDRESS, macBytes(mac)));
  if (master !== undefined) body.push(attribute(IFLA_MASTER, u32(master)));
  if (withoutLinkLocal)
    body.push(nested(IFLA_AF_SPEC, nested(AF_INET6, attribute(IFLA_INET6_ADDR_GEN_MODE, u8(IN6_ADDR_GEN_MODE_NONE)))));
  if (port)
    body.push(
      nested(
        IFLA_LINKINFO,
        attribute(IFLA_INFO_SLAVE_KIND, text('bridge')),
        nested(
          IFLA_INFO_SLAVE_DATA,
          attribute(IFLA_BRPORT_MODE, u8(port.hairpin ? 1 : 0)),
          attribute(IFLA_BRPORT_ISOLATED, u8(port.isolated ? 1 : 0)),
        ),
      ),
    );
  socket.request({ name: 'RTM_NEWLINK', subject: name, type: RTM_NEWLINK, flags: 0, body: Buffer.concat(body) });
}

/** Remove a link, and with one end of a cable the other. @returns whether it was there. */
export function deleteLink(socket: NetlinkSocket, name: string): boolean {
  try {
    socket.request({
      name: 'RTM_DELLINK',
      subject: name,
      type: RTM_DELLINK,
      flags: 0,
      body: Buffer.concat([ifinfomsg(0, 0, 0), attribute(IFLA_IFNAME, text(name))]),
    });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENODEV') return false;
    throw error;
  }
}

/** Every link of the namespace. */
export function listLinks(socket: NetlinkSocket): Link[] {
  return socket
    .dump({ name: 'RTM_GETLINK', subject: 'all links', type: RTM_GETLINK, flags: 0, body: ifinfomsg(0, 0, 0) })
    .map(readLink);
}

/** @throws MalformedMessage if it is cut off */
export function readLink({ body }: NetlinkMessage): Link {
  const { fixed, attributes } = splitBody(body, IFINFOMSG_BYTES);
  const info = decodeAttributes(attributes.get(IFLA_LINKINFO) ?? NOTHING);
  const port = decodeAttributes(info.get(IFLA_INFO_SLAVE_DATA) ?? NOTHING);
  return {
    index: fixed.readInt32LE(4),
    name: readText(attributes.get(IFLA_IFNAME)) ?? '',
    kind: readText(info.get(IFLA_INFO_KIND)) ?? '',
    isUp: (fixed.readUInt32LE(8) & IFF_UP) !== 0,
    mac: Array.from(attributes.get(IFLA_ADDRESS) ?? [], (byte) => byte.toString(16).padStart(2, '0')).join(':'),
    mtu: readU32(attributes.get(IFLA_MTU)) ?? 0,
    master: readU32(attributes.get(IFLA_MASTER)) ?? 0,
    alias: readText(attributes.get(IFLA_IFALIAS)) ?? '',
    isIsolated: port.get(IFLA_BRPORT_ISOLATED)?.[0] === 1,
  };
}

/** One link by its name, without a dump of all; undefined if it is absent. */
export function findLink(socket: NetlinkSocket, name: string): Link | undefined {
  try {
    return readLink(
      socket.get({
        name: 'RTM_GETLINK',
        subject: name,
        type: RTM_GETLINK,
        flags: 0,
        body: Buffer.concat([ifinfomsg(0, 0, 0), attribute(IFLA_IFNAME, text(name))]),
      }),
    );
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENODEV') return undefined;
    throw error;
  }
}
