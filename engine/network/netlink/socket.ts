/** Questions to the kernel by netlink, and its answers: an acknowledgement, an error in words, or a dump. netlink(7). */

import { close } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { drainNetlink, openNetlink, receiveNetlink, sendNetlink } from '#kernel/netlink';
import {
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  MalformedMessage,
  type NetlinkMessage,
  readText,
} from './message.ts';

// linux/netlink.h
export const NLM_F_REQUEST = 0x01;
const NLM_F_MULTI = 0x02;
export const NLM_F_ACK = 0x04;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const ERROR_FIXED_BYTES = 20; // an errno and the header of the question
const HEADER_BYTES = 16;
const DUMP_ATTEMPTS = 5;

/** What is to be done, and how an error calls it. */
export interface Request {
  /** For errors: "RTM_NEWLINK". */
  name: string;
  /** For errors: what it is done to. */
  subject: string;
  type: number;
  /** Besides NLM_F_REQUEST and NLM_F_ACK. */
  flags: number;
  body: Buffer;
}

/** An open socket in the network namespace it was made in. It is used by one caller at a time, synchronously. */
export class NetlinkSocket {
  readonly #fd: number;
  #sequence = 0;

  /** @param protocol NETLINK_ROUTE or NETLINK_NETFILTER */
  constructor(protocol: number) {
    this.#fd = openNetlink(protocol);
  }

  close(): void {
    close(this.#fd);
  }

  /**
   * Do one thing. @throws KernelError with the kernel's words; ENOBUFS means that the answer was lost and the thing may be
   * done or not.
   */
  request(request: Request): void {
    this.#answer(request, request.flags | NLM_F_ACK);
  }

  /**
   * Do several things in one system call, so that they are done together even if this process is killed meanwhile. The
   * kernel goes on after one that fails. @throws KernelError of the first that failed
   */
  requests(requests: readonly Request[]): void {
    this.#all(requests, requests);
  }

  /**
   * Do all or nothing: nfnetlink keeps what lies between `begin` and `end` together. @throws KernelError of the first that
   * failed, or of the whole
   */
  transaction(begin: Request, requests: readonly Request[], end: Request): void {
    this.#all([begin, ...requests, end], requests);
  }

  /** Send `all` and wait for the answers to those of `asked`; an error is an answer to any. */
  #all(all: readonly Request[], asked: readonly Request[]): void {
    const first = this.#sequence + 1;
    const messages = all.map((request, index) => {
      const flags = request.flags | NLM_F_REQUEST | (asked.includes(request) ? NLM_F_ACK : 0);
      return encodeMessage({ type: request.type, flags, sequence: first + index, body: request.body });
    });
    this.#sequence += all.length;
    sendNetlink(this.#fd, Buffer.concat(messages));
    let problem: unknown;
    for (let open = asked.length; open > 0; )
      for (const answer of this.#receive(all[0]!)) {
        const request = all[answer.sequence - first];
        if (request === undefined || answer.type !== NLMSG_ERROR) continue;
        try {
          check(request, answer);
        } catch (error) {
          problem ??= error;
          // The whole is refused: its parts may have no answer at all.
          if (!asked.includes(request)) throw error;
        }
        open -= asked.includes(request) ? 1 : 0;
      }
    if (problem !== undefined) throw problem;
  }

  /** Ask for one thing. @returns the kernel's description of it. @throws KernelError */
  get(request: Request): NetlinkMessage {
    return this.#answer(request, request.flags);
  }

  #answer(request: Request, flags: number): NetlinkMessage {
    const sequence = this.#send(request, flags);
    for (;;) {
      const answer = this.#receive(request).find((message) => message.sequence === sequence);
      if (answer?.type === NLMSG_ERROR) check(request, answer);
      if (answer) return answer;
    }
  }

  /** Everything of a kind. A dump during which things changed is asked for again. */
  dump(request: Request): NetlinkMessage[] {
    for (let attempt = 1; ; attempt++) {
      try {
        const { messages, interrupted } = this.#dumpOnce(request);
        if (!interrupted || attempt === DUMP_ATTEMPTS) return messages;
      } catch (error) {
        if (!(error instanceof KernelError) || error.code !== 'ENOBUFS' || attempt === DUMP_ATTEMPTS) throw error;
      }
    }
  }

  /** Everything of a kind, one by one as it arrives; what changes meanwhile may be missed or come twice. */
  each(request: Request, visit: (message: NetlinkMessage) => void): void {
    this.#walk(request, visit);
  }

  #dumpOnce(request: Request): { messages: NetlinkMessage[]; interrupted: boolean } {
    const messages: NetlinkMessage[] = [];
    const interrupted = this.#walk(request, (message) => messages.push(message));
    return { messages, interrupted };
  }

  /** @returns whether things changed meanwhile */
  #walk(request: Request, visit: (message: NetlinkMessage) => void): boolean {
    const sequence = this.#send(request, request.flags | NLM_F_DUMP);
    let interrupted = false;
    for (;;)
      for (const message of this.#receive(request)) {
        if (message.sequence !== sequence || message.type === NLMSG_NOOP) continue;
        if (message.flags & NLM_F_DUMP_INTR && message.flags & NLM_F_MULTI) interrupted = true;
        if (message.type === NLMSG_ERROR) check(request, message);
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          if (message.type === NLMSG_DONE && message.body.length >= 4) check(request, message);
          return interrupted;
        }
        visit(message);
      }
  }

  #send({ type, body }: Request, flags: number): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    sendNetlink(this.#fd, encodeMessage({ type, flags: flags | NLM_F_REQUEST, sequence: this.#sequence, body }));
    return this.#sequence;
  }

  #receive({ name, subject }: Request): NetlinkMessage[] {
    try {
      return decodeMessages(receiveNetlink(this.#fd));
    } catch (error) {
      drainNetlink(this.#fd);
      if (error instanceof KernelError) throw new KernelError(`${name} (recvfrom)`, error.errno, subject);
      throw error;
    }
  }
}

/** @throws KernelError if the answer, an NLMSG_ERROR or NLMSG_DONE, carries an errno. */
function check({ name, subject }: Request, answer: NetlinkMessage): void {
  const problem = readError(answer);
  if (problem === null) return;
  const error = new KernelError(name, problem.errno, subject);
  if (problem.words) error.message += ` (the kernel says: ${problem.words})`;
  throw error;
}

/**
 * The errno of an answer and the kernel's words, if it has any; null if all went well.
 * @throws MalformedMessage for an answer that is cut off.
 */
export function readError({ type, flags, body }: NetlinkMessage): { errno: number; words: string } | null {
  if (body.length < 4)
    throw new MalformedMessage(`An answer of netlink has ${body.length} bytes instead of at least 4.`);
  const errno = -body.readInt32LE(0);
  if (errno <= 0) return null;
  if (!(flags & NLM_F_ACK_TLVS)) return { errno, words: '' };
  if (type === NLMSG_DONE) return { errno, words: wordsIn(body.subarray(4)) };
  // Unless it is capped, the answer repeats the whole question before its attributes.
  const question = flags & NLM_F_CAPPED || body.length < 8 ? HEADER_BYTES : body.readUInt32LE(4);
  return { errno, words: wordsIn(body.subarray(ERROR_FIXED_BYTES - HEADER_BYTES + ((question + 3) & ~3))) };
}

function wordsIn(bytes: Buffer): string {
  return readText(decodeAttributes(bytes).get(NLMSGERR_ATTR_MSG)) ?? '';
}

/** Use a socket and close it, whatever happens. */
export function withNetlink<T>(protocol: number, use: (socket: NetlinkSocket) => T): T {
  const socket = new NetlinkSocket(protocol);
  try {
    return use(socket);
  } finally {
    socket.close();
  }
}
