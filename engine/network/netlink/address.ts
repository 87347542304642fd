/** Addresses of links. rtnetlink(7), linux/if_addr.h. */

import { KernelError } from '#kernel/errors';
import { type Cidr, formatCidr, fromBytes, lastOf, toBytes } from '../ip-address.ts';
import { attribute, type NetlinkMessage, splitBody, u32 } from './message.ts';
import { type NetlinkSocket, NLM_F_CREATE, NLM_F_REPLACE, type Request } from './socket.ts';

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const IFADDRMSG_BYTES = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 2;
const RT_SCOPE_LINK = 253;
export const AF_INET = 2;
export const AF_INET6 = 10;

function ifaddrmsg(family: number, prefix: number, index: number): Buffer {
  const bytes = Buffer.alloc(IFADDRMSG_BYTES);
  bytes.writeUInt8(family, 0);
  bytes.writeUInt8(prefix, 1);
  bytes.writeUInt32LE(index, 4);
  return bytes;
}

function request(name: string, type: number, flags: number, index: number, cidr: Cidr): Request {
  const address = toBytes(cidr.family, cidr.address);
  const body = [
    ifaddrmsg(cidr.family === 4 ? AF_INET : AF_INET6, cidr.prefix, index),
    attribute(IFA_LOCAL, address),
    attribute(IFA_ADDRESS, address),
  ];
  if (type === RTM_NEWADDR && cidr.family === 4 && cidr.prefix < 31)
    body.push(attribute(IFA_BROADCAST, toBytes(4, lastOf(cidr))));
  // An address of the engine's is the only one of its kind: to look for another takes a second in which it cannot be used.
  if (type === RTM_NEWADDR && cidr.family === 6) body.push(attribute(IFA_FLAGS, u32(IFA_F_NODAD)));
  return { name, subject: formatCidr(cidr), type, flags, body: Buffer.concat(body) };
}

/** Give a link an address and the route to its subnet; one that it has already stays. */
export function addAddress(socket: NetlinkSocket, index: number, cidr: Cidr): void {
  socket.request(request('RTM_NEWADDR', RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, cidr));
}

/** Take it away. It need not be there. */
export function deleteAddress(socket: NetlinkSocket, index: number, cidr: Cidr): void {
  try {
    socket.request(request('RTM_DELADDR', RTM_DELADDR, 0, index, cidr));
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== 'EADDRNOTAVAIL') throw error;
  }
}

export interface LinkAddress extends Cidr {
  /** Of the link. */
  index: number;
  /** Whether it is the kernel's own, which no other link can be asked by. */
  isLinkLocal: boolean;
}

/** Every address of every link of the namespace. */
export function listAddresses(socket: NetlinkSocket): LinkAddress[] {
  return socket
    .dump({ name: 'RTM_GETADDR', subject: 'all addresses', type: RTM_GETADDR, flags: 0, body: ifaddrmsg(0, 0, 0) })
    .map(readAddress)
    .filter((address) => address !== null);
}

/** Null for an address that is not of IPv4 or IPv6. @throws MalformedMessage */
export function readAddress({ body }: NetlinkMessage): LinkAddress | null {
  const { fixed, attributes } = splitBody(body, IFADDRMSG_BYTES);
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return null;
  const { family, value } = fromBytes(bytes);
  const prefix = Math.min(fixed.readUInt8(1), bytes.length * 8);
  return {
    family,
    address: value,
    prefix,
    index: fixed.readUInt32LE(4),
    isLinkLocal: fixed.readUInt8(3) === RT_SCOPE_LINK,
  };
}
