import { Transform, type TransformCallback } from 'node:stream';
import { CliError } from './errors.ts';

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

/**
 * The bytes of a key sequence: single characters and `ctrl-` with one of `a`…`z`, `@`, `[`, `\`, `]`, `^`, `_`,
 * separated by commas.
 * @throws CliError that names the key.
 */
export function parseDetachKeys(text: string): Buffer {
  const bytes = text.split(',').map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/i.exec(key)?.[1];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
    throw new CliError(`invalid detach keys "${text}": "${key}" is neither a character nor ctrl- and a character`, 125);
  });
  return Buffer.from(bytes);
}

/** Passes bytes on until the key sequence is seen. A sequence that has begun is held back until it is decided. */
export class DetachProxy extends Transform {
  readonly #keys: Buffer;
  readonly #onDetach: () => void;
  #matched = 0;
  #detached = false;

  constructor(keys: Buffer, onDetach: () => void) {
    super();
    this.#keys = keys;
    this.#onDetach = onDetach;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    const out: number[] = [];
    for (const byte of chunk) {
      if (this.#detached) break;
      this.#take(byte, out);
    }
    if (out.length > 0) this.push(Buffer.from(out));
    if (this.#detached) this.#onDetach();
    callback();
  }

  override _flush(callback: TransformCallback): void {
    if (!this.#detached && this.#matched > 0) this.push(this.#keys.subarray(0, this.#matched));
    callback();
  }

  #take(byte: number, out: number[]): void {
    if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
      out.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = 0;
    }
    if (byte !== this.#keys[this.#matched]) {
      out.push(byte);
      return;
    }
    this.#matched += 1;
    if (this.#matched === this.#keys.length) this.#detached = true;
  }
}
