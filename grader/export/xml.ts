/** XML 1.0, as much as reports need. */

import { uncutText } from './judged-tests.ts';

/** In an attribute a parser turns line breaks and tabs into spaces, unless they are references. XML 1.0, section 3.3.3. */
const REFERENCES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\t': '&#9;',
};

export function xmlElement(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content: readonly string[] = [],
): string {
  const start = [
    name,
    ...Object.entries(attributes).map(([key, value]) => `${key}="${escaped(value, /[&<>"\n\t]/g)}"`),
  ];
  return content.length === 0 ? `<${start.join(' ')}/>` : `<${start.join(' ')}>${content.join('')}</${name}>`;
}

export function xmlText(text: string): string {
  return escaped(text, /[&<>]/g);
}

function escaped(value: string | number, special: RegExp): string {
  return uncutText(String(value)).replace(special, (letter) => REFERENCES[letter]!);
}
