/** Documents are written whole or not at all: what was there before stays until the new one is complete. */

import fs from 'node:fs';
import path from 'node:path';
import { BadInput } from '../bad-input.ts';

/**
 * Writes through links, and to devices as they are. A file that is replaced keeps its mode and owner.
 * @param mode of a file that is new, before the umask. @throws BadInput, also for a link that leads nowhere
 */
export function writeDocument(file: string, text: string, mode: number): void {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat !== undefined && !stat.isFile()) {
      fs.writeFileSync(file, text);
      return;
    }
    if (stat === undefined && fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink())
      throw new Error(`it is a symbolic link to ${fs.readlinkSync(file)}, which is missing. Name the file itself`);
    replace(stat === undefined ? file : fs.realpathSync(file), text, stat ?? mode);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOSPC' ? 'its disk is full; make room or name another place with --out' : message;
    throw new BadInput(`${file} cannot be written: ${why}.`);
  }
}

function replace(file: string, text: string, like: fs.Stats | number): void {
  const partial = `${file}.${process.pid}.partial`;
  try {
    const fd = fs.openSync(partial, 'wx', typeof like === 'number' ? like : 0o600);
    try {
      fs.writeFileSync(fd, text);
      if (typeof like !== 'number') takeOver(fd, like);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(partial, file);
  } finally {
    fs.rmSync(partial, { force: true });
  }
}

function takeOver(fd: number, { uid, gid, mode }: fs.Stats): void {
  const made = fs.fstatSync(fd);
  try {
    if (made.uid !== uid || made.gid !== gid) fs.fchownSync(fd, uid, gid);
  } catch {
    throw new Error('it belongs to another user or group, which only root can keep. Name another place with --out');
  }
  // After fchown, which drops bits. chown(2)
  fs.fchmodSync(fd, mode & 0o7777);
}
