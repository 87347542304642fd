import { Transform, type TransformCallback } from 'node:stream';
import { ApiError } from './api-error.ts';

const DEFAULT = 'ctrl-p,ctrl-q';
const CONTROL: Record<string, number> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 };

/**
 * The bytes of a key sequence: comma-separated characters, or `ctrl-` with a letter or one of `@[\]^_`.
 * @throws ApiError 400
 */
export function parseDetachKeys(keys: string): Buffer {
  const bytes = (keys === '' ? DEFAULT : keys).split(',').map((key) => {
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    const control = /^ctrl-(.)$/.exec(key)?.[1];
    if (control && /[a-z]/.test(control)) return control.charCodeAt(0) - 96;
    if (control && control in CONTROL) return CONTROL[control]!;
    throw new ApiError(400, `invalid detach keys (${keys.slice(0, 60)}): Unknown character: '${key.slice(0, 20)}'`);
  });
  return Buffer.from(bytes);
}

/**
 * Passes on what is typed until the key sequence has been typed, which it swallows; then calls `detach`. The beginning
 * of the sequence is held back until it is clear what it will be.
 */
export class DetachFilter extends Transform {
  readonly #keys: Buffer;
  readonly #detach: () => void;
  #matched = 0;

  constructor(keys: Buffer, detach: () => void) {
    super();
    this.#keys = keys;
    this.#detach = detach;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) {
          this.push(Buffer.from(out));
          this.#detach();
          done();
          return;
        }
        continue;
      }
      out.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) out.push(byte);
    }
    done(null, out.length > 0 ? Buffer.from(out) : undefined);
  }
}
