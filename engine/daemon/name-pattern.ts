import { RE2JS } from 're2js';
import { ApiError } from './api-error.ts';

/** Characters of one expression: what it compiles to grows with it. */
const LENGTH_MAX = 256;
/** Values of one filter that cost more than a comparison each. */
const VALUES_MAX = 100;

/** @throws ApiError 400 for more values of a filter than are looked up in a moment. */
export function refuseMany(filter: string, values: string[]): void {
  if (values.length > VALUES_MAX)
    throw new ApiError(400, `invalid filter '${filter}': it has ${values.length} values; use at most ${VALUES_MAX}`);
}

/**
 * Docker's `name` and `id` filters: a value that is the text itself, or a regular expression (RE2's) that fits any part of
 * it. One that cannot be read fits nothing, as in Docker. The engine matches in linear time, whatever the expression.
 * @throws ApiError 400 for an expression of more than LENGTH_MAX characters, and for more than VALUES_MAX of them
 */
export function namePatterns(filter: string, values: string[]): (text: string) => boolean {
  refuseMany(filter, values);
  const expressions = values.flatMap((value) => compiled(filter, value) ?? []);
  return (text) => values.includes(text) || expressions.some((expression) => expression.matcher(text).find());
}

function compiled(filter: string, value: string): RE2JS | undefined {
  if (value.length > LENGTH_MAX)
    throw new ApiError(400, `invalid filter '${filter}': it has ${value.length} characters; use at most ${LENGTH_MAX}`);
  try {
    return RE2JS.compile(value);
  } catch {
    return undefined;
  }
}
