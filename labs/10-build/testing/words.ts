// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles
/** Words of a Dockerfile with what they expand to: both are made of the same pieces. */

import { draw } from '../../../grader/harness/random.ts';

export interface Word {
  text: string;
  value: string;
}

export type Kind = 'text' | 'name' | 'braces' | 'choice' | 'single' | 'double' | 'escape';

export interface Given {
  known: Record<string, string>;
  unset: string[];
  /** The escape character, `\` if absent. */
  token?: string;
}

const DEPTH_MAX = 3;
/** Mean nothing anywhere. */
const PLAIN = [...'abcxyz019 .,:/=%-+~*?#@é'];

/** @param kinds what they may be made of. */
export function drawnWords(kinds: Kind[], given: Given, count = 20): Word[] {
  return Array.from({ length: count }, () => drawnWord(kinds, given, 0));
}

function drawnWord(kinds: Kind[], given: Given, depth: number): Word {
  const pieces = Array.from({ length: draw.int(1, 4) }, () => drawnPiece(draw.pick(kinds), kinds, given, depth));
  return together(pieces);
}

function together(pieces: Word[]): Word {
  return pieces.reduce(
    (word, piece) => {
      // A character of a name would make the name before it longer.
      const between = /\$\w+$/.test(word.text) && /^\w/.test(piece.text) ? '.' : '';
      return { text: word.text + between + piece.text, value: word.value + between + piece.value };
    },
    { text: '', value: '' },
  );
}

function drawnPiece(kind: Kind, kinds: Kind[], given: Given, depth: number): Word {
  const { known, unset, token = '\\' } = given;
  const name = draw.pick([...Object.keys(known), ...unset]);
  const value = Object.hasOwn(known, name) ? known[name]! : undefined;
  switch (kind) {
    case 'text':
      return same(characters(depth === 0 ? [...PLAIN, '{', '}'] : PLAIN));
    case 'name':
      return { text: `$${name}`, value: value ?? '' };
    case 'braces':
      return { text: `\${${name}}`, value: value ?? '' };
    case 'choice': {
      if (depth >= DEPTH_MAX) return same('x');
      const modifier = draw.pick([':-', '-', ':+', '+']);
      const other = drawnWord(kinds, given, depth + 1);
      const isSet = modifier.startsWith(':') ? (value ?? '') !== '' : value !== undefined;
      const taken = modifier.endsWith('-') ? (isSet ? value! : other.value) : isSet ? other.value : '';
      return { text: `\${${name}${modifier}${other.text}}`, value: taken };
    }
    case 'single': {
      const text = characters([...PLAIN, '$', `$${name}`, '"', '}', token]);
      return { text: `'${text}'`, value: text };
    }
    case 'double': {
      const inner = kinds.filter((each) => each === 'name' || each === 'braces' || each === 'choice');
      const pieces = Array.from({ length: draw.int(1, 4) }, () =>
        draw.pick([
          () => drawnPiece(draw.pick(inner), kinds, given, depth + 1),
          () => same(characters([...PLAIN, "'", '}'])),
          () => escaped(draw.pick(['$', '"', token]), token),
          // Before anything else it stays.
          () => same(`${token}${draw.pick(['n', 'x', ' ', "'"])}`),
        ])(),
      );
      const { text, value: content } = together(pieces);
      return { text: `"${text}"`, value: content };
    }
    case 'escape':
      return escaped(draw.pick(['$', '"', "'", token, '}', '{', 'n', 'a', ' ']), token);
  }
}

function escaped(character: string, token: string): Word {
  return { text: `${token}${character}`, value: character };
}

function same(text: string): Word {
  return { text, value: text };
}

function characters(alphabet: string[]): string {
  return Array.from({ length: draw.int(1, 6) }, () => draw.pick(alphabet)).join('');
}

/** Words that cannot be read, each with a twin that can and differs in little else. */
export function unreadable(given: Given): { text: string; twin: Word }[] {
  const [name, value] = Object.entries(given.known)[0]!;
  const missing = given.unset[0]!;
  const word = draw.word();
  const front = drawnWord(['text', 'braces'], given, 1);
  const twin = (text: string, ofTwin: string) => ({ text: front.text + text, value: front.value + ofTwin });
  const plain = twin(`\${${name}}`, value);
  const pairs: [text: string, twin: Word][] = [
    ['${', plain],
    ['${}', plain],
    ['${ }', plain],
    [`\${.${name}}`, plain],
    [`\${${name}`, plain],
    [`\${${name}:-`, plain],
    [`\${${name}:-${word}`, twin(`\${${name}:-${word}}`, value)],
    [`\${${missing}:+${word}`, twin(`\${${missing}:+${word}}`, '')],
    [`\${${name}-\${${missing}}`, twin(`\${${name}-\${${missing}}}`, value)],
    [`\${${name}:-\${}}`, plain],
    [`\${${name}:}`, plain],
    [`\${${name}:${word}}`, plain],
    ...draw
      .some(['^', '^^', ',', ',,', '@', '=', '~', ' ', '.', '&', '['], 6)
      .map((modifier): [string, Word] => [`\${${name}${modifier}}`, plain]),
    [`"${word}`, twin(`"${word}"`, word)],
    [`"${word}\\"`, twin(`"${word}\\""`, `${word}"`)],
    [`'${word}`, twin(`'${word}'`, word)],
    [`\${${missing}:-"${word}}`, twin(`\${${missing}:-"${word}"}`, word)],
    [`"\${${name}"`, twin(`"\${${name}}"`, value)],
  ];
  return pairs.map(([text, readable]) => ({ text: front.text + text, twin: readable }));
}
