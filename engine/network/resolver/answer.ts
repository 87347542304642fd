/** What a resolver says to a question, as far as it knows without asking anybody. */

import { addressBytes } from './address-data.ts';
import { DnsFormatError, nameBytes } from './domain-name.ts';
import {
  CLASS_IN,
  type DnsRecord,
  encodeMessage,
  failureBytes,
  HEADER_BYTES,
  MESSAGE_MOST,
  type Message,
  OPCODE_QUERY,
  type Query,
  type Question,
  RCODE,
  readQuery,
  TYPE,
} from './message.ts';
import type { NameTable } from './names.ts';

/** Seconds. A container may have another address at its next start, so this is short; Docker's is 600. */
const TTL = 60;
/** Without EDNS a message over UDP has at most so many bytes. RFC 1035, section 4.2.1. */
const UDP_MOST = 512;
/** What is said of our own limit; it passes any path unfragmented. */
const EDNS_BYTES = 1232;
/** EDNS of a version that is not known. RFC 6891, section 9: its upper eight bits stand in OPT's TTL. */
const BADVERS = 16;

export type Transport = 'udp' | 'tcp';

/**
 * - a Buffer is the answer
 * - `forward`: the question is for somebody else, and well formed
 * - `ignore`: not a question, so that an answer could begin a ping-pong of answers
 */
export type Decision = Buffer | 'forward' | 'ignore';

/** Decide on the message `bytes` that a client has sent. Never throws, whatever they are. */
export function answer(bytes: Buffer, transport: Transport, names: NameTable): Decision {
  if (bytes.length < HEADER_BYTES) return 'ignore';
  let query: Query;
  try {
    query = readQuery(bytes);
  } catch (error) {
    if (!(error instanceof DnsFormatError)) throw error;
    return failureBytes(bytes, RCODE.FORMERR);
  }
  if (query.isResponse) return 'ignore';
  if (query.opcode !== OPCODE_QUERY) return failureBytes(bytes, RCODE.NOTIMP);
  const { question, questionCount, opts } = query;
  if (question === undefined || questionCount > 1 || opts.length > 1) return failureBytes(bytes, RCODE.FORMERR);
  const known = question.class === CLASS_IN ? recordsFor(question, names) : undefined;
  if (known === undefined) return 'forward';
  const [opt] = opts;
  const version = opt === undefined ? 0 : (opt.ttl >> 16) & 0xff;
  const most = opt === undefined ? UDP_MOST : Math.max(UDP_MOST, opt.class);
  return encodeMessage(
    {
      ...responseTo(query),
      questions: [question],
      answers: version === 0 ? known : [],
      additionals: opt === undefined ? [] : [ownOpt(version)],
    },
    transport === 'tcp' ? MESSAGE_MOST : most,
  );
}

const FAMILIES = [
  { type: TYPE.A, family: 4 },
  { type: TYPE.AAAA, family: 6 },
] as const;

/** The answers, none if the name has nothing of that type; undefined if the name is not known here. */
function recordsFor({ name, type }: Question, names: NameTable): DnsRecord[] | undefined {
  const records = (of: number, data: Buffer[]): DnsRecord[] =>
    type === of || type === TYPE.ANY
      ? data.map((each) => ({ name, type: of, class: CLASS_IN, ttl: TTL, data: each }))
      : [];
  const owner = names.reverse(name);
  if (owner !== undefined) return records(TYPE.PTR, pointerData(owner));
  const families = FAMILIES.filter((each) => type === each.type || type === TYPE.ANY);
  // A question for something else is answered too: the name exists, and has nothing of that.
  if (families.length === 0) return names.addressesOf(name, 4) && [];
  const found = families.map((each) => ({ ...each, addresses: names.addressesOf(name, each.family) }));
  if (found.some(({ addresses }) => addresses === undefined)) return undefined;
  return found.flatMap(({ type: of, addresses }) => records(of, addresses!.map(addressBytes)));
}

/** A container may have a name that is too long for DNS: then its address has none. */
function pointerData(owner: string): Buffer[] {
  try {
    return [nameBytes(owner, 0, new Map())];
  } catch (error) {
    if (error instanceof DnsFormatError) return [];
    throw error;
  }
}

/** RFC 6891, section 6.1.2: the class is how much we take, the TTL holds more of the response code, and the version 0. */
function ownOpt(asked: number): DnsRecord {
  const extended = asked === 0 ? 0 : BADVERS >> 4;
  return { name: '', type: TYPE.OPT, class: EDNS_BYTES, ttl: (extended << 24) >>> 0, data: Buffer.alloc(0) };
}

function responseTo(query: Query): Message {
  return {
    id: query.id,
    isResponse: true,
    opcode: query.opcode,
    authoritative: false,
    truncated: false,
    recursionDesired: query.recursionDesired,
    recursionAvailable: true,
    authenticData: false,
    checkingDisabled: false,
    rcode: RCODE.NOERROR,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
  };
}
