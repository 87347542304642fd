import { renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A program that waits for the file to appear reads a whole number. */
export function writePidFile(path: string, pid: number): void {
  const unready = join(dirname(path), `.${basename(path)}`);
  writeFileSync(unready, String(pid), { mode: 0o666 });
  renameSync(unready, path);
}
