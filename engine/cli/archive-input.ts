import fs from 'node:fs';
import type { Readable } from 'node:stream';
import { getSystemErrorMap } from 'node:util';
import { CliError } from './errors.ts';

/** @param file undefined for standard input. @param onTerminal what is said when nothing was sent there. */
export function archiveInput(file: string | undefined, onTerminal: string): Readable {
  if (file === undefined) {
    if (process.stdin.isTTY) throw new CliError(onTerminal);
    return process.stdin;
  }
  try {
    return fs.createReadStream('', { fd: fs.openSync(file, 'r') });
  } catch (error) {
    const { errno = 0, message } = error as NodeJS.ErrnoException;
    throw new CliError(`open ${file}: ${getSystemErrorMap().get(errno)?.[1] ?? message}`);
  }
}
