/** A stream whose beginning is looked at before it is read. */

import { Readable } from 'node:stream';

export interface Peeked {
  /** The first bytes, as many as were asked for or all there are. */
  head: Buffer;
  /** Everything, the head included. Destroying it destroys the source. */
  whole: Readable;
}

/** @throws the source's own error. */
export async function peek(source: AsyncIterable<Uint8Array>, size: number): Promise<Peeked> {
  const chunks = source[Symbol.asyncIterator]();
  const seen: Uint8Array[] = [];
  let length = 0;
  while (length < size) {
    const { value, done } = await chunks.next();
    if (done) break;
    // What is kept while more is asked for has to be a copy.
    seen.push(Buffer.from(value));
    length += value.length;
  }
  const head = Buffer.concat(seen);
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head;
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
    } finally {
      await chunks.return?.();
    }
  }
  return { head: head.subarray(0, size), whole: Readable.from(all(), { objectMode: false }) };
}
