import { goNumber, goString, isList, isMap } from './values.ts';

const DIRECTIVE = /%(?:%|([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?(.)?)/gsu;

/** Go's fmt.Sprintf for the verbs that formats use: v s q d t f g e x X o b c U T. Go, fmt, "Printing". */
export function sprintf(format: string, args: unknown[]): string {
  let next = 0;
  const text = format.replace(
    DIRECTIVE,
    (all, flags: string = '', width?: string, precision?: string, verb?: string) => {
      if (all === '%%') return '%';
      if (verb === undefined) return '%!(NOVERB)';
      const wide = width === '*' ? Number(args[next++]) : width === undefined ? 0 : Number(width);
      const hasPrecision = /\.(\d*|\*)$/.test(all.slice(0, -verb.length));
      const exact = precision === '*' ? Number(args[next++]) : hasPrecision ? Number(precision ?? 0) : undefined;
      if (next >= args.length) return `%!${verb}(MISSING)`;
      return pad(convert(verb, args[next++], flags, exact), wide, flags, verb);
    },
  );
  if (next >= args.length) return text;
  const extra = args.slice(next).map((each) => `${typeName(each)}=${goString(each)}`);
  return `${text}%!(EXTRA ${extra.join(', ')})`;
}

/** Go's name for the type a value would have there. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'boolean') return 'bool';
  if (isList(value)) return '[]interface {}';
  return isMap(value) ? 'map[string]interface {}' : 'string';
}

function convert(verb: string, value: unknown, flags: string, precision: number | undefined): string {
  if (verb === 'v') return flags.includes('#') && typeof value === 'string' ? quote(value) : goString(value ?? null);
  if (verb === 'T') return typeName(value);
  if (isList(value)) return `[${value.map((each) => convert(verb, each, flags, precision)).join(' ')}]`;
  if (typeof value === 'string') {
    const cut = precision === undefined ? value : [...value].slice(0, precision).join('');
    if (verb === 's') return cut;
    if (verb === 'q') return quote(cut);
    if (verb === 'x' || verb === 'X') {
      const hexadecimal = Buffer.from(cut).toString('hex');
      return verb === 'x' ? hexadecimal : hexadecimal.toUpperCase();
    }
  }
  if (typeof value === 'boolean' && verb === 't') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint') {
    const text = number(verb, value, precision);
    if (text !== undefined) return flags.includes('+') && value >= 0 ? `+${text}` : text;
  }
  if (value === null || value === undefined) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeName(value)}=${goString(value)})`;
}

function number(verb: string, value: number | bigint, precision: number | undefined): string | undefined {
  const whole = typeof value === 'bigint' || Number.isInteger(value);
  if (whole) {
    if (verb === 'd') return typeof value === 'bigint' ? value.toString() : goNumber(value);
    if (verb === 'x') return value.toString(16);
    if (verb === 'X') return value.toString(16).toUpperCase();
    if (verb === 'o') return value.toString(8);
    if (verb === 'b') return value.toString(2);
    if (verb === 'c') return String.fromCodePoint(Number(value));
    if (verb === 'q') return `'${String.fromCodePoint(Number(value))}'`;
    if (verb === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`;
    return undefined;
  }
  if (verb === 'f' || verb === 'F') return Number(value).toFixed(precision ?? 6);
  if (verb === 'g')
    return precision === undefined ? goNumber(Number(value)) : String(Number(Number(value).toPrecision(precision)));
  if (verb === 'e')
    return Number(value)
      .toExponential(precision ?? 6)
      .replace(/e([+-])(\d)$/, 'e$10$2');
  return undefined;
}

function pad(text: string, width: number, flags: string, verb: string): string {
  const missing = Math.abs(width) - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-') || width < 0) return text + ' '.repeat(missing);
  if (!flags.includes('0') || verb === 's' || verb === 'q' || verb === 'v') return ' '.repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

/** Go's strconv.Quote: what cannot be printed is escaped, what can is kept, also beyond ASCII. */
export function quote(text: string): string {
  const short: Record<string, string> = {
    '"': '\\"',
    '\\': '\\\\',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\x07': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\v': '\\v',
  };
  const escaped = text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (short[character] !== undefined) return short[character];
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}
