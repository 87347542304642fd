/** How instructions are cut into words, and lists in JSON told from the shell's form. Dockerfile reference, "Format". */

/** Blank-separated words; quotes and escapes keep blanks together and stay in the word. @param escapeToken `\` or a backtick */
export function splitWords(text: string, escapeToken: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === escapeToken && quote !== "'" && at + 1 < text.length) {
      word += character + text[++at]!;
    } else if (quote !== '') {
      word += character;
      if (character === quote) quote = '';
    } else if (/\s/.test(character)) {
      if (word !== '') words.push(word);
      word = '';
    } else {
      word += character;
      if (character === '"' || character === "'") quote = character;
    }
  }
  if (word !== '') words.push(word);
  return words;
}

/** The strings of a JSON list; undefined when `text` is none, which makes it the shell's form. */
export function jsonWords(text: string): string[] | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith('[')) return undefined;
  try {
    const list: unknown = JSON.parse(trimmed);
    return Array.isArray(list) && list.every((each) => typeof each === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}

/**
 * `NAME=value NAME="other value"`, or the old form `NAME the whole rest`.
 * @throws Error in Docker's words.
 */
export function pairsOf(keyword: string, text: string, escapeToken: string): [name: string, value: string][] {
  const words = splitWords(text, escapeToken);
  if (words.length === 0) throw new Error(`${keyword} requires at least one argument`);
  if (!words[0]!.includes('=')) {
    const [, name = '', value = ''] = /^(\S+)\s+([\s\S]*)$/.exec(text.trim()) ?? [];
    if (name === '') throw new Error(`${keyword} must have two arguments: write ${keyword} ${words[0]}=value`);
    return [[name, value]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals === -1) throw new Error(`Syntax error - can't find = in "${word}". Must be of the form: name=value`);
    if (equals === 0) throw new Error(`${keyword} names can not be blank, as in "${word}"`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}
