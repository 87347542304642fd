import fs from 'node:fs';
import path from 'node:path';

/**
 * The clone this code runs from. Bundles lie in `.build/default/` of it; under vitest the program is vitest's own, in
 * its node_modules; so the way up from the program leads there, else the way up from the working directory.
 */
export const home = cloneAbove(path.dirname(process.argv[1] ?? '.')) ?? cloneAbove(process.cwd()) ?? process.cwd();

function cloneAbove(start: string): string | null {
  for (let folder = path.resolve(start); ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, 'engine/build.mjs'))) return folder;
    if (folder === path.dirname(folder)) return null;
  }
}

/** A bundle of `node engine/build.mjs`, e.g. `subject`. */
export function builtFile(name: string): string {
  return path.join(home, '.build/default', `${name}.cjs`);
}
