/** COPY and ADD, read. Dockerfile reference, "COPY", "ADD". */

import type { Digest } from '../digest.ts';
import { InvalidBuild } from './build-error.ts';
import type { InlineFile } from './destination.ts';
import type { Instruction } from './dockerfile.ts';
import { checksumOf, isUrl } from './download.ts';
import { jsonWords, splitWords } from './words.ts';

export interface Copy {
  /** Patterns in the source tree; of an ADD, URLs too. */
  patterns: string[];
  inline: InlineFile[];
  destination: string;
  /** A stage or an image; undefined for the context. */
  from: string | undefined;
  /** `user[:group]`. */
  chown: string;
  /** Permission bits. */
  mode: number | undefined;
  /** Whether local archives are unpacked and URLs are fetched: it is an ADD. */
  isAdd: boolean;
  /** What the content behind its URL has to be; undefined when that is not said. */
  checksum: Digest | undefined;
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
    isAdd: keyword === 'ADD',
    checksum: undefined,
  };
  for (const [name, value] of flags) readFlag(copy, keyword, name, value, expand);
  for (const source of sources) refuseRemote(keyword, source);
  if (copy.checksum !== undefined && !(sources.length === 1 && isUrl(sources[0]!)))
    throw new InvalidBuild('ADD --checksum is for one URL; leave it out for files of the context');
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
  else if (name === 'checksum' && keyword === 'ADD' && value) copy.checksum = checksumOf(expand(value));
  // What it promises, that the layer does not depend on what is below it, is not worth a layer that is different.
  else if (name === 'link' && [undefined, 'true', 'false'].includes(value)) return;
  else
    throw new InvalidBuild(
      `${keyword} --${name}${value === undefined ? '' : `=${value}`} is not supported; there are --chown, --chmod, --link and ${keyword === 'COPY' ? '--from' : '--checksum'}. Leave it out.`,
    );
}

function modeOf(text: string): number {
  if (!/^0?[0-7]{1,4}$/.test(text))
    throw new InvalidBuild(`invalid chmod parameter: '${text}'. It should be octal string and between 0 and 07777`);
  return Number.parseInt(text, 8);
}

function refuseRemote(keyword: string, source: string): void {
  const isGit = /^git@|\.git(#.*)?$/.test(source) && /^(git@|\w+:\/\/)/.test(source);
  if (isGit)
    throw new InvalidBuild(
      `${keyword} of a repository (${source}) is not supported: clone it into the context, and copy it from there.`,
    );
  if (keyword === 'ADD' ? /^(ftp|file):\/\//i.test(source) : /^(https?|ftp|file):\/\//i.test(source))
    throw new InvalidBuild(
      `${keyword} of a URL (${source}) is not supported: there is ADD, for http and https. Or copy it from the context.`,
    );
}
