/**
 * Domain names, on the wire and as text. RFC 1035, sections 3.1 and 4.1.4: a name is a list of labels, each a length and
 * as many bytes, that ends with the empty label of the root. Instead of the rest of a name there may be a pointer to where
 * the same labels stand earlier in the message.
 *
 * As text the labels are joined by dots, without one at the end; the root is the empty text. A byte that is not printable
 * ASCII is written `\DDD`, and a dot or backslash inside of a label has a backslash before it (section 5.1).
 */

/** What was received is not a DNS message, or the text is not a domain name. */
export class DnsFormatError extends Error {
  override readonly name = 'DnsFormatError';
}

const LABEL_MOST = 63;
/** With the length bytes and the root. */
const NAME_MOST = 255;
/** A name of 255 bytes has at most 127 labels, so no honest name needs more pointers. */
const POINTERS_MOST = 127;
const KIND = 0b1100_0000;
const POINTER = 0b1100_0000;
/** A pointer has 14 bits. */
const POINTER_REACH = 0x4000;

/**
 * Read the name at `offset` of a message.
 * @returns the name, and the offset of what follows it.
 * @throws DnsFormatError if it runs out of the message, is too long, or has a pointer that does not lead backwards.
 */
export function readName(message: Buffer, offset: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = offset;
  let end: number | undefined;
  let length = 1;
  let pointers = 0;
  // Each pointer has to lead to before where the labels that it ends began: so there is no way to come back, and no loop.
  let began = offset;
  for (;;) {
    const first = byteAt(message, at);
    if (first === 0) return { name: labels.join('.'), end: end ?? at + 1 };
    if ((first & KIND) === POINTER) {
      const target = ((first & ~KIND) << 8) | byteAt(message, at + 1);
      if (target >= began) throw new DnsFormatError(`the name at ${offset} has a pointer at ${at} that leads forward`);
      if (++pointers > POINTERS_MOST) throw new DnsFormatError(`the name at ${offset} has too many pointers`);
      end ??= at + 2;
      began = target;
      at = target;
      continue;
    }
    if ((first & KIND) !== 0) throw new DnsFormatError(`the name at ${offset} has a label of an unknown kind`);
    length += 1 + first;
    if (length > NAME_MOST) throw new DnsFormatError(`the name at ${offset} is longer than ${NAME_MOST} bytes`);
    if (at + 1 + first > message.length) throw new DnsFormatError(`the name at ${offset} runs out of the message`);
    labels.push(labelText(message.subarray(at + 1, at + 1 + first)));
    at += 1 + first;
  }
}

/**
 * Step over the name at `offset` of a message. A pointer ends it and is not followed: the time is that of its own bytes.
 * @returns the offset of what follows it, and whether it ends in a pointer
 * @throws DnsFormatError if it runs out of the message, is too long, or has a label of an unknown kind
 */
export function skipName(message: Buffer, offset: number): { end: number; hasPointer: boolean } {
  let at = offset;
  for (;;) {
    const first = byteAt(message, at);
    if (first === 0) return { end: at + 1, hasPointer: false };
    if ((first & KIND) === POINTER) {
      byteAt(message, at + 1);
      return { end: at + 2, hasPointer: true };
    }
    if ((first & KIND) !== 0) throw new DnsFormatError(`the name at ${offset} has a label of an unknown kind`);
    at += 1 + first;
    if (at - offset >= NAME_MOST) throw new DnsFormatError(`the name at ${offset} is longer than ${NAME_MOST} bytes`);
  }
}

function byteAt(message: Buffer, at: number): number {
  const byte = message[at];
  if (byte === undefined) throw new DnsFormatError('a name runs out of the message');
  return byte;
}

function labelText(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    if (character === '.' || character === '\\') text += `\\${character}`;
    else if (byte > 0x20 && byte < 0x7f) text += character;
    else text += `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}

/**
 * The labels of a name as text; one dot at the end is passed over.
 * @throws DnsFormatError for an empty label, an unfinished or impossible escape, or a name that is too long.
 */
function labelsOf(name: string): Buffer[] {
  const labels: Buffer[] = [];
  let bytes: number[] = [];
  let length = 1;
  const finish = () => {
    if (bytes.length === 0 || bytes.length > LABEL_MOST)
      throw new DnsFormatError(`a label of ${JSON.stringify(name)} is not of 1 to ${LABEL_MOST} bytes`);
    length += 1 + bytes.length;
    if (length > NAME_MOST) throw new DnsFormatError(`${JSON.stringify(name)} is longer than ${NAME_MOST} bytes`);
    labels.push(Buffer.from(bytes));
    bytes = [];
  };
  // A character, or a backslash with the three digits of a byte or the character that it protects.
  for (const [character, decimal, plain] of name.matchAll(/\\(\d{3})|\\([^\d])|[^\\]|\\/gsu)) {
    if (decimal !== undefined) bytes.push(byteOf(Number(decimal), name));
    else if (plain !== undefined) bytes.push(...Buffer.from(plain));
    else if (character === '\\') throw new DnsFormatError(`${JSON.stringify(name)} has an unfinished escape`);
    else if (character === '.') finish();
    else bytes.push(...Buffer.from(character));
  }
  if (bytes.length > 0) finish();
  return labels;
}

function byteOf(value: number, name: string): number {
  if (value > 255) throw new DnsFormatError(`${JSON.stringify(name)} escapes a byte above 255`);
  return value;
}

/** Names as they are compared: ASCII letters without their case, and without the dot at the end. RFC 4343. */
export function foldName(name: string): string {
  const folded = name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return /(^|[^\\])(\\\\)*\.$/.test(folded) ? folded.slice(0, -1) : folded;
}

/**
 * The bytes of `name` for the offset `at` of a message, with a pointer as soon as the rest of it stands there already.
 * @param known where the names of this message stand; those of `name` are added.
 * @throws DnsFormatError if the text is not a domain name.
 */
export function nameBytes(name: string, at: number, known: Map<string, number>): Buffer {
  const labels = labelsOf(name);
  const bytes = Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.from([0])]);
  // Different cases of a name are different keys: what a client has asked is given back as it was spelled.
  const text = bytes.toString('latin1');
  let from = 0;
  for (const label of labels) {
    // A slice shares the bytes of its text, so a name whose whole stands there already costs one look.
    const rest = text.slice(from);
    const earlier = known.get(rest);
    if (earlier !== undefined)
      return Buffer.concat([bytes.subarray(0, from), Buffer.from([POINTER | (earlier >> 8), earlier & 0xff])]);
    if (at + from < POINTER_REACH) known.set(rest, at + from);
    from += 1 + label.length;
  }
  return bytes;
}
