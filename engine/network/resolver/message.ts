/** DNS messages as objects and as bytes. RFC 1035, section 4; RFC 6891 for OPT. */

import { DnsFormatError, nameBytes, readName, skipName } from './domain-name.ts';

/** Types of records, and of questions about them. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  OPT: 41,
  ANY: 255,
} as const;

export const CLASS_IN = 1;

/** RFC 1035, section 4.1.1. */
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;

/** The only operation that is asked for in practice: a question. */
export const OPCODE_QUERY = 0;

export interface Question {
  name: string;
  type: number;
  class: number;
}

export interface DnsRecord {
  name: string;
  type: number;
  class: number;
  /** Seconds for which it may be kept, unsigned, of 32 bits. */
  ttl: number;
  /** Without pointers to elsewhere in the message, whatever the type. At most 65,535 bytes. */
  data: Buffer;
}

export interface Message {
  id: number;
  isResponse: boolean;
  opcode: number;
  authoritative: boolean;
  truncated: boolean;
  recursionDesired: boolean;
  recursionAvailable: boolean;
  authenticData: boolean;
  checkingDisabled: boolean;
  rcode: number;
  questions: Question[];
  answers: DnsRecord[];
  authorities: DnsRecord[];
  additionals: DnsRecord[];
}

export const HEADER_BYTES = 12;
/** Over TCP two bytes say how many there are. */
export const MESSAGE_MOST = 0xffff;

const QUESTION_TAIL_BYTES = 4;
const RECORD_TAIL_BYTES = 10;

// The second 16 bits of the header.
const QR = 0x8000;
const OPCODE_SHIFT = 11;
const AA = 0x0400;
const TC = 0x0200;
const RD = 0x0100;
const RA = 0x0080;
const AD = 0x0020;
const CD = 0x0010;

/**
 * Read a message; bytes after its last record are passed over.
 * @throws DnsFormatError if it is cut short, or a name or record in it is malformed.
 */
export function decodeMessage(bytes: Buffer): Message {
  need(bytes, HEADER_BYTES, 'header');
  const flags = bytes.readUInt16BE(2);
  const has = (flag: number) => (flags & flag) !== 0;
  let at = HEADER_BYTES;
  /** `count` is what the sender claims: a list grows only by what is really there. */
  const list = <T>(count: number, read: (bytes: Buffer, at: number) => { value: T; end: number }): T[] => {
    const values: T[] = [];
    for (let index = 0; index < count; index++) {
      const { value, end } = read(bytes, at);
      values.push(value);
      at = end;
    }
    return values;
  };
  return {
    id: bytes.readUInt16BE(0),
    isResponse: has(QR),
    opcode: (flags >> OPCODE_SHIFT) & 0xf,
    authoritative: has(AA),
    truncated: has(TC),
    recursionDesired: has(RD),
    recursionAvailable: has(RA),
    authenticData: has(AD),
    checkingDisabled: has(CD),
    rcode: flags & 0xf,
    questions: list(bytes.readUInt16BE(4), readQuestion),
    answers: list(bytes.readUInt16BE(6), readRecord),
    authorities: list(bytes.readUInt16BE(8), readRecord),
    additionals: list(bytes.readUInt16BE(10), readRecord),
  };
}

/** What a resolver has to know of a question that a client has sent. */
export interface Query {
  id: number;
  isResponse: boolean;
  opcode: number;
  recursionDesired: boolean;
  /** How many it claims to have. */
  questionCount: number;
  /** The first one; undefined if there is none. */
  question: Question | undefined;
  /** OPT records in the third list: how many bytes the client takes, and 32 bits of flags. RFC 6891, section 6.1.2. */
  opts: Pick<DnsRecord, 'class' | 'ttl'>[];
}

/**
 * Read header, question and OPT of what a client has sent. Other records are stepped over: their pointers are not followed,
 * so the time grows with the length of the message and no faster.
 * @throws DnsFormatError if it is cut short, a name in it is malformed, or the name of its question has a pointer
 */
export function readQuery(bytes: Buffer): Query {
  need(bytes, HEADER_BYTES, 'header');
  const flags = bytes.readUInt16BE(2);
  const [questionCount, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at)) as [
    number,
    number,
    number,
    number,
  ];
  let at = questionCount === 0 ? HEADER_BYTES : questionEnd(bytes, HEADER_BYTES);
  const question = questionCount === 0 ? undefined : readQuestion(bytes, HEADER_BYTES).value;
  for (let index = 1; index < questionCount; index++) at = questionEnd(bytes, at);
  const opts: Query['opts'] = [];
  for (let index = 0; index < answers + authorities + additionals; index++) {
    const fixed = skipName(bytes, at).end;
    need(bytes, fixed + RECORD_TAIL_BYTES, 'record');
    if (index >= answers + authorities && bytes.readUInt16BE(fixed) === TYPE.OPT)
      opts.push({ class: bytes.readUInt16BE(fixed + 2), ttl: bytes.readUInt32BE(fixed + 4) });
    at = fixed + RECORD_TAIL_BYTES + bytes.readUInt16BE(fixed + 8);
    need(bytes, at, 'record');
  }
  return {
    id: bytes.readUInt16BE(0),
    isResponse: (flags & QR) !== 0,
    opcode: (flags >> OPCODE_SHIFT) & 0xf,
    recursionDesired: (flags & RD) !== 0,
    questionCount,
    question,
    opts,
  };
}

/** Where the question at `at` ends. Before it there are only the header and questions, so a pointer in it serves nobody. */
function questionEnd(bytes: Buffer, at: number): number {
  const { end, hasPointer } = skipName(bytes, at);
  if (hasPointer) throw new DnsFormatError(`the name of the question at ${at} has a pointer`);
  need(bytes, end + QUESTION_TAIL_BYTES, 'question');
  return end + QUESTION_TAIL_BYTES;
}

/**
 * The bytes that say to the sender of `query`, which has a header at least, that it did not work. Its first question is given
 * back as it came, if it is well formed.
 */
export function failureBytes(query: Buffer, rcode: number): Buffer {
  const flags = query.readUInt16BE(2);
  const question = firstQuestionBytes(query);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(QR | (flags & (0xf << OPCODE_SHIFT)) | (flags & RD) | RA | rcode, 2);
  header.writeUInt16BE(question.length > 0 ? 1 : 0, 4);
  return Buffer.concat([header, question]);
}

/** Empty if there is none, or it is malformed. */
function firstQuestionBytes(query: Buffer): Buffer {
  if (query.readUInt16BE(4) === 0) return Buffer.alloc(0);
  try {
    return query.subarray(HEADER_BYTES, questionEnd(query, HEADER_BYTES));
  } catch (error) {
    if (error instanceof DnsFormatError) return Buffer.alloc(0);
    throw error;
  }
}

/** The first question alone, if there is one. @throws DnsFormatError if it is malformed. */
export function firstQuestion(bytes: Buffer): Question | undefined {
  need(bytes, HEADER_BYTES, 'header');
  return bytes.readUInt16BE(4) === 0 ? undefined : readQuestion(bytes, HEADER_BYTES).value;
}

function readQuestion(bytes: Buffer, at: number): { value: Question; end: number } {
  const { name, end } = readName(bytes, at);
  need(bytes, end + QUESTION_TAIL_BYTES, 'question');
  const value = { name, type: bytes.readUInt16BE(end), class: bytes.readUInt16BE(end + 2) };
  return { value, end: end + QUESTION_TAIL_BYTES };
}

function readRecord(bytes: Buffer, at: number): { value: DnsRecord; end: number } {
  const { name, end } = readName(bytes, at);
  const from = end + RECORD_TAIL_BYTES;
  need(bytes, from, 'record');
  const to = from + bytes.readUInt16BE(end + 8);
  need(bytes, to, 'record');
  const type = bytes.readUInt16BE(end);
  const value = {
    name,
    type,
    class: bytes.readUInt16BE(end + 2),
    ttl: bytes.readUInt32BE(end + 4),
    data: wholeData(bytes, type, from, to),
  };
  return { value, end: to };
}

function need(bytes: Buffer, length: number, what: string): void {
  if (length > bytes.length) throw new DnsFormatError(`a ${what} runs out of the message`);
}

/** Where names stand in the data of those types whose names may be pointers: bytes before, names, bytes behind. RFC 3597, section 4. */
const NAMES_IN_DATA = new Map<number, [before: number, names: number, behind: number]>([
  [TYPE.NS, [0, 1, 0]],
  [TYPE.CNAME, [0, 1, 0]],
  [TYPE.PTR, [0, 1, 0]],
  [TYPE.MX, [2, 1, 0]],
  [TYPE.SOA, [0, 2, 20]],
]);

/** The data of a record, its names written out. */
function wholeData(bytes: Buffer, type: number, from: number, to: number): Buffer {
  const [before, names, behind] = NAMES_IN_DATA.get(type) ?? [to - from, 0, 0];
  const parts = [bytes.subarray(from, from + before)];
  let at = from + before;
  for (let index = 0; index < names; index++) {
    const { name, end } = readName(bytes, at);
    parts.push(nameBytes(name, 0, new Map()));
    at = end;
  }
  if (at + behind !== to) throw new DnsFormatError(`the data of a record of type ${type} is not as long as it says`);
  return Buffer.concat([...parts, bytes.subarray(at, to)]);
}

/**
 * Write a message. If it does not fit into `limit` bytes, records are left out from the end and it says that it is
 * truncated; OPT, which is about the message itself, stays.
 * @param limit bytes, at least what header, questions and OPT need.
 * @throws DnsFormatError if a name in it is not a domain name.
 */
export function encodeMessage(message: Message, limit = MESSAGE_MOST): Buffer {
  const known = new Map<string, number>();
  const parts: Buffer[] = [Buffer.alloc(HEADER_BYTES)];
  let length = HEADER_BYTES;
  const add = (bytes: Buffer) => {
    parts.push(bytes);
    length += bytes.length;
  };
  for (const { name, type, class: class_ } of message.questions) {
    add(nameBytes(name, length, known));
    add(words(type, class_));
  }
  let reserved = sum(message.additionals.filter(isOpt).map((record) => recordBytes(record, 0, new Map()).length));
  let truncated = message.truncated;
  const counts = [message.answers, message.authorities, message.additionals].map((records) => {
    let count = 0;
    for (const record of records) {
      // What a record that is left out would have added must not be pointed to: OPT, which may still follow, points nowhere.
      const bytes = recordBytes(record, length, isOpt(record) ? new Map() : known);
      if (isOpt(record)) reserved -= bytes.length;
      else if (truncated || length + bytes.length + reserved > limit) {
        truncated = true;
        continue;
      }
      add(bytes);
      count++;
    }
    return count;
  });
  const bytes = Buffer.concat(parts, length);
  bytes.writeUInt16BE(message.id, 0);
  bytes.writeUInt16BE(flagsOf({ ...message, truncated }), 2);
  for (const [index, count] of [message.questions.length, ...counts].entries())
    bytes.writeUInt16BE(count, 4 + 2 * index);
  return bytes;
}

function flagsOf(message: Message): number {
  return (
    (message.isResponse ? QR : 0) |
    (message.opcode << OPCODE_SHIFT) |
    (message.authoritative ? AA : 0) |
    (message.truncated ? TC : 0) |
    (message.recursionDesired ? RD : 0) |
    (message.recursionAvailable ? RA : 0) |
    (message.authenticData ? AD : 0) |
    (message.checkingDisabled ? CD : 0) |
    message.rcode
  );
}

function recordBytes(record: DnsRecord, at: number, known: Map<string, number>): Buffer {
  const name = nameBytes(record.name, at, known);
  const ttl = Buffer.alloc(4);
  ttl.writeUInt32BE(record.ttl);
  return Buffer.concat([name, words(record.type, record.class), ttl, words(record.data.length), record.data]);
}

function isOpt({ type }: DnsRecord): boolean {
  return type === TYPE.OPT;
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index);
  return bytes;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
