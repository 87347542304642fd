/** Zip archives, as learning platforms export them. PKWARE APPNOTE 6.3. */

import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { checkCount, type Kind, leadsOut, MOST_OF_A_FILE, type PickedFiles } from './picked-files.ts';
import { UnreadableArchive } from './unreadable-archive.ts';

const ENCRYPTED = 1;
const FORMAT = 0o170_000;
const REGULAR = 0o100_000;
const LINK = 0o120_000;

/** @throws UnreadableArchive */
export async function readZip(archive: string, picked: PickedFiles): Promise<void> {
  let zip: ZipFile | undefined;
  try {
    zip = await yauzl.openPromise(archive, { lazyEntries: true, autoClose: false });
    checkCount(zip.entryCount);
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileName;
      if (picked.sees(name, kindOf(entry))) picked.take(name, await head(zip, entry));
    }
  } catch (error) {
    if (error instanceof UnreadableArchive) throw error;
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall !== undefined) throw error;
    const outside = /^(?:invalid relative path|absolute path): (.*)$/s.exec(message)?.[1];
    if (outside !== undefined) throw leadsOut(outside);
    throw new UnreadableArchive(`it is damaged (${message})`);
  } finally {
    zip?.close();
  }
}

/** The mode is there only if the archive was made on a Unix; elsewhere it is 0. */
function kindOf({ externalFileAttributes, fileName }: Entry): Kind {
  if (fileName.endsWith('/')) return 'other';
  const format = (externalFileAttributes >>> 16) & FORMAT;
  if (format === LINK) return 'link';
  return format === REGULAR || format === 0 ? 'file' : 'other';
}

async function head(zip: ZipFile, entry: Entry): Promise<Buffer> {
  if (entry.generalPurposeBitFlag & ENCRYPTED)
    throw new UnreadableArchive(`${JSON.stringify(entry.fileName)} in it is encrypted`);
  const pieces: Buffer[] = [];
  let left = MOST_OF_A_FILE;
  const stream = await zip.openReadStreamPromise(entry);
  for await (const piece of stream as AsyncIterable<Buffer>) {
    pieces.push(piece.subarray(0, left));
    left -= Math.min(left, piece.length);
    if (left === 0) break;
  }
  return Buffer.concat(pieces);
}
