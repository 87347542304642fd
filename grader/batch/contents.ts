/** Where in what was handed in the submission is: platforms and students put folders and archives around it. */

import fs from 'node:fs';
import path from 'node:path';
import { isArchive } from './archive.ts';

/** Folders around a submission, or around its archive. */
const DEEPEST = 5;

/**
 * A folder that holds nothing but one folder or archive stands for what it holds. Hidden files do not count, nor do the
 * folders that macOS adds.
 * @param place a directory or an archive. @returns the same, or one below it; links are not followed,
 * nor is anything that cannot be read.
 */
export function innermost(place: string): string {
  let at = place;
  for (let depth = 0; depth < DEEPEST; depth++) {
    const below = onlyOneIn(at);
    if (below === undefined) return at;
    at = below;
  }
  return at;
}

/** Undefined also where the machine does not let anybody look: what that means for a grade is not decided here. */
function onlyOneIn(at: string): string | undefined {
  try {
    if (!fs.lstatSync(at).isDirectory()) return undefined;
    const only = onlyName(at);
    if (only === undefined) return undefined;
    const below = path.join(at, only);
    const stat = fs.lstatSync(below);
    return stat.isDirectory() || (stat.isFile() && isArchive(only)) ? below : undefined;
  } catch {
    return undefined;
  }
}

/** Read name by name: a directory of a million names must not be held. A name that is not UTF-8 is not gone into. */
function onlyName(directory: string): string | undefined {
  const opened = fs.opendirSync(directory, { encoding: 'buffer' as BufferEncoding });
  let only: Buffer | undefined;
  try {
    for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) {
      const bytes = entry.name as unknown as Buffer;
      const name = bytes.toString();
      if (name === 'labs') return undefined;
      if (name.startsWith('.') || name === '__MACOSX') continue;
      if (only !== undefined) return undefined;
      only = bytes;
    }
    return only?.equals(Buffer.from(only.toString())) ? only.toString() : undefined;
  } finally {
    opened.closeSync();
  }
}
