/**
 * Netlink messages as bytes: a header, a fixed part that depends on the type, and attributes, which nest. netlink(7),
 * linux/netlink.h. Numbers have the machine's byte order, little-endian wherever this engine runs.
 */

/** struct nlmsghdr and what follows it. */
export interface NetlinkMessage {
  /** RTM_… and others; below 16 are netlink's own. */
  type: number;
  /** NLM_F_… flags. */
  flags: number;
  /** What an answer repeats of its question. */
  sequence: number;
  /** Everything behind the header. */
  body: Buffer;
}

/** A reply that does not hold to its own lengths. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

/** Everything begins at a multiple of 4 bytes. */
function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** A message with its header, padded: several can follow each other in one datagram. */
export function encodeMessage({ type, flags, sequence, body }: NetlinkMessage): Buffer {
  const length = HEADER_BYTES + body.length;
  const bytes = Buffer.alloc(aligned(length));
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  body.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** All messages of a datagram. @throws MalformedMessage if a length leads out of it. */
export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at < datagram.length; ) {
    const rest = datagram.length - at;
    const length = rest < HEADER_BYTES ? 0 : datagram.readUInt32LE(at);
    if (length < HEADER_BYTES || length > rest)
      throw new MalformedMessage(`A netlink message says that it has ${length} bytes, and ${rest} are left.`);
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + HEADER_BYTES, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

/** An attribute with its header, padded. @throws RangeError for more than 65,531 bytes. */
export function attribute(type: number, value: Buffer): Buffer {
  const length = ATTRIBUTE_HEADER_BYTES + value.length;
  if (length > 0xffff) throw new RangeError(`Attribute ${type} of netlink cannot hold ${value.length} bytes.`);
  const bytes = Buffer.alloc(aligned(length));
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, ATTRIBUTE_HEADER_BYTES);
  return bytes;
}

/** An attribute that holds attributes. */
export function nested(type: number, ...attributes: Buffer[]): Buffer {
  return attribute(type | NLA_F_NESTED, Buffer.concat(attributes));
}

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** NUL-terminated, as names are. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/**
 * The attributes in `bytes`, by type without the flags; of two of one type the last counts.
 * @throws MalformedMessage if a length leads out of it.
 */
export function decodeAttributes(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.length - at;
    const length = rest < ATTRIBUTE_HEADER_BYTES ? 0 : bytes.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER_BYTES || length > rest)
      throw new MalformedMessage(`An attribute of netlink says that it has ${length} bytes, and ${rest} are left.`);
    attributes.set(
      bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK,
      bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length),
    );
    at += aligned(length);
  }
  return attributes;
}

/** The fixed part of `size` bytes and the attributes behind it. @throws MalformedMessage if it is shorter. */
export function splitBody(body: Buffer, size: number): { fixed: Buffer; attributes: Map<number, Buffer> } {
  if (body.length < size)
    throw new MalformedMessage(`A netlink message has ${body.length} bytes where ${size} were expected.`);
  return { fixed: body.subarray(0, size), attributes: decodeAttributes(body.subarray(aligned(size))) };
}

/** A text attribute up to its NUL; undefined if it is absent. */
export function readText(value: Buffer | undefined): string | undefined {
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

/** A number of 4 bytes; undefined if it is absent. @throws MalformedMessage if it is shorter. */
export function readU32(value: Buffer | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (value.length < 4) throw new MalformedMessage(`A number of netlink has ${value.length} bytes instead of 4.`);
  return value.readUInt32LE(0);
}
