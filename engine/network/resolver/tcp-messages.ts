/** Messages over a stream: each has its length before it, in two bytes. RFC 1035, section 4.2.2. */

const LENGTH_BYTES = 2;

/** `message`, of at most 65,535 bytes, as it is sent. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Finds the messages in what arrives piece by piece. It never holds more than one message that is not whole, and one piece. */
export class MessageReader {
  #pieces: Buffer[] = [];
  #length = 0;

  /** @returns the messages that `piece` completes, in their order. */
  push(piece: Buffer): Buffer[] {
    this.#pieces.push(piece);
    this.#length += piece.length;
    const messages: Buffer[] = [];
    for (;;) {
      const whole = this.#next();
      if (whole === undefined) return messages;
      messages.push(whole);
    }
  }

  #next(): Buffer | undefined {
    if (this.#length < LENGTH_BYTES) return undefined;
    // A message that comes byte by byte is put together once its length is known, and once when it is whole.
    if (this.#pieces[0]!.length < LENGTH_BYTES) this.#pieces = [Buffer.concat(this.#pieces)];
    const end = LENGTH_BYTES + this.#pieces[0]!.readUInt16BE(0);
    if (this.#length < end) return undefined;
    const all = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    this.#pieces = all.length > end ? [all.subarray(end)] : [];
    this.#length -= end;
    return all.subarray(LENGTH_BYTES, end);
  }
}
