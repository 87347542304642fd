/**
 * Port 53 of the resolver's address without a socket at port 53: a name server in the container would want that port for
 * all addresses, and the kernel gives it to one of both only. So the resolver listens at a port of the kernel's choice, and
 * two rules for each protocol write the one port over the other in what passes the container's own loopback.
 *
 * The rules change packets and remember nothing, so that the container's other connections are not tracked because of them.
 * They are made over netlink, as nft(8) makes them: linux/netfilter/nf_tables.h.
 */

import { close } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { NETLINK_NETFILTER, openNetlink, receiveNetlink, sendNetlink } from '#kernel/netlink';
import { inNamespace } from '../namespace.ts';
import { attribute, decodeMessages, encodeMessage, nested, text } from '../netlink/message.ts';
import { readError } from '../netlink/socket.ts';
import { addressBytes } from './address-data.ts';

const NLM_F_REQUEST = 0x01;
const NLM_F_ACK = 0x04;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const NLM_F_APPEND = 0x800;
const NLMSG_ERROR = 2;

// linux/netfilter/nfnetlink.h
const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFPROTO_UNSPEC = 0;
const NFPROTO_IPV4 = 2;

// linux/netfilter/nf_tables.h
const NFTA_TABLE_NAME = 1;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFT_REG_1 = 1;

const NF_INET_LOCAL_OUT = 3;
/** Before connection tracking (−200), should the container have that. */
const PRIORITY = -300;

const TABLE = 'skiff-names';
const CHAIN = 'output';
const IPPROTO = { tcp: 6, udp: 17 } as const;
/** Where a header has its checksum. */
const CHECKSUM_AT = { tcp: 16, udp: 6 } as const;
const SOURCE = { addressAt: 12, portAt: 0 };
const DESTINATION = { addressAt: 16, portAt: 2 };

/** Where a port of an address really is. */
export interface PortAlias {
  address: string;
  /** What clients use. */
  port: number;
  /** Where the sockets are. */
  udp: number;
  tcp: number;
}

/**
 * Make the rules in a network namespace, in place of those that an earlier call made there.
 * @throws KernelError EOPNOTSUPP or EPROTONOSUPPORT for a kernel without nf_tables, EPERM without CAP_NET_ADMIN; nothing is
 * changed then.
 */
export function aliasPort(namespace: number, { address, port, udp, tcp }: PortAlias): void {
  const rules = [
    { protocol: 'udp', end: DESTINATION, from: port, to: udp },
    { protocol: 'udp', end: SOURCE, from: udp, to: port },
    { protocol: 'tcp', end: DESTINATION, from: port, to: tcp },
    { protocol: 'tcp', end: SOURCE, from: tcp, to: port },
  ] as const;
  const table = attribute(NFTA_TABLE_NAME, text(TABLE));
  const make: Change[] = [
    [NFT_MSG_NEWTABLE, table],
    [
      NFT_MSG_NEWCHAIN,
      Buffer.concat([
        attribute(NFTA_CHAIN_TABLE, text(TABLE)),
        attribute(NFTA_CHAIN_NAME, text(CHAIN)),
        nested(
          NFTA_CHAIN_HOOK,
          attribute(NFTA_HOOK_HOOKNUM, u32be(NF_INET_LOCAL_OUT)),
          attribute(NFTA_HOOK_PRIORITY, u32be(PRIORITY)),
        ),
        attribute(NFTA_CHAIN_TYPE, text('filter')),
      ]),
    ],
    ...rules.map(
      ({ protocol, end, from, to }): Change => [
        NFT_MSG_NEWRULE,
        Buffer.concat([
          attribute(NFTA_RULE_TABLE, text(TABLE)),
          attribute(NFTA_RULE_CHAIN, text(CHAIN)),
          nested(
            NFTA_RULE_EXPRESSIONS,
            loadProtocol(),
            compare(Buffer.from([IPPROTO[protocol]])),
            load(NETWORK_HEADER, end.addressAt, 4),
            compare(addressBytes(address)),
            load(TRANSPORT_HEADER, end.portAt, 2),
            compare(u16be(from)),
            immediate(u16be(to)),
            store(end.portAt, 2, CHECKSUM_AT[protocol]),
          ),
        ]),
      ],
    ),
  ];
  try {
    transact(namespace, make);
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== 'EEXIST') throw error;
    transact(namespace, [[NFT_MSG_DELTABLE, table], ...make]);
  }
}

type Change = [type: number, attributes: Buffer];

const NETWORK_HEADER = 1;
const TRANSPORT_HEADER = 2;

function expression(name: string, ...data: Buffer[]): Buffer {
  return nested(NFTA_LIST_ELEM, attribute(NFTA_EXPR_NAME, text(name)), nested(NFTA_EXPR_DATA, ...data));
}

/** `meta load l4proto => reg 1` */
function loadProtocol(): Buffer {
  const [NFTA_META_DREG, NFTA_META_KEY, NFT_META_L4PROTO] = [1, 2, 16];
  return expression(
    'meta',
    attribute(NFTA_META_KEY, u32be(NFT_META_L4PROTO)),
    attribute(NFTA_META_DREG, u32be(NFT_REG_1)),
  );
}

/** `payload load LENGTHb @ BASE header + OFFSET => reg 1` */
function load(base: number, offset: number, length: number): Buffer {
  const [NFTA_PAYLOAD_DREG, NFTA_PAYLOAD_BASE, NFTA_PAYLOAD_OFFSET, NFTA_PAYLOAD_LEN] = [1, 2, 3, 4];
  return expression(
    'payload',
    attribute(NFTA_PAYLOAD_DREG, u32be(NFT_REG_1)),
    attribute(NFTA_PAYLOAD_BASE, u32be(base)),
    attribute(NFTA_PAYLOAD_OFFSET, u32be(offset)),
    attribute(NFTA_PAYLOAD_LEN, u32be(length)),
  );
}

/** `payload write reg 1 => LENGTHb @ transport header + OFFSET`, and put its checksum right. */
function store(offset: number, length: number, checksumAt: number): Buffer {
  const [NFTA_PAYLOAD_BASE, NFTA_PAYLOAD_OFFSET, NFTA_PAYLOAD_LEN, NFTA_PAYLOAD_SREG] = [2, 3, 4, 5];
  const [NFTA_PAYLOAD_CSUM_TYPE, NFTA_PAYLOAD_CSUM_OFFSET, NFT_PAYLOAD_CSUM_INET] = [6, 7, 1];
  return expression(
    'payload',
    attribute(NFTA_PAYLOAD_SREG, u32be(NFT_REG_1)),
    attribute(NFTA_PAYLOAD_BASE, u32be(TRANSPORT_HEADER)),
    attribute(NFTA_PAYLOAD_OFFSET, u32be(offset)),
    attribute(NFTA_PAYLOAD_LEN, u32be(length)),
    attribute(NFTA_PAYLOAD_CSUM_TYPE, u32be(NFT_PAYLOAD_CSUM_INET)),
    attribute(NFTA_PAYLOAD_CSUM_OFFSET, u32be(checksumAt)),
  );
}

/** `cmp eq reg 1 VALUE`: otherwise the rule is left. */
function compare(value: Buffer): Buffer {
  const [NFTA_CMP_SREG, NFTA_CMP_OP, NFTA_CMP_DATA, NFT_CMP_EQ] = [1, 2, 3, 0];
  return expression(
    'cmp',
    attribute(NFTA_CMP_SREG, u32be(NFT_REG_1)),
    attribute(NFTA_CMP_OP, u32be(NFT_CMP_EQ)),
    nested(NFTA_CMP_DATA, attribute(NFTA_DATA_VALUE, value)),
  );
}

/** `immediate reg 1 VALUE` */
function immediate(value: Buffer): Buffer {
  const [NFTA_IMMEDIATE_DREG, NFTA_IMMEDIATE_DATA] = [1, 2];
  return expression(
    'immediate',
    attribute(NFTA_IMMEDIATE_DREG, u32be(NFT_REG_1)),
    nested(NFTA_IMMEDIATE_DATA, attribute(NFTA_DATA_VALUE, value)),
  );
}

/** All of it or nothing: what stands between a beginning and an end is one transaction. */
function transact(namespace: number, changes: Change[]): void {
  const flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND;
  const mark = (type: number, sequence: number) =>
    encodeMessage({ type, flags: NLM_F_REQUEST, sequence, body: familyHeader(NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES) });
  const datagram = Buffer.concat([
    mark(NFNL_MSG_BATCH_BEGIN, 0),
    ...changes.map(([type, attributes], index) =>
      encodeMessage({
        type: (NFNL_SUBSYS_NFTABLES << 8) | type,
        flags,
        sequence: 1 + index,
        body: Buffer.concat([familyHeader(NFPROTO_IPV4, 0), attributes]),
      }),
    ),
    mark(NFNL_MSG_BATCH_END, 1 + changes.length),
  ]);
  const socket = inNamespace(namespace, () => openNetlink(NETLINK_NETFILTER));
  try {
    sendNetlink(socket, datagram);
    const answered = new Set<number>();
    while (answered.size < changes.length)
      for (const message of decodeMessages(receiveNetlink(socket))) {
        if (message.type !== NLMSG_ERROR) continue;
        const problem = readError(message);
        if (problem) throw new KernelError('nf_tables', problem.errno, `the port of ${TABLE} ${problem.words}`.trim());
        answered.add(message.sequence);
      }
  } finally {
    close(socket);
  }
}

/** struct nfgenmsg */
function familyHeader(family: number, resource: number): Buffer {
  return Buffer.concat([Buffer.from([family, 0]), u16be(resource)]);
}

function u16be(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** As nf_tables has its numbers. */
function u32be(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
