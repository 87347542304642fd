/** How containers ended, kept in files for a daemon that was not there to hear it. */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Exited } from './protocol.ts';

export interface ExitRecords {
  write(exited: Exited): void;
  remove(container: string): void;
  readAll(): Exited[];
}

/** @param runDirectory where `exits/` is, or is to be made. */
export function exitRecords(runDirectory: string): ExitRecords {
  const directory = join(runDirectory, 'exits');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = (container: string) => join(directory, `${encodeURIComponent(container)}.json`);
  return {
    write(exited) {
      const path = file(exited.key.container);
      // A reader of a record reads a whole one.
      writeFileSync(`${path}.new`, JSON.stringify(exited), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    remove: (container) => rmSync(file(container), { force: true }),
    readAll: () =>
      readdirSync(directory).flatMap((name) => {
        if (!name.endsWith('.json')) return [];
        try {
          return [JSON.parse(readFileSync(join(directory, name), 'utf8')) as Exited];
        } catch {
          return [];
        }
      }),
  };
}
