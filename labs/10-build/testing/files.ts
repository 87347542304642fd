/** Trees with patterns, and paths with rules, in which much fits and much does not. */

import { posix } from 'node:path';
import { draw } from '../../../grader/harness/random.ts';
import type { Paths } from '../build.driver.ts';

/** Few characters, so that patterns fit often. */
function drawnName(): string {
  return draw.pick(['', '', '.']) + Array.from({ length: draw.int(1, 3) }, () => draw.pick([...'ab-c'])).join('');
}

function drawnFolders(): string[] {
  const folders = [''];
  while (folders.length < 6) {
    const folder = posix.join(draw.pick(folders), drawnName());
    if (!folders.includes(folder)) folders.push(folder);
  }
  return folders;
}

/** @param links whether there are links, none of them in a circle; some lead nowhere. */
export function drawnTree({ links }: { links: boolean }): { paths: Paths; patterns: string[] } {
  const folders = drawnFolders();
  const paths: Paths = {};
  const free = () => {
    for (;;) {
      const path = posix.join(draw.pick(folders), drawnName());
      if (!folders.includes(path) && !Object.hasOwn(paths, path)) return path;
    }
  };
  // Each directory has a file, else it would not be seen.
  for (const folder of folders) paths[posix.join(folder, 'file')] = null;
  for (let count = 0; count < 6; count++) paths[free()] = null;
  for (let count = 0; links && count < 8; count++) {
    // Only to what is there already, so that no circle can come about.
    const target = draw.pick([...Object.keys(paths), ...folders, 'nothing/here']);
    const path = free();
    const climbing = posix.join('../'.repeat(9), target);
    paths[path] = draw.pick([posix.relative(posix.dirname(path), target) || '.', `/${target}`, climbing]);
  }
  const all = [...Object.keys(paths), ...folders];
  const below = Object.keys(paths).flatMap((path) => all.map((other) => posix.join(path, posix.basename(other))));
  const patterns = [...draw.some(all, 10), ...(links ? draw.some(below, 30) : [])].map(patternOf);
  return { paths, patterns: [...new Set(patterns)] };
}

/** A pattern that fits the path, and likely others. */
function patternOf(path: string): string {
  const parts = path.split('/').map((part) => (draw.boolean() ? part : wildcardsFor(part)));
  return draw.pick(['', '', '/', './', '../']) + parts.join('/') + draw.pick(['', '', '/']);
}

function wildcardsFor(part: string): string {
  const cut = draw.int(0, part.length);
  return draw.pick([
    '*',
    `${part.slice(0, cut)}*`,
    `*${part.slice(cut)}`,
    part.slice(0, cut) + (cut < part.length ? '?' : '') + part.slice(cut + 1),
    part.slice(0, cut) + (cut < part.length ? draw.pick(['[a-c]', '[^a]', '[ab]', '[-a]']) : '') + part.slice(cut + 1),
  ]);
}

/** @param deep whether rules have `**` in them. */
export function drawnRules({ deep }: { deep: boolean }): { paths: string[]; texts: string[] } {
  const folders = drawnFolders().filter((folder) => folder !== '');
  const files = Array.from({ length: 10 }, () => posix.join(draw.pick(['', ...folders]), drawnName()));
  const paths = [...new Set([...folders, ...files])];
  const texts = Array.from({ length: 15 }, () =>
    Array.from({ length: draw.int(1, 4) }, () => {
      const parts = patternOf(draw.pick(paths))
        .replace(/^\.\.\//, '')
        .split('/');
      if (deep) parts.splice(draw.int(0, parts.length - 1), draw.int(0, 1), '**');
      return draw.pick(['', '', '!']) + parts.join('/');
    }).join('\n'),
  );
  return { paths, texts: [...new Set(texts)] };
}
