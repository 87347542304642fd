/** One process has a registry's directory for itself. */

import fs from 'node:fs';
import path from 'node:path';
import { lockFile } from '#kernel/file-lock';

/**
 * Make the directory if it is missing, and hold it for as long as this process lives, however it ends.
 * @throws Error that names the process which holds it.
 */
export function holdData(data: string): { directory: string; release: () => void } {
  fs.mkdirSync(path.resolve(data), { recursive: true, mode: 0o755 });
  const directory = fs.realpathSync(data);
  const lock = lockFile(path.join(directory, 'lock'));
  if ('release' in lock) return { directory, release: () => lock.release() };
  throw new Error(
    `A registry${lock.holder && ` (process ${lock.holder})`} is using ${directory}. ` +
      'Stop it, or choose another directory with --data. While it runs it collects garbage by itself.',
  );
}
