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
  /** What is held back: the longest beginning of the sequence that what was typed ends in. */
  #held: number[] = [];
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
    if (!this.#detached && this.#held.length > 0) this.push(Buffer.from(this.#held));
    callback();
  }

  #take(byte: number, out: number[]): void {
    this.#held.push(byte);
    while (!this.#held.every((each, index) => each === this.#keys[index])) out.push(this.#held.shift()!);
    this.#detached = this.#held.length === this.#keys.length;
  }
}
