/** Messages over a stream: each has its length before it, in two bytes. RFC 1035, section 4.2.2. */

const LENGTH_BYTES = 2;

/** `message`, of at most 65,535 bytes, as it is sent. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/**
 * Finds the messages in what arrives piece by piece. It holds one message that is not whole, in a buffer of the length that
 * it has announced, and the pieces that were added since the last message was taken.
 */
export class MessageReader {
  #pieces: Buffer[] = [];
  /** What is being filled: first the length, then the message. */
  #filling: Buffer = Buffer.alloc(LENGTH_BYTES);
  #filled = 0;
  #isLength = true;

  /** Add what came next. */
  add(piece: Buffer): void {
    if (piece.length > 0) this.#pieces.push(piece);
  }

  /** Take the next message out; undefined if it is not whole yet. */
  next(): Buffer | undefined {
    for (;;) {
      this.#fill();
      if (this.#filled < this.#filling.length) return undefined;
      const whole = this.#filling;
      const isMessage = !this.#isLength;
      this.#isLength = isMessage;
      this.#filling = Buffer.alloc(isMessage ? LENGTH_BYTES : whole.readUInt16BE(0));
      this.#filled = 0;
      if (isMessage) return whole;
    }
  }

  /** Add a piece, and take all messages that it completes, in their order. */
  push(piece: Buffer): Buffer[] {
    this.add(piece);
    const messages: Buffer[] = [];
    for (let message = this.next(); message !== undefined; message = this.next()) messages.push(message);
    return messages;
  }

  /** Whether some bytes of a message have come, and it is not taken. */
  get isAmid(): boolean {
    return this.#filled > 0 || !this.#isLength || this.#pieces.length > 0;
  }

  #fill(): void {
    while (this.#filled < this.#filling.length) {
      const piece = this.#pieces[0];
      if (piece === undefined) return;
      const taken = piece.copy(this.#filling, this.#filled);
      this.#filled += taken;
      if (taken === piece.length) this.#pieces.shift();
      else this.#pieces[0] = piece.subarray(taken);
    }
  }
}
