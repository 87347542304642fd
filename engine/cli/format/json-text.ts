/** Strings, or integers that a JavaScript number may not hold exactly. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;
const MARK = '\u0000integer:';

/** JSON.parse that keeps large integers: those beyond ±(2⁵³−1) become a bigint. @throws SyntaxError */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const marked = text.replace(TOKENS, (token) =>
    token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : JSON.stringify(MARK + token),
  );
  return JSON.parse(marked, (_key, value) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

/**
 * The same JSON text, one element a line, everything else as the daemon wrote it: order of keys and numbers too.
 * Go's json.Indent with four spaces.
 */
export function indentJson(text: string, prefix = ''): string {
  let depth = 0;
  const newline = (): string => `\n${prefix}${'    '.repeat(depth)}`;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  return tokens
    .map((token, at) => {
      const next = tokens[at + 1];
      if (token === '{' || token === '[') {
        depth += 1;
        return next === '}' || next === ']' ? token : token + newline();
      }
      if (token === '}' || token === ']') {
        depth -= 1;
        const empty = tokens[at - 1] === '{' || tokens[at - 1] === '[';
        return empty ? token : newline() + token;
      }
      if (token === ',') return token + newline();
      return token === ':' ? ': ' : token;
    })
    .join('');
}
