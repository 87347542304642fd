/** A throw-away clone of this repository as it is on disk, so that a learner's files can be written without touching anyone's. */

import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../engines/process.ts';

const REPOSITORY = dirname(dirname(dirname(import.meta.dirname)));

/** Copies every file that git does not ignore, and the build; node_modules is shared. @returns the clone's path. */
export async function cloneRepository(directory: string): Promise<string> {
  const clone = join(directory, 'clone');
  const listed = await run('git', ['-C', REPOSITORY, 'ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  for (const path of listed.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(clone, path)), { recursive: true });
    // Newer sources than the build would be built again; a file that was deleted a moment ago is not needed.
    const source = join(REPOSITORY, path);
    if (existsSync(source)) cpSync(source, join(clone, path), { preserveTimestamps: true });
  }
  symlinkSync(join(REPOSITORY, 'node_modules'), join(clone, 'node_modules'));
  return clone;
}
