/** Where the clone is, and the folder in it that the workshop keeps its own files in (never committed). */

import path from 'node:path';

/** The bundle lies in `<clone>/.build/default`. */
export const home = path.resolve(path.dirname(process.argv[1] ?? '.'), '..', '..');

export const stateFolder = path.join(home, '.workshop');

/** A path as the learner would type it from the clone, e.g. `labs/01-process/process.ts`. */
export function shortPath(file: string): string {
  return path.relative(home, file) || '.';
}
