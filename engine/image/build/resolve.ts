/** Paths in a tree whose links are followed as if the tree were `/`. path_resolution(7). */

import type { Tree } from '#contract/build';

/** As many links as the kernel follows in one path. */
const LINKS_MAX = 40;

export interface ResolveOptions {
  /** Where a relative path begins: a path on which there is no link. The root by default. */
  from?: string;
  /** What becomes of parts that are not there: they are kept as they stand, or nothing is found. */
  missing: 'keep' | 'give-up';
  /** Whether a link at the end of the path is followed too. True by default. */
  followLast?: boolean;
}

/**
 * The path without a link on it that `path` leads to, relative to the root of `tree`.
 * @returns undefined when something is missing and is not kept
 * @throws Error for a loop of links
 */
export function resolvePath(tree: Tree, path: string, options: ResolveOptions): string | undefined {
  const { from = '', missing, followLast = true } = options;
  // Reversed, so that what comes next is at its end.
  const todo = partsOf(path).reverse();
  let done = path.startsWith('/') ? '' : from;
  let links = 0;
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    if (part === '..') {
      done = done.slice(0, Math.max(done.lastIndexOf('/'), 0));
      continue;
    }
    const here = done === '' ? part : `${done}/${part}`;
    const entry = tree.entry(here);
    if (entry?.type === 'symlink' && (followLast || todo.length > 0)) {
      if (++links > LINKS_MAX) throw new Error(`"${path}" is behind a loop of symbolic links`);
      const target = entry.target ?? '';
      if (target.startsWith('/')) done = '';
      for (const each of partsOf(target).reverse()) todo.push(each);
      continue;
    }
    if (missing === 'give-up' && (!entry || (entry.type !== 'directory' && todo.length > 0))) return undefined;
    done = here;
  }
  return done;
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
