/** HTML from templates. What is put into one is text, and stays text, unless it is HTML of this module's own. */

import { withoutControls } from '../report.ts';

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

type Part = Html | readonly Html[] | string | number;

/** A template's own text is markup, and its parts are escaped: for content and for attributes in double quotes. */
export function html(markup: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(markup.map((piece, index) => (index === 0 ? '' : partOf(parts[index - 1]!)) + piece).join(''));
}

export const nothing = new Html('');

function partOf(part: Part): string {
  if (part instanceof Html) return part.markup;
  if (typeof part === 'object') return part.map(({ markup }) => markup).join('');
  return withoutControls(String(part)).replace(/[&<>"']/g, (letter) => ENTITIES[letter]!);
}
