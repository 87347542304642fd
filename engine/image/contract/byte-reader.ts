/** Bytes from a stream in the portions that a parser asks for. What is there already is given without waiting. */

/** The stream ended in the middle of something. */
export class UnexpectedEnd extends Error {
  readonly code = 'UNEXPECTED_END';
  override readonly name = 'UnexpectedEnd';
}

const EMPTY = Buffer.alloc(0);

export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = EMPTY;
  /** Bytes given so far. */
  position = 0;

  /** @param source one of its chunks is valid until the next is asked for; so is what is given of it. */
  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** Exactly `size` bytes, or none at the end of the stream. @throws UnexpectedEnd when there are fewer. */
  exactly(size: number): Buffer | Promise<Buffer> {
    return this.#rest.length >= size ? this.#cut(size) : this.#gather(size);
  }

  /** Between 1 and `most` bytes: as many as came together; none at the end of the stream. */
  some(most: number): Buffer | Promise<Buffer> {
    return this.#rest.length > 0
      ? this.#cut(Math.min(most, this.#rest.length))
      : this.#more().then(() => this.#cut(Math.min(most, this.#rest.length)));
  }

  /** Tell the source that nobody reads on. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Copied, since a chunk is valid only until the next one is asked for. */
  async #gather(size: number): Promise<Buffer> {
    const whole = Buffer.allocUnsafe(size);
    let length = 0;
    for (;;) {
      const taken = this.#rest.copy(whole, length);
      length += taken;
      this.#rest = this.#rest.subarray(taken);
      if (length === size) break;
      if (await this.#more()) continue;
      if (length === 0) return EMPTY;
      throw new UnexpectedEnd('the archive is cut off: unexpected end of data');
    }
    this.position += size;
    return whole;
  }

  #cut(size: number): Buffer {
    const cut = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    this.position += size;
    return cut;
  }

  /** Fetch the next chunk into the empty rest. @returns false at the end. */
  async #more(): Promise<boolean> {
    for (;;) {
      const { value, done } = await this.#chunks.next();
      this.#rest = done ? EMPTY : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      if (done) return false;
      if (this.#rest.length > 0) return true;
    }
  }
}
