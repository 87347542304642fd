import { cpSync, existsSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { Replacement } from './shared-files.ts';

const TOMORROW_MS = 24 * 3600 * 1000;

/**
 * A copy of the engine's bundles in `directory` for the guest to see in place of the repository's: a build on the host
 * does not pull them away from a guest that runs, and they are never too old, so that the launchers do not build in the
 * guest, where it takes a minute.
 */
export function keepBuild(repository: string, directory: string): Replacement[] {
  const path = join(repository, '.build', 'default');
  const stamp = join(path, '.stamp');
  if (!existsSync(stamp)) return [];
  const by = join(directory, 'build');
  cpSync(path, by, { recursive: true });
  const time = new Date(Date.now() + TOMORROW_MS);
  utimesSync(join(by, '.stamp'), time, time);
  return [{ path, by }];
}
