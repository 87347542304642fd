/** Documents are written whole or not at all: what was there before stays until the new one is complete. */

import fs from 'node:fs';
import path from 'node:path';
import { BadInput } from '../bad-input.ts';

/** Writes through links and to devices as they are. @throws BadInput */
export function writeDocument(file: string, text: string): void {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat !== undefined && !stat.isFile()) {
      fs.writeFileSync(file, text);
      return;
    }
    replace(stat === undefined ? file : fs.realpathSync(file), text);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOSPC' ? 'its disk is full; make room or name another place with --out' : message;
    throw new BadInput(`${file} cannot be written: ${why}.`);
  }
}

function replace(file: string, text: string): void {
  const partial = `${file}.${process.pid}.partial`;
  try {
    fs.writeFileSync(partial, text, { flag: 'wx' });
    fs.renameSync(partial, file);
  } finally {
    fs.rmSync(partial, { force: true });
  }
}
