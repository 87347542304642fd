import { sprintf, typeName } from './printf.ts';
import { type Fields, goJson, goString, isList, isMap, isTrue, resolve } from './values.ts';

/** What a template may call. A failure is an Error whose message ends up in the execution error. */
export type Functions = Record<string, (...args: unknown[]) => unknown>;

const text = (value: unknown): string => {
  if (typeof value === 'string') return value;
  throw new Error(`wrong type for value; expected string; got ${isList(value) ? 'a list' : goString(value ?? null)}`);
};

/** Go, text/template, "Functions"; `and` and `or` are the evaluator's, for they do not look at everything. */
const BUILT_IN: Functions = {
  not: (value) => !isTrue(value),
  len: (value) => {
    if (typeof value === 'string') return Buffer.byteLength(value);
    if (isList(value)) return value.length;
    if (isMap(value)) return Object.keys(value).length;
    throw new Error(`len of type ${typeName(value)}`);
  },
  index: (of, ...keys) => keys.reduce(indexOnce, of),
  slice: (of, from = 0, to?: unknown) => {
    if (typeof of !== 'string' && !isList(of)) throw new Error(`can't slice item of type ${typeof of}`);
    const end = to === undefined ? of.length : Number(to);
    const start = Number(from);
    if (start < 0 || end > of.length || start > end) throw new Error(`invalid slice index: ${start} > ${end}`);
    return of.slice(start, end);
  },
  print: (...args) => printed(args),
  println: (...args) => `${args.map((each) => goString(each ?? null)).join(' ')}\n`,
  printf: (format, ...args) => sprintf(text(format), args),
  eq: (first, ...others) => {
    if (others.length === 0) throw new Error('missing argument for comparison');
    return others.some((other) => equal(first, other));
  },
  ne: (a, b) => !equal(a, b),
  lt: (a, b) => order(a, b) < 0,
  le: (a, b) => order(a, b) <= 0,
  gt: (a, b) => order(a, b) > 0,
  ge: (a, b) => order(a, b) >= 0,
  html: (...args) =>
    printed(args).replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;' })[c] ?? '&#39;'),
  urlquery: (...args) => encodeURIComponent(printed(args)).replace(/%20/g, '+'),
};

/** What the docker command adds. */
const DOCKER: Functions = {
  json: (value) => goJson(value),
  split: (value, separator) => text(value).split(text(separator)),
  join: (value, separator) => {
    if (!isList(value)) throw new Error('wrong type for value; expected []string');
    return value.map((each) => goString(each)).join(text(separator));
  },
  title: (value) =>
    text(value).replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_all, before, letter) => before + letter.toUpperCase()),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  pad: (value, before, after) =>
    value === '' ? '' : ' '.repeat(Number(before)) + text(value) + ' '.repeat(Number(after)),
  truncate: (value, length) => text(value).slice(0, Number(length)),
};

export const FUNCTIONS: Functions = { ...BUILT_IN, ...DOCKER };

/** In the header line of a table there is only text: what would take it apart leaves it as it is. */
export const HEADER_FUNCTIONS: Functions = {
  ...FUNCTIONS,
  json: (value) => value,
  split: (value) => value,
  join: (value) => value,
  title: (value) => value,
  lower: (value) => value,
  upper: (value) => value,
  truncate: (value) => value,
};

/** fmt.Sprint: spaces between operands when neither is a string. */
function printed(args: unknown[]): string {
  return args.reduce<string>((line, each, at) => {
    const spaced = at > 0 && typeof each !== 'string' && typeof args[at - 1] !== 'string';
    return `${line}${spaced ? ' ' : ''}${goString(each ?? null)}`;
  }, '');
}

function indexOnce(of: unknown, key: unknown): unknown {
  if (isMap(of)) {
    if (typeof key !== 'string') throw new Error(`value has type ${typeof key}; should be string`);
    if (Object.hasOwn(of, key)) return resolve((of as Fields)[key]);
    // Go answers with the zero value of the map's type, which is known to be "" where all values are strings.
    const values = Object.values(of);
    return values.length > 0 && values.every((each) => typeof each === 'string') ? '' : undefined;
  }
  if (isList(of) || typeof of === 'string') {
    if (typeof key !== 'number') throw new Error(`cannot index slice/array with type ${typeof key}`);
    const length = of.length;
    if (key < 0 || key >= length) throw new Error(`index out of range: ${key}`);
    return typeof of === 'string' ? of.charCodeAt(key) : of[key];
  }
  throw new Error(of === undefined || of === null ? 'index of untyped nil' : `can't index item of type ${typeof of}`);
}

function equal(a: unknown, b: unknown): boolean {
  const [left, right] = [a ?? null, b ?? null];
  if (left === null || right === null) return left === right;
  if (isList(left) || isMap(left) || isList(right) || isMap(right)) throw new Error('non-comparable type');
  if (kindOf(left) !== kindOf(right)) throw new Error('incompatible types for comparison');
  return left === right || (kindOf(left) === 'number' && BigInt(left as number) === BigInt(right as number));
}

function order(a: unknown, b: unknown): number {
  if (kindOf(a) !== kindOf(b)) throw new Error('incompatible types for comparison');
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (kindOf(a) === 'number') return Number(a) - Number(b);
  throw new Error('invalid type for comparison');
}

function kindOf(value: unknown): string {
  return typeof value === 'bigint' ? 'number' : typeof value;
}
