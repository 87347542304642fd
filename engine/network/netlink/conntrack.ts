/**
 * The connections that the kernel keeps for NAT: a rule counts for the first packet of a connection, and the entry for all
 * others. When a rule is taken back its entries have to go too. linux/netfilter/nfnetlink_conntrack.h.
 */

import { KernelError } from '#kernel/errors';
import { NETLINK_NETFILTER } from '#kernel/netlink';
import { formatAddress, fromBytes, parseAddress, toBytes } from '../ip-address.ts';
import { AF_INET, AF_INET6 } from './address.ts';
import { attribute, decodeAttributes, type NetlinkMessage, nested, splitBody, u8, u32 } from './message.ts';
import { type NetlinkSocket, type Request, withNetlink } from './socket.ts';

const CTNETLINK = 1 << 8; // NFNL_SUBSYS_CTNETLINK
const IPCTNL_MSG_CT_GET = CTNETLINK | 1;
const IPCTNL_MSG_CT_DELETE = CTNETLINK | 2;
const NFGENMSG_BYTES = 4;
/** The kernel goes through all entries for each question: with more ports than this it is asked once. */
const MOST_FILTERS = 16;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
// Bits that say which parts of a tuple are compared.
const CTA_FILTER_IP_SRC = 1 << 0;
const CTA_FILTER_PROTO_NUM = 1 << 3;
const CTA_FILTER_PROTO_DST_PORT = 1 << 5;

/** A packet's ends, in one direction. */
export interface Tuple {
  source: string;
  destination: string;
  /** Of IP: 6 is TCP, 17 UDP, 132 SCTP. */
  protocol: number;
  /** 0 where the protocol has no ports. */
  sourcePort: number;
  destinationPort: number;
}

export interface Connection {
  original: Tuple;
  /** What an answer looks like where it comes from: with NAT it is not the original turned around. */
  reply: Tuple;
  /** What tells the kernel which entry is meant, of use to this file only. */
  family: number;
  key: Buffer;
}

/** Remove the entries that `address` began or is to answer. @returns how many */
export function cutAddress(address: string): number {
  const { family, value } = parseAddress(address);
  const own = formatAddress(family, value);
  return (['original', 'reply'] as const).reduce(
    (count, side) => count + removeWhere(sourceFilter(own, side), (one) => one[side].source === own),
    0,
  );
}

/** Remove those entries whose answers come from `address` that `isMeant` says yes to. @returns how many */
export function cutAnsweredBy(address: string, isMeant: (connection: Connection) => boolean): number {
  const { family, value } = parseAddress(address);
  const own = formatAddress(family, value);
  const filter = sourceFilter(own, 'reply');
  return removeWhere(filter, (connection) => connection.reply.source === own && isMeant(connection));
}

/**
 * Remove those entries of IPv4 or IPv6 that were sent to one of `ports` and that `isMeant` says yes to.
 * @param protocol of IP. @returns how many
 */
export function cutSentTo(
  family: 4 | 6,
  protocol: number,
  ports: ReadonlySet<number>,
  isMeant: (connection: Connection) => boolean,
): number {
  const isSent = ({ original }: Connection) => original.protocol === protocol && ports.has(original.destinationPort);
  const filters =
    ports.size > MOST_FILTERS
      ? [sentFilter(family, protocol, null)]
      : [...ports].map((port) => sentFilter(family, protocol, port));
  return filters.reduce(
    (count, filter) => count + removeWhere(filter, (connection) => isSent(connection) && isMeant(connection)),
    0,
  );
}

/** Each entry is looked at and removed while the kernel sends the next ones: a host can have a million of them. */
function removeWhere(filter: Buffer, isMeant: (connection: Connection) => boolean): number {
  return withNetlink(NETLINK_NETFILTER, (remover) =>
    withNetlink(NETLINK_NETFILTER, (reader) => {
      let count = 0;
      reader.each(listRequest(filter), (message) => {
        const connection = readConnection(message);
        if (connection !== null && isMeant(connection)) count += remove(remover, [connection]);
      });
      return count;
    }),
  );
}

/**
 * Do what needs the kernel's list of connections. Without nf_conntrack_netlink it cannot be had, and connections that are
 * there go on to where they went.
 */
export function whereTracked(task: () => void, warn: (message: string) => void): void {
  try {
    task();
  } catch (error) {
    if (!isWithoutList(error)) throw error;
    warn(
      `connections that were there before a port was published or taken back go on (${(error as Error).message}). Load the kernel module nf_conntrack_netlink.`,
    );
  }
}

/** nfnetlink answers EINVAL where a subsystem is absent. */
function isWithoutList(error: unknown): boolean {
  return error instanceof KernelError && ['EINVAL', 'EOPNOTSUPP', 'EPROTONOSUPPORT'].includes(error.code);
}

/** All entries of the namespace. */
export function listConnections(): Connection[] {
  return withNetlink(NETLINK_NETFILTER, (socket) => list(socket, everything(0)));
}

function everything(family: number): Buffer {
  return Buffer.from([family, 0, 0, 0]); // struct nfgenmsg
}

/** Linux before 5.8 does not know the filter and lists everything; the caller looks at each entry anyway. */
function sourceFilter(address: string, side: 'original' | 'reply'): Buffer {
  const { family, value } = parseAddress(address);
  const tuple = nested(
    side === 'original' ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY,
    nested(CTA_TUPLE_IP, attribute(family === 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, toBytes(family, value))),
  );
  const [original, reply] = side === 'original' ? [CTA_FILTER_IP_SRC, 0] : [0, CTA_FILTER_IP_SRC];
  return Buffer.concat([
    everything(family === 4 ? AF_INET : AF_INET6),
    tuple,
    nested(CTA_FILTER, attribute(CTA_FILTER_ORIG_FLAGS, u32(original)), attribute(CTA_FILTER_REPLY_FLAGS, u32(reply))),
  ]);
}

/** @param port null for any */
function sentFilter(family: 4 | 6, protocol: number, port: number | null): Buffer {
  const number = attribute(CTA_PROTO_NUM, u8(protocol));
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port ?? 0);
  const proto = port === null ? [number] : [number, attribute(CTA_PROTO_DST_PORT, bytes)];
  const flags = port === null ? CTA_FILTER_PROTO_NUM : CTA_FILTER_PROTO_NUM | CTA_FILTER_PROTO_DST_PORT;
  return Buffer.concat([
    everything(family === 4 ? AF_INET : AF_INET6),
    nested(CTA_TUPLE_ORIG, nested(CTA_TUPLE_PROTO, ...proto)),
    nested(CTA_FILTER, attribute(CTA_FILTER_ORIG_FLAGS, u32(flags)), attribute(CTA_FILTER_REPLY_FLAGS, u32(0))),
  ]);
}

function listRequest(body: Buffer): Request {
  return { name: 'IPCTNL_MSG_CT_GET', subject: 'connections', type: IPCTNL_MSG_CT_GET, flags: 0, body };
}

function list(socket: NetlinkSocket, body: Buffer): Connection[] {
  return socket
    .dump(listRequest(body))
    .map(readConnection)
    .filter((connection) => connection !== null);
}

function remove(socket: NetlinkSocket, connections: readonly Connection[]): number {
  let count = 0;
  for (const { family, key } of connections) {
    try {
      const body = Buffer.concat([everything(family), key]);
      socket.request({ name: 'IPCTNL_MSG_CT_DELETE', subject: '', type: IPCTNL_MSG_CT_DELETE, flags: 0, body });
      count++;
    } catch (error) {
      // It ended by itself meanwhile.
      if (!(error instanceof KernelError) || error.code !== 'ENOENT') throw error;
    }
  }
  return count;
}

/** Null for an entry that is not of IPv4 or IPv6. @throws MalformedMessage */
export function readConnection({ body }: NetlinkMessage): Connection | null {
  const { fixed, attributes } = splitBody(body, NFGENMSG_BYTES);
  const [original, reply] = [attributes.get(CTA_TUPLE_ORIG), attributes.get(CTA_TUPLE_REPLY)];
  const tuples = [original, reply].map((bytes) => (bytes ? readTuple(bytes) : null));
  if (!original || !tuples[0] || !tuples[1]) return null;
  const key = [nested(CTA_TUPLE_ORIG, original)];
  for (const type of [CTA_ID, CTA_ZONE]) if (attributes.has(type)) key.push(attribute(type, attributes.get(type)!));
  return { original: tuples[0], reply: tuples[1], family: fixed.readUInt8(0), key: Buffer.concat(key) };
}

function readTuple(bytes: Buffer): Tuple | null {
  const parts = decodeAttributes(bytes);
  const ip = decodeAttributes(parts.get(CTA_TUPLE_IP) ?? Buffer.alloc(0));
  const proto = decodeAttributes(parts.get(CTA_TUPLE_PROTO) ?? Buffer.alloc(0));
  const source = ip.get(CTA_IP_V4_SRC) ?? ip.get(CTA_IP_V6_SRC);
  const destination = ip.get(CTA_IP_V4_DST) ?? ip.get(CTA_IP_V6_DST);
  if (![4, 16].includes(source?.length ?? 0) || source!.length !== destination?.length) return null;
  const text = (address: Buffer) => {
    const { family, value } = fromBytes(address);
    return formatAddress(family, value);
  };
  const port = (type: number) => (proto.get(type)?.length === 2 ? proto.get(type)!.readUInt16BE(0) : 0);
  return {
    source: text(source!),
    destination: text(destination),
    protocol: proto.get(CTA_PROTO_NUM)?.[0] ?? 0,
    sourcePort: port(CTA_PROTO_SRC_PORT),
    destinationPort: port(CTA_PROTO_DST_PORT),
  };
}
