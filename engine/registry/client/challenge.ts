/**
 * What a registry wants to know before it answers: the header WWW-Authenticate. RFC 9110, section 11.6.1.
 *
 *     challenges := challenge { "," challenge }
 *     challenge  := scheme [ " " ( token68 | parameter { "," parameter } ) ]
 *     parameter  := token "=" ( token | quoted-string )
 *
 * The comma stands between challenges and between parameters alike: a word that no "=" follows begins a challenge.
 */

import type { Challenge } from '../contract/pull.ts';

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
/** A value without quotes; some registries leave them out around a URL, which has more characters than a token. */
const BARE = /[^\s,"]+/y;
const SPACE = /[ \t]*/y;
const COMMAS = /[ \t,]*/y;
/** Credentials-like data after a scheme, e.g. `Negotiate YII=`; not used by registries and passed over. */
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const SIZE_MAX = 16 * 1024;

/** @param header all lines of it, joined with commas. What makes no sense ends the reading; what was read before counts. */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, SIZE_MAX);
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };

  take(COMMAS);
  while (at < text.length) {
    const word = take(TOKEN);
    if (word === undefined) break;
    const afterWord = at;
    take(SPACE);
    if (text[at] !== '=') {
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
      take(TOKEN68);
      take(COMMAS);
      continue;
    }
    const current = challenges.at(-1);
    if (current === undefined) break;
    at += 1;
    take(SPACE);
    const value = text[at] === '"' ? takeQuoted() : take(BARE);
    if (value === undefined || at === afterWord) break;
    const name = word.toLowerCase();
    if (!current.parameters.has(name)) current.parameters.set(name, value);
    take(COMMAS);
  }
  return challenges;

  /** RFC 9110, section 5.6.4: a backslash quotes the character after it. */
  function takeQuoted(): string | undefined {
    let value = '';
    for (let index = at + 1; index < text.length; index += 1) {
      if (text[index] === '"') {
        at = index + 1;
        return value;
      }
      if (text[index] === '\\') index += 1;
      value += text[index] ?? '';
    }
    return undefined;
  }
}
