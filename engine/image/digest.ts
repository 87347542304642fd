/** Content digests. OCI image-spec, descriptor.md, "Digests". */

import { createHash, type Hash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';

declare const brand: unique symbol;

/** `sha256:` and 64 lower-case hexadecimal digits: checked, so safe as a file name. */
export type Digest = string & { readonly [brand]: 'Digest' };

export class InvalidDigest extends Error {
  readonly code = 'DIGEST_INVALID';
  override readonly name = 'InvalidDigest';
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** @throws InvalidDigest that quotes `text`. Of the algorithms the specification registers only sha256 is supported. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  throw new InvalidDigest(`digest ${shown} is not "sha256:" followed by 64 lower-case hexadecimal digits`);
}

/** The 64 digits without the algorithm. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** The first 12 digits, as Docker shows an id. */
export function shortId(digest: Digest): string {
  return hexOf(digest).slice(0, 12);
}

export function digestOf(content: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** Passes bytes on unchanged; `digest()` and `size` tell what went through, once the stream has ended. */
export class DigestStream extends Transform {
  readonly #hash: Hash = createHash('sha256');
  #digest: Digest | undefined;
  /** Bytes so far. */
  size = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk);
    this.size += chunk.length;
    done(null, chunk);
  }

  digest(): Digest {
    this.#digest ??= `sha256:${this.#hash.digest('hex')}` as Digest;
    return this.#digest;
  }
}
