/** What differs between what should be and what is, and nothing else: a red that shows two whole trees teaches nothing. */

export interface Comparison {
  /** Whether two values are equal, asymmetric matchers included. */
  equals(actual: unknown, expected: unknown): boolean;
  /** Keys that `expected` does not name do not count. */
  subset?: boolean;
}

const MOST_DIFFERENCES = 8;
const MOST_CHARACTERS = 300;
/** Characters shown on either side of the first one that differs. */
const WINDOW = 40;

/** One line or two for each difference; '' if there are none. */
export function differences(actual: unknown, expected: unknown, comparison: Comparison): string {
  const found = [...walk(actual, expected, '', comparison)];
  const shown = found.slice(0, MOST_DIFFERENCES).map(({ place, should, is }) => {
    const at = place === '' ? '' : `${place}: `;
    const line = `${at}should be ${should}, is ${is}`;
    return line.length <= 100 ? line : `${at}should be ${should}\n${' '.repeat(at.length + 7)}is ${is}`;
  });
  if (found.length > MOST_DIFFERENCES) shown.push(`and ${found.length - MOST_DIFFERENCES} more differences`);
  return shown.join('\n');
}

interface Difference {
  place: string;
  should: string;
  is: string;
}

const ABSENT = 'absent';

function* walk(actual: unknown, expected: unknown, place: string, comparison: Comparison): Generator<Difference> {
  if (comparison.equals(actual, expected)) return;
  const both = (test: (value: unknown) => boolean) => test(actual) && test(expected);
  if (both(isList)) yield* walkLists(actual as unknown[], expected as unknown[], place, comparison);
  else if (both(isRecord)) yield* walkRecords(actual as Rec, expected as Rec, place, comparison);
  else if (both((value) => value instanceof Uint8Array)) yield bytesApart(actual as Buffer, expected as Buffer, place);
  else if (both((value) => typeof value === 'string' && value.length > 2 * WINDOW))
    yield textsApart(actual as string, expected as string, place);
  else yield { place, should: shown(expected), is: shown(actual) };
}

type Rec = Record<string, unknown>;

function* walkRecords(actual: Rec, expected: Rec, place: string, comparison: Comparison): Generator<Difference> {
  const keys = comparison.subset ? Object.keys(expected) : new Set([...Object.keys(expected), ...Object.keys(actual)]);
  for (const key of keys) {
    const at = place === '' ? key : `${place}.${key}`;
    if (!Object.hasOwn(actual, key)) {
      if (expected[key] !== undefined) yield { place: at, should: shown(expected[key]), is: ABSENT };
    } else if (!Object.hasOwn(expected, key)) {
      if (actual[key] !== undefined) yield { place: at, should: ABSENT, is: shown(actual[key]) };
    } else yield* walk(actual[key], expected[key], at, comparison);
  }
}

function* walkLists(
  actual: unknown[],
  expected: unknown[],
  place: string,
  comparison: Comparison,
): Generator<Difference> {
  const lacks = (from: unknown[], than: unknown[]) =>
    from.filter((item) => !than.some((other) => comparison.equals(other, item)));
  const [missing, extra] = [lacks(expected, actual), lacks(actual, expected)];
  const plain = [...actual, ...expected].every((item) => !isRecord(item) && !isList(item));
  if (actual.length !== expected.length && plain) {
    // Which items, not which places: one that is missing moves all the others.
    const at = place === '' ? '' : `${place} `;
    if (missing.length > 0) yield { place: `${at}items`, should: shown(missing), is: ABSENT };
    if (extra.length > 0) yield { place: `${at}items`, should: ABSENT, is: shown(extra) };
    if (missing.length + extra.length > 0) return;
  }
  for (let index = 0; index < Math.max(actual.length, expected.length); index++) {
    const at = `${place}[${index}]`;
    if (index >= actual.length) yield { place: at, should: shown(expected[index]), is: ABSENT };
    else if (index >= expected.length) yield { place: at, should: ABSENT, is: shown(actual[index]) };
    else yield* walk(actual[index], expected[index], at, comparison);
  }
}

function bytesApart(actual: Uint8Array, expected: Uint8Array, place: string): Difference {
  let at = 0;
  while (at < Math.min(actual.length, expected.length) && actual[at] === expected[at]) at++;
  const from = (bytes: Uint8Array) => {
    const window = Buffer.from(bytes.subarray(at, at + WINDOW));
    const rest = bytes.length > at + WINDOW ? ' …' : '';
    return `${bytes.length} bytes, from byte ${at}: ${shown(window.toString('latin1'))}${rest}`;
  };
  return { place, should: from(expected), is: from(actual) };
}

function textsApart(actual: string, expected: string, place: string): Difference {
  let at = 0;
  while (at < Math.min(actual.length, expected.length) && actual[at] === expected[at]) at++;
  const start = Math.max(0, at - WINDOW);
  const around = (text: string) =>
    `${start > 0 ? '… ' : ''}${shown(text.slice(start, at + WINDOW))}${text.length > at + WINDOW ? ' …' : ''}`;
  return {
    place: `${place}${place === '' ? 'from' : ' from'} character ${at}`,
    should: around(expected),
    is: around(actual),
  };
}

function isList(value: unknown): boolean {
  return Array.isArray(value);
}

/** A plain object; asymmetric matchers and errors are shown as they are. */
function isRecord(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A value on one line, control characters visible. */
export function shown(value: unknown): string {
  const text = unlimited(value, 0);
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)} …`;
}

const MOST_DEPTH = 4;

function unlimited(value: unknown, depth: number): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `the function ${value.name}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Uint8Array) return `${value.length} bytes ${quoted(Buffer.from(value).toString('latin1'))}`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof RegExp || value instanceof Date) return String(value);
  const { asymmetricMatch, toAsymmetricMatcher } = value as Record<string, unknown>;
  if (typeof asymmetricMatch === 'function')
    return typeof toAsymmetricMatcher === 'function' ? String(toAsymmetricMatcher.call(value)) : String(value);
  if (depth >= MOST_DEPTH) return Array.isArray(value) ? '[…]' : '{…}';
  if (Array.isArray(value))
    return `[${value
      .slice(0, 50)
      .map((item) => unlimited(item, depth + 1))
      .join(', ')}${value.length > 50 ? ', …' : ''}]`;
  const entries = Object.entries(value).slice(0, 50);
  return `{${entries.map(([key, item]) => `${key}: ${unlimited(item, depth + 1)}`).join(', ')}}`;
}

/** As JSON has it, with every other control character, and what turns the direction of text, as an escape too. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\p{Bidi_Control}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}
