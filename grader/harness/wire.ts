/**
 * What subject and judge say to each other: lines of JSON on one unix socket. The judge believes nothing of it: every
 * line has a largest size and a known shape (answer.ts), and an answer to a question that was not asked ends the
 * conversation. Every subject loads this file, so it imports nothing.
 */

/** A line longer than this ends the conversation. 1 MiB is far above what any honest answer needs. */
export const LONGEST_LINE = 1 << 20;

export interface Call {
  id: number;
  call: string;
  args: unknown[];
}

/** What the learner's code threw, as far as it can cross. */
export interface Thrown {
  name: string;
  message: string;
  code?: string | undefined;
  syscall?: string | undefined;
  stack?: string | undefined;
}

/** JSON has no bigint, no bytes, no undefined and no NaN; these do. @throws TypeError for functions, symbols and circles. */
export function encode(value: unknown): unknown {
  if (value === undefined) return { $undefined: true };
  if (typeof value === 'bigint') return { $bigint: String(value) };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new TypeError(`A ${typeof value} cannot be told from one process to another.`);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return Array.from(value, encode);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(item)]));
}

/** The inverse of `encode`. Object.fromEntries makes a key named `__proto__` a plain key. */
export function decode(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(decode);
  const entries = Object.entries(value);
  if (entries.length === 1) {
    const [key, item] = entries[0]!;
    if (key === '$undefined') return undefined;
    if (key === '$bigint' && typeof item === 'string' && /^-?\d{1,10000}$/.test(item)) return BigInt(item);
    if (key === '$number' && typeof item === 'string') return Number(item);
    if (key === '$bytes' && typeof item === 'string') return Buffer.from(item, 'base64');
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, decode(item)]));
}

export function thrown(error: unknown): Thrown {
  if (typeof error !== 'object' || error === null) return { name: 'Error', message: `${String(error)} was thrown` };
  const { name, message, code, syscall, stack } = error as Record<string, unknown>;
  const text = (part: unknown, most: number) => (typeof part === 'string' ? part.slice(0, most) : undefined);
  return {
    name: text(name, 200) ?? 'Error',
    message: text(message, 60000) ?? 'something without a message was thrown',
    code: text(code, 200),
    syscall: text(syscall, 200),
    stack: text(stack, 60000),
  };
}

/** Cuts a stream into lines. @throws Error when one is longer than LONGEST_LINE. */
export class LineReader {
  #rest: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    for (let start = 0; ; ) {
      const end = chunk.indexOf(10, start);
      const piece = chunk.subarray(start, end < 0 ? undefined : end);
      this.#rest.push(piece);
      this.#length += piece.length;
      if (this.#length > LONGEST_LINE) throw new Error(`a line of more than ${LONGEST_LINE >> 20} MiB`);
      if (end < 0) return lines;
      lines.push(Buffer.concat(this.#rest).toString());
      this.#rest = [];
      this.#length = 0;
      start = end + 1;
    }
  }
}
