/** The files of one log, oldest first, read as if they were one, also while they are written and rotated. */

import fs from 'node:fs';
import { promisify } from 'node:util';
import { rotatedName } from '../runtime/shim/log-names.ts';
import { lastLinesStart } from './last-lines.ts';

const CHUNK = 256 * 1024;
/** A log that is rotated again each time it is looked at is one whose beginning is lost anyway. */
const MOST_LOOKS = 100;

const read = promisify(fs.read);

export interface LogFiles {
  /** Go to where the last `count` lines begin. To be called before `next`. */
  seekToTail(count: number): Promise<void>;
  /** The lines of the next piece; null at the present end. */
  next(): Promise<string[] | null>;
  close(): void;
}

interface OpenFile {
  fd: number;
  inode: bigint;
  position: number;
}

/** A container that has written nothing has none, which is an empty log. */
export function openLogFiles(log: string): LogFiles {
  const buffer = Buffer.allocUnsafe(CHUNK);
  let files = openNewer(log, undefined);
  let rest: Buffer = Buffer.alloc(0);

  /** @returns whether there is something to read then. */
  function nextFile(): boolean {
    if (files.length > 1) {
      fs.closeSync(files.shift()!.fd);
      return true;
    }
    const newer = openNewer(log, files[0]?.inode);
    files.push(...newer);
    return newer.length > 0;
  }

  async function readOn(): Promise<number> {
    const [file] = files;
    if (file === undefined) return 0;
    const { bytesRead } = await read(file.fd, buffer, 0, CHUNK, file.position);
    file.position += bytesRead;
    return bytesRead;
  }

  return {
    async seekToTail(count) {
      let left = count;
      for (let index = files.length - 1; index >= 0; index--) {
        const { start, lines } = await lastLinesStart(files[index]!.fd, left);
        files[index]!.position = start;
        left -= lines;
        if (left > 0) continue;
        for (const { fd } of files.splice(0, index)) fs.closeSync(fd);
        return;
      }
    },
    async next() {
      for (;;) {
        const length = await readOn();
        if (length === 0) {
          // Once more in any case: between our look at its end and its rotation more may have been written to the file.
          if (nextFile()) continue;
          return null;
        }
        const data = Buffer.concat([rest, buffer.subarray(0, length)]);
        const end = data.lastIndexOf(10) + 1;
        rest = Buffer.from(data.subarray(end));
        return data.toString('utf8', 0, end).split('\n').filter(Boolean);
      }
    },
    close() {
      for (const { fd } of files) fs.closeSync(fd);
      files = [];
    },
  };
}

/**
 * The files that are newer than the one with `inode`, oldest first; all of them if that is not there any more, or
 * undefined. Their names move up by one with each rotation, so a look during which that happened is taken again.
 */
function openNewer(log: string, inode: bigint | undefined): OpenFile[] {
  for (let look = 1; ; look++) {
    const found: OpenFile[] = [];
    for (let file = openIfThere(log, 0); file !== null; file = openIfThere(log, found.length)) {
      found.push(file);
      if (file.inode === inode) break;
    }
    const isSame = found.every((file, number) => inodeOf(rotatedName(log, number)) === file.inode);
    const isGap = found.length === 0 && inodeOf(rotatedName(log, 1)) !== null;
    const known = found.at(-1)?.inode === inode ? found.pop() : undefined;
    if (known) fs.closeSync(known.fd);
    if ((isSame && !isGap) || look === MOST_LOOKS) return found.reverse();
    for (const { fd } of found) fs.closeSync(fd);
  }
}

function openIfThere(log: string, number: number): OpenFile | null {
  try {
    const fd = fs.openSync(rotatedName(log, number), 'r');
    return { fd, inode: fs.fstatSync(fd, { bigint: true }).ino, position: 0 };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return null;
  }
}

function inodeOf(path: string): bigint | null {
  return fs.statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
}
