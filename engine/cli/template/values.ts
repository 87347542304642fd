/** Values of a template are those of JSON, plus `undefined` (nothing there) and these two. */

/** A list that Go has as nil: no elements, `null` in JSON. */
export const NIL_LIST: readonly never[] = Object.freeze([]);

/** A map that Go has as nil: no entries, `null` in JSON. */
export const NIL_MAP: Readonly<Record<string, never>> = Object.freeze({});

export type Fields = Record<string, unknown>;

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

export function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Go, text/template: "the empty values are false, 0, any nil pointer or interface value, and any array, slice, map, or string of length zero". */
export function isTrue(value: unknown): boolean {
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** What Go's `%v` prints. Keys of maps come sorted. */
export function goString(value: unknown): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (typeof value === 'number') return goNumber(value);
  if (isList(value)) return `[${value.map((each) => (each === undefined ? '<nil>' : goString(each))).join(' ')}]`;
  if (isMap(value))
    return `map[${entries(value)
      .map(([key, each]) => `${key}:${goString(each)}`)
      .join(' ')}]`;
  return String(value);
}

/** What Go's `%v` prints for a number: exponents from 1e21 on, as for its floats. */
export function goNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return BigInt(value).toString();
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** The fields of a map in the order of their names, methods called. Those that take arguments are left out. */
export function entries(map: Fields): [string, unknown][] {
  return Object.keys(map)
    .filter((key) => !(typeof map[key] === 'function' && map[key].length > 0))
    .sort()
    .map((key) => [key, resolve(map[key])]);
}

/** Call what is a method without parameters. */
export function resolve(value: unknown): unknown {
  return typeof value === 'function' ? value() : value;
}

/**
 * What docker's `json` makes of it. Keys keep their order unless the map has methods: those are the rows of a listing,
 * which docker marshals with keys sorted and with `<`, `>` and `&` escaped.
 */
export function goJson(value: unknown): string {
  if (value === undefined || value === null || value === NIL_LIST || value === NIL_MAP) return 'null';
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string') return goJsonString(value);
  if (isList(value)) return `[${value.map(goJson).join(',')}]`;
  if (isMap(value)) {
    const lazy = Object.values(value).some((each) => typeof each === 'function');
    if (lazy) return escapeHtml(goJson(Object.fromEntries(entries(value))));
    const pairs = Object.entries(value);
    return `{${pairs.map(([key, each]) => `${goJsonString(key)}:${goJson(each)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

/** Go escapes the two line separators that JavaScript once forbade in strings, and writes \b and \f as \u0008, \u000c. */
function goJsonString(text: string): string {
  return JSON.stringify(text).replace(/[\u2028\u2029]/g, (separator) =>
    separator === '\u2028' ? '\\u2028' : '\\u2029',
  );
}

function escapeHtml(json: string): string {
  return json.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}
