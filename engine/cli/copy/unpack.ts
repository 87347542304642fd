/** An archive out of a container, unpacked on this machine. Its maker is not trusted: no link in it is followed. */

import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { CliError } from '../errors.ts';

/** What an archive may be full of without a byte of content. */
const ENTRIES_MAX = 10_000_000;

export interface Unpacking {
  /** Where it goes; it is there. */
  directory: string;
  rename: (name: string) => string;
  /** Told of each piece of a file's content. */
  onBytes: (count: number) => void;
  /** Told of what cannot be made here. */
  warn: (message: string) => void;
}

/**
 * Everything belongs to the user who runs this. A file replaces a file; a directory and something else do not replace each other.
 * @throws CliError for an entry that would go elsewhere; what came before it is there then.
 */
export async function unpack(source: Readable, { directory, rename, onBytes, warn }: Unpacking): Promise<void> {
  const root = fs.realpathSync(directory);
  /** Dated and closed last: making something in a directory takes a right, and changes its time. */
  const directories = new Map<string, Header>();
  const archive = extract();
  const read = pipeline(source, archive);
  read.catch(() => {});
  let count = 0;
  for await (const entry of archive) {
    if (++count > ENTRIES_MAX) throw new CliError(`the archive has more than ${ENTRIES_MAX} entries`);
    const { header } = entry;
    const name = rename(header.name.replace(/(?<=.)\/+$/, ''));
    const target = placeFor(root, name);
    if (header.type === 'directory') {
      makeDirectory(target);
      // The directory that everything goes into stays what it is.
      if (target !== root) directories.set(target, header);
      entry.resume();
      continue;
    }
    if (target === root) throw new CliError(`the archive has a ${header.type} in place of the directory ${directory}`);
    makeWay(target);
    switch (header.type) {
      case 'file':
      case 'contiguous-file':
        entry.on('data', (chunk) => onBytes((chunk as Buffer).length));
        await pipeline(entry, fs.createWriteStream(target, { flags: 'wx', mode: 0o600 }));
        describe(target, header);
        break;
      case 'symlink':
        fs.symlinkSync(header.linkname ?? '', target);
        entry.resume();
        break;
      case 'link':
        fs.linkSync(placeFor(root, rename(header.linkname ?? '')), target);
        entry.resume();
        break;
      default:
        warn(`${name} is a ${header.type ?? 'file of another kind'} and was left out`);
        entry.resume();
    }
  }
  await read;
  for (const [target, header] of [...directories].reverse()) describe(target, header);
}

/** Each directory on the way is one, and no link to one. */
function placeFor(root: string, name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.includes('\0')) throw new CliError(`invalid name in the archive: "${name}"`);
  let place = root;
  for (const [index, part] of parts.entries()) {
    place = path.join(place, part);
    if (index === parts.length - 1) break;
    const info = fs.lstatSync(place, { throwIfNoEntry: false });
    if (info === undefined) fs.mkdirSync(place, { mode: 0o755 });
    else if (!info.isDirectory())
      throw new CliError(`"${name}" is refused: ${place} is not a directory, and is not followed`);
  }
  return place;
}

function makeDirectory(target: string): void {
  const info = fs.lstatSync(target, { throwIfNoEntry: false });
  if (info === undefined) fs.mkdirSync(target, { mode: 0o700 });
  else if (!info.isDirectory())
    throw new CliError(`cannot overwrite non-directory "${target}" with directory "${target}"`);
}

function makeWay(target: string): void {
  const info = fs.lstatSync(target, { throwIfNoEntry: false });
  if (info?.isDirectory()) throw new CliError(`cannot overwrite directory "${target}" with non-directory "${target}"`);
  if (info !== undefined) fs.unlinkSync(target);
}

function describe(target: string, { mode = 0o644, mtime = new Date() }: Header): void {
  fs.chmodSync(target, mode & 0o7777);
  fs.utimesSync(target, mtime, mtime);
}
