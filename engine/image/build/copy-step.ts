/** COPY and ADD, read. Dockerfile reference, "COPY", "ADD". */

import { InvalidBuild } from './build-error.ts';
import type { InlineFile } from './destination.ts';
import type { Instruction } from './dockerfile.ts';
import { jsonWords, splitWords } from './words.ts';

export interface Copy {
  /** Patterns in the source tree. */
  patterns: string[];
  inline: InlineFile[];
  destination: string;
  /** A stage or an image; undefined for the context. */
  from: string | undefined;
  /** `user[:group]`. */
  chown: string;
  /** Permission bits. */
  mode: number | undefined;
  /** Whether local archives are unpacked: it is an ADD. */
  unpack: boolean;
}

/** @param expandText replaces the variables in a here-document, whose quotes stay @throws InvalidBuild */
export function copyOf(
  { keyword, flags, text, heredocs }: Instruction,
  escapeToken: string,
  expand: (word: string) => string,
  expandText: (text: string) => string,
): Copy {
  const words = (jsonWords(text) ?? splitWords(text, escapeToken)).map((word) => ({
    word,
    isHeredoc: /^\d*<<-?[^<]+$/.test(word),
  }));
  const destination = expand(words.pop()?.word ?? '');
  const sources = words.filter(({ isHeredoc }) => heredocs.length === 0 || !isHeredoc).map(({ word }) => expand(word));
  if (destination === '' || sources.length + heredocs.length === 0)
    throw new InvalidBuild(
      `${keyword} requires at least two arguments, sources and a destination, but only one was provided`,
    );
  const copy: Copy = {
    patterns: sources,
    inline: heredocs.map((each) => ({
      name: each.name,
      content: each.expand ? expandText(each.content) : each.content,
    })),
    destination,
    from: undefined,
    chown: '',
    mode: undefined,
    unpack: keyword === 'ADD',
  };
  for (const [name, value] of flags) readFlag(copy, keyword, name, value, expand);
  for (const source of sources) refuseRemote(keyword, source);
  return copy;
}

function readFlag(
  copy: Copy,
  keyword: string,
  name: string,
  value: string | undefined,
  expand: (word: string) => string,
) {
  if (name === 'chown' && value) copy.chown = expand(value);
  else if (name === 'chmod' && value) copy.mode = modeOf(expand(value));
  else if (name === 'from' && keyword === 'COPY' && value) copy.from = value;
  // What it promises, that the layer does not depend on what is below it, is not worth a layer that is different.
  else if (name === 'link' && [undefined, 'true', 'false'].includes(value)) return;
  else
    throw new InvalidBuild(
      `${keyword} --${name}${value === undefined ? '' : `=${value}`} is not supported; there are --chown, --chmod, --link${keyword === 'COPY' ? ' and --from' : ''}. Leave it out.`,
    );
}

function modeOf(text: string): number {
  if (!/^0?[0-7]{1,4}$/.test(text))
    throw new InvalidBuild(`invalid chmod parameter: '${text}'. It should be octal string and between 0 and 07777`);
  return Number.parseInt(text, 8);
}

function refuseRemote(keyword: string, source: string): void {
  const isGit = /^git@|\.git(#.*)?$/.test(source) && /^(git@|\w+:\/\/)/.test(source);
  if (!isGit && !/^(https?|ftp):\/\//.test(source)) return;
  throw new InvalidBuild(
    `${keyword} of ${isGit ? 'a repository' : 'a URL'} (${source}) is refused: builds have no network here. Download it, put it in the context, and copy it from there.`,
  );
}
