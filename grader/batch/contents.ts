/** Where in what was handed in the submission is: platforms and students put folders and archives around it. */

import fs from 'node:fs';
import path from 'node:path';
import { isArchive } from './archive.ts';

/** Folders around a submission, or around its archive. */
const DEEPEST = 5;

/**
 * A folder that holds nothing but one folder or archive stands for what it holds. Hidden files do not count, nor do the
 * folders that macOS adds.
 * @param place a directory or an archive. @returns the same, or one below it; links are not followed.
 */
export function innermost(place: string): string {
  let at = place;
  for (let depth = 0; depth < DEEPEST; depth++) {
    if (!fs.lstatSync(at).isDirectory()) return at;
    const only = onlyName(at);
    if (only === undefined) return at;
    const below = path.join(at, only);
    const stat = fs.lstatSync(below);
    if (!stat.isDirectory() && !(stat.isFile() && isArchive(only))) return at;
    at = below;
  }
  return at;
}

/** Read name by name: a directory of a million names must not be held. */
function onlyName(directory: string): string | undefined {
  const opened = fs.opendirSync(directory);
  let only: string | undefined;
  try {
    for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) {
      const { name } = entry;
      if (name === 'labs') return undefined;
      if (name.startsWith('.') || name === '__MACOSX') continue;
      if (only !== undefined) return undefined;
      only = name;
    }
    return only;
  } finally {
    opened.closeSync();
  }
}
