import { Transform, type TransformCallback } from 'node:stream';
import type { Scanned } from '#contract/exec';
import { detachScanner } from '#exec';
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

/** Passes on what is typed until the key sequence has been typed, which it swallows; then calls `detach`. */
export class DetachFilter extends Transform {
  readonly #scan: (chunk: Uint8Array) => Scanned;
  readonly #detach: () => void;
  #detached = false;

  constructor(keys: Buffer, detach: () => void) {
    super();
    this.#scan = detachScanner(keys);
    this.#detach = detach;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const { passed, detached } = this.#scan(chunk);
    if (passed.length > 0) this.push(passed);
    if (detached && !this.#detached) {
      this.#detached = true;
      this.#detach();
    }
    done();
  }
}
