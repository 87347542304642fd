import * as z from 'zod';
import { parseTimestamp } from '../container/time.ts';
import { unreasonableJson } from '../image/json-shape.ts';
import { ApiError } from './api-error.ts';

/** The query of a request, read as Docker's daemon reads it. */
export class Query {
  readonly #parameters: URLSearchParams;

  constructor(search: string) {
    this.#parameters = new URLSearchParams(search);
  }

  text(name: string): string {
    const value = this.#parameters.get(name) ?? '';
    if (value.includes('\0')) throw new ApiError(400, `invalid parameter ${name}: it has a NUL character`);
    return value;
  }

  /** All values of a parameter that may be given many times. */
  texts(name: string): string[] {
    const values = this.#parameters.getAll(name);
    if (values.some((value) => value.includes('\0')))
      throw new ApiError(400, `invalid parameter ${name}: it has a NUL character`);
    return values;
  }

  /** Anything counts as true but nothing, `0`, `no`, `false` and `none`. */
  flag(name: string): boolean {
    return !['', '0', 'no', 'false', 'none'].includes(this.text(name).trim().toLowerCase());
  }

  /** Undefined when it is not there. */
  integer(name: string, { min, max }: { min: number; max: number }): number | undefined {
    const value = this.text(name);
    if (value === '') return undefined;
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || number < min || number > max)
      throw new ApiError(400, `invalid parameter ${name}: ${value.slice(0, 60)} is not a number from ${min} to ${max}`);
    return number;
  }

  /** Nanoseconds since 1970; undefined when it is not there, or 0, which clients send for "not given". */
  time(name: string): bigint | undefined {
    const value = this.text(name);
    if (value === '' || value === '0') return undefined;
    const time = parseTimestamp(value);
    if (time === null)
      throw new ApiError(
        400,
        `invalid parameter ${name}: ${value.slice(0, 60)} is neither seconds since 1970 nor RFC 3339`,
      );
    return time;
  }

  /**
   * Docker's filters: JSON, a map of names to lists of values, or as older clients write it, to maps of values to true.
   * @param known the names there are.
   */
  filters(known: readonly string[]): Map<string, string[]> {
    const value = this.text('filters');
    if (value === '') return new Map();
    const parsed = Filters.safeParse(parseJson(value));
    if (!parsed.success) throw new ApiError(400, 'invalid filters: not a JSON map of names to lists of values');
    const filters = new Map(Object.entries(parsed.data));
    for (const name of filters.keys())
      if (!known.includes(name))
        throw new ApiError(400, `invalid filter '${name.slice(0, 60)}'. There are ${known.join(', ')}.`);
    return filters;
  }
}

const Filters = z.record(
  z.string(),
  z.union([z.array(z.string()), z.record(z.string(), z.boolean()).transform((map) => Object.keys(map))]),
);

/** Values in one parameter, which is no longer than a request's head. */
const VALUES_MAX = 5000;

function parseJson(text: string): unknown {
  if (unreasonableJson(Buffer.from(text), VALUES_MAX) !== undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
