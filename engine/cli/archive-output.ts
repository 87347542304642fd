import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CliError, errorText } from './errors.ts';

/** @throws CliError before anything was asked of the daemon, when an archive would be poured over a terminal. */
export function refuseTerminal(file: string | undefined, wayOut = 'Use the -o flag or redirect'): void {
  if (file === undefined && process.stdout.isTTY)
    throw new CliError(`cowardly refusing to save to a terminal. ${wayOut}`);
}

/** To a file, which is there as a whole or not at all, or to standard output. */
export async function writeArchive(source: Readable, file: string | undefined): Promise<void> {
  if (file === undefined) return await pipeline(source, process.stdout, { end: false });
  if (isSpecial(file)) return await pipeline(source, fs.createWriteStream(file));
  const unfinished = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`);
  try {
    await pipeline(source, fs.createWriteStream(unfinished, { flags: 'wx' }));
    fs.renameSync(unfinished, file);
  } catch (error) {
    fs.rmSync(unfinished, { force: true });
    throw new CliError(`failed to write ${file}: ${errorText(error)}`);
  }
}

/** Such as /dev/null, or a pipe, which must not be replaced by a file. */
function isSpecial(file: string): boolean {
  const info = fs.statSync(file, { throwIfNoEntry: false });
  return info !== undefined && !info.isFile();
}
