/** Routes of the main table. rtnetlink(7), linux/rtnetlink.h. */

import { KernelError } from '#kernel/errors';
import { type Cidr, formatAddress, formatCidr, fromBytes, toBytes } from '../ip-address.ts';
import { AF_INET, AF_INET6 } from './address.ts';
import { attribute, type NetlinkMessage, readU32, splitBody, u32 } from './message.ts';
import { type NetlinkSocket, NLM_F_CREATE, NLM_F_REPLACE } from './socket.ts';

const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTMSG_BYTES = 12;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_TABLE = 15;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;
const RTM_F_CLONED = 0x200;

function rtmsg(
  family: number,
  fields: { table?: number; protocol?: number; type?: number; prefix?: number } = {},
): Buffer {
  const bytes = Buffer.alloc(RTMSG_BYTES);
  bytes.writeUInt8(family, 0);
  bytes.writeUInt8(fields.prefix ?? 0, 1);
  bytes.writeUInt8(fields.table ?? 0, 4);
  bytes.writeUInt8(fields.protocol ?? 0, 5);
  bytes.writeUInt8(fields.type ?? 0, 7);
  return bytes;
}

type Gateway = Pick<Cidr, 'family' | 'address'>;

/** Send everything without a route of its own to `gateway`, through the link of that index. */
export function addDefaultRoute(socket: NetlinkSocket, index: number, gateway: Gateway): void {
  addRoute(socket, index, { family: gateway.family, address: 0n, prefix: 0 }, gateway);
}

/** Send what is for `destination` to `gateway`. One that is there already is replaced. */
export function addRoute(socket: NetlinkSocket, index: number, destination: Cidr, gateway: Gateway): void {
  const { family, address } = gateway;
  const { prefix } = destination;
  socket.request({
    name: 'RTM_NEWROUTE',
    subject: `${prefix === 0 ? 'default' : formatCidr(destination)} by ${formatAddress(family, address)}`,
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: Buffer.concat([
      rtmsg(family === 4 ? AF_INET : AF_INET6, {
        table: RT_TABLE_MAIN,
        protocol: RTPROT_BOOT,
        type: RTN_UNICAST,
        prefix,
      }),
      ...(prefix === 0 ? [] : [attribute(RTA_DST, toBytes(family, destination.address))]),
      attribute(RTA_GATEWAY, toBytes(family, address)),
      attribute(RTA_OIF, u32(index)),
    ]),
  });
}

export interface Route extends Cidr {
  /** Of the link; 0 if there are several or none. */
  index: number;
  hasGateway: boolean;
}

/** The routes of the main table, default routes with prefix 0. */
export function listRoutes(socket: NetlinkSocket): Route[] {
  return [AF_INET, AF_INET6].flatMap((family) =>
    mainTable(socket, family)
      .map(readRoute)
      .filter((route) => route !== null),
  );
}

/** Other tables may have the whole internet's routes. Linux before 4.20 sends them all the same. */
function mainTable(socket: NetlinkSocket, family: number): NetlinkMessage[] {
  const body = rtmsg(family, { table: RT_TABLE_MAIN });
  try {
    return socket.dump({ name: 'RTM_GETROUTE', subject: 'all routes', type: RTM_GETROUTE, flags: 0, body });
  } catch (error) {
    // The kernel makes a table with its first route.
    if (error instanceof KernelError && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Null for what is not a route of the main table. @throws MalformedMessage */
export function readRoute({ body }: NetlinkMessage): Route | null {
  const { fixed, attributes } = splitBody(body, RTMSG_BYTES);
  const family = fixed.readUInt8(0);
  const table = readU32(attributes.get(RTA_TABLE)) ?? fixed.readUInt8(4);
  const isOurs = family === AF_INET || family === AF_INET6;
  if (!isOurs || table !== RT_TABLE_MAIN || fixed.readUInt8(7) !== RTN_UNICAST || fixed.readUInt32LE(8) & RTM_F_CLONED)
    return null;
  const destination = attributes.get(RTA_DST);
  const bytes = family === AF_INET ? 4 : 16;
  if (destination !== undefined && destination.length !== bytes) return null;
  return {
    family: family === AF_INET ? 4 : 6,
    address: destination === undefined ? 0n : fromBytes(destination).value,
    prefix: destination === undefined ? 0 : Math.min(fixed.readUInt8(1), bytes * 8),
    index: readU32(attributes.get(RTA_OIF)) ?? 0,
    hasGateway: attributes.has(RTA_GATEWAY),
  };
}
