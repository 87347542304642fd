/**
 * Elements of the maps of nftables: added and removed in one transaction, without a run of nft, which reads every table of
 * the host and costs more than the start of a container. linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h.
 */

import { KernelError } from '#kernel/errors';
import { NETLINK_NETFILTER } from '#kernel/netlink';
import { attribute, nested, text } from './message.ts';
import { NLM_F_CREATE, type Request, withNetlink } from './socket.ts';

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFT_MSG_NEWSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 12;
const NFT_MSG_DELSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 14;
const NFT_MSG_GETTABLE = (NFNL_SUBSYS_NFTABLES << 8) | 1;
const NFPROTO_INET = 1;

const NFTA_TABLE_NAME = 1;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_DATA_VALUE = 1;

/** A key of a map of the family inet. */
export interface ElementChange {
  map: string;
  /** Fields one behind the other, each made up to a multiple of 4 bytes: `concatenated`. */
  key: Buffer;
  /** What the key is to lead to; null removes it. */
  data: Buffer | null;
}

/** The form that nftables gives to several fields in one key. */
export function concatenated(...fields: Buffer[]): Buffer {
  return Buffer.concat(fields.map((field) => Buffer.concat([field], (field.length + 3) & ~3)));
}

/**
 * Make all changes or none. @throws KernelError ENOENT for a table, a map or an element that is absent, EEXIST or EBUSY for a
 * key that leads elsewhere
 */
export function changeElements(table: string, changes: readonly ElementChange[]): void {
  const edge = (name: string, type: number): Request => ({
    name,
    subject: table,
    type,
    flags: 0,
    body: Buffer.from([0, 0, 0, NFNL_SUBSYS_NFTABLES]), // struct nfgenmsg
  });
  withNetlink(NETLINK_NETFILTER, (socket) =>
    socket.transaction(
      edge('NFNL_MSG_BATCH_BEGIN', NFNL_MSG_BATCH_BEGIN),
      changes.map((change) => request(table, change)),
      edge('NFNL_MSG_BATCH_END', NFNL_MSG_BATCH_END),
    ),
  );
}

/** Whether a table of the family inet is there. */
export function hasTable(table: string): boolean {
  try {
    withNetlink(NETLINK_NETFILTER, (socket) =>
      socket.get({
        name: 'NFT_MSG_GETTABLE',
        subject: table,
        type: NFT_MSG_GETTABLE,
        flags: 0,
        body: Buffer.concat([Buffer.from([NFPROTO_INET, 0, 0, 0]), attribute(NFTA_TABLE_NAME, text(table))]),
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENOENT') return false;
    throw error;
  }
}

function request(table: string, { map, key, data }: ElementChange): Request {
  const value = (type: number, bytes: Buffer) => nested(type, attribute(NFTA_DATA_VALUE, bytes));
  const element = nested(
    NFTA_LIST_ELEM,
    value(NFTA_SET_ELEM_KEY, key),
    ...(data === null ? [] : [value(NFTA_SET_ELEM_DATA, data)]),
  );
  return {
    name: data === null ? 'NFT_MSG_DELSETELEM' : 'NFT_MSG_NEWSETELEM',
    subject: `${table} ${map}`,
    type: data === null ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
    flags: data === null ? 0 : NLM_F_CREATE,
    body: Buffer.concat([
      Buffer.from([NFPROTO_INET, 0, 0, 0]),
      attribute(NFTA_SET_ELEM_LIST_TABLE, text(table)),
      attribute(NFTA_SET_ELEM_LIST_SET, text(map)),
      nested(NFTA_SET_ELEM_LIST_ELEMENTS, element),
    ]),
  };
}
