/** What is to be copied from this machine: where it is, and its archive. */

import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Header, pack } from 'tar-stream';
import { CliError, errorText } from '../errors.ts';
import { type CopyInfo, splitEntry, withEndOf } from './copy-path.ts';

/** @param name absolute. @param follow whether a link is what it points at. @throws CliError */
export function localSource(name: string, follow: boolean): CopyInfo {
  try {
    const real = follow ? fs.realpathSync(name) : withoutLinksAbove(name);
    const resolved = withEndOf(real, name);
    return {
      path: resolved,
      exists: true,
      isDirectory: fs.lstatSync(resolved).isDirectory(),
      rebaseName: follow && path.basename(name) !== path.basename(resolved) ? path.basename(name) : '',
    };
  } catch (error) {
    throw new CliError(notThere(error) ? `lstat ${name}: no such file or directory` : errorText(error));
  }
}

/** A slash at the end follows a link; without one it is copied as a link. */
function withoutLinksAbove(name: string): string {
  if (name.endsWith('/') || name.endsWith('/.')) return fs.realpathSync(name);
  return path.join(fs.realpathSync(path.dirname(name)), path.basename(name));
}

function notThere(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * A tar of `source` and all that is below it. Sockets are left out: they mean nothing without who listens.
 * @param onBytes told of each piece of a file's content.
 */
export function packLocal(
  source: CopyInfo,
  rename: (name: string) => string,
  onBytes: (count: number) => void,
): Readable {
  const { directory, base } = splitEntry(source.path);
  const tar = pack();
  const top = source.rebaseName || base;
  const links = new Map<string, string>();
  const add = async (header: Partial<Header> & { name: string }, file?: string) => {
    if (file === undefined) {
      tar.entry(header);
      return;
    }
    const content = fs.createReadStream(file, { end: Math.max(0, (header.size ?? 0) - 1) });
    content.on('data', (chunk) => onBytes(chunk.length));
    await pipeline(header.size === 0 ? Readable.from([]) : content, tar.entry(header));
  };
  const walk = async (host: string, name: string): Promise<void> => {
    const info = fs.lstatSync(host);
    const header = {
      name: rename(name),
      mode: info.mode & 0o7777,
      uid: info.uid,
      gid: info.gid,
      mtime: info.mtime,
    };
    if (info.isDirectory()) {
      await add({ ...header, type: 'directory' });
      for (const each of fs.readdirSync(host).sort()) await walk(path.join(host, each), path.posix.join(name, each));
    } else if (info.isSymbolicLink()) await add({ ...header, type: 'symlink', linkname: fs.readlinkSync(host) });
    else if (info.isFIFO()) await add({ ...header, type: 'fifo' });
    else if (info.isCharacterDevice() || info.isBlockDevice())
      await add({
        ...header,
        type: info.isBlockDevice() ? 'block-device' : 'character-device',
        devmajor: (info.rdev >> 8) & 0xfff,
        devminor: (info.rdev & 0xff) | ((info.rdev >> 12) & 0xfff00),
      });
    else if (info.isFile()) {
      const first = info.nlink > 1 ? links.get(`${info.dev}:${info.ino}`) : undefined;
      if (first !== undefined) return await add({ ...header, type: 'link', linkname: first });
      links.set(`${info.dev}:${info.ino}`, header.name);
      await add({ ...header, type: 'file', size: info.size }, host);
    }
  };
  walk(path.join(directory, base), top).then(
    () => tar.finalize(),
    (error) => tar.destroy(error),
  );
  return Readable.from(tar as unknown as AsyncIterable<Buffer>, { objectMode: false });
}
