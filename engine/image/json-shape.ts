/**
 * What a JSON text costs to read, seen before it is read: V8 takes a second for two million brackets, and another for the
 * names of an object that has a hundred thousand. Looking takes a few milliseconds for each megabyte.
 */

/** No document of Docker's or OCI's has lists in lists beyond this. */
const DEPTH_MAX = 64;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const [OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Why `text` is not worth reading, in words; undefined when it may be read. Whether it is JSON at all is not looked at.
 * @param values how many values it may have at most, those in lists and maps counted one by one.
 */
export function unreasonableJson(text: Uint8Array, values: number): string | undefined {
  let depth = 0;
  let count = 1;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at];
    if (byte === QUOTE) {
      // Natively, since most of a document is the inside of its strings.
      do at = text.indexOf(QUOTE, at + 1);
      while (at !== -1 && isEscaped(text, at));
      if (at === -1) return undefined;
    } else if (byte === COMMA) count += 1;
    else if (byte === OPEN_LIST || byte === OPEN_MAP) {
      depth += 1;
      count += 1;
      if (depth > DEPTH_MAX) return `it is nested more than ${DEPTH_MAX} deep`;
    } else if (byte === CLOSE_LIST || byte === CLOSE_MAP) depth -= 1;
    if (count > values) return `it has more than ${values} values`;
  }
  return undefined;
}

function isEscaped(text: Uint8Array, quote: number): boolean {
  let first = quote;
  while (text[first - 1] === BACKSLASH) first -= 1;
  return (quote - first) % 2 === 1;
}
