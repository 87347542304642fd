/** What is to be copied from this machine: where it is, and its archive. */

import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Header, type Pack, pack } from 'tar-stream';
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
 * A tar of `source` and all that is below it, made as it is read. Sockets are left out: they mean nothing without who listens.
 * @param onBytes told of each piece of a file's content.
 * @throws CliError, from the stream, that names the file which could not be read as it was
 */
export function packLocal(
  source: CopyInfo,
  rename: (name: string) => string,
  onBytes: (count: number) => void,
): Readable {
  return Readable.from(archiveOf(source, rename, onBytes), { objectMode: false });
}

async function* archiveOf(
  source: CopyInfo,
  rename: (name: string) => string,
  onBytes: (count: number) => void,
): AsyncGenerator<Buffer> {
  const { directory, base } = splitEntry(source.path);
  const tar = pack();
  const packed = new Packing(tar, rename, onBytes).add(path.join(directory, base), source.rebaseName || base);
  packed.then(
    () => tar.finalize(),
    (error) => tar.destroy(error),
  );
  try {
    yield* tar as AsyncIterable<Buffer>;
  } catch (error) {
    // The archive's own failure knows of no file.
    await packed;
    throw error;
  }
}

class Packing {
  readonly #tar: Pack;
  readonly #rename: (name: string) => string;
  readonly #onBytes: (count: number) => void;
  /** The name that a file with several has in the archive already, by device and inode number. */
  readonly #links = new Map<string, string>();

  constructor(tar: Pack, rename: (name: string) => string, onBytes: (count: number) => void) {
    this.#tar = tar;
    this.#rename = rename;
    this.#onBytes = onBytes;
  }

  async add(host: string, name: string): Promise<void> {
    const info = fs.lstatSync(host);
    const { mode, uid, gid, mtime, size } = info;
    const header = { name: this.#rename(name), mode: mode & 0o7777, uid, gid, mtime };
    if (info.isDirectory()) {
      this.#tar.entry({ ...header, type: 'directory' });
      for (const each of fs.readdirSync(host).sort())
        await this.add(path.join(host, each), path.posix.join(name, each));
    } else if (info.isSymbolicLink()) this.#tar.entry({ ...header, type: 'symlink', linkname: fs.readlinkSync(host) });
    else if (info.isFIFO()) this.#tar.entry({ ...header, type: 'fifo' });
    else if (info.isCharacterDevice() || info.isBlockDevice())
      this.#tar.entry({
        ...header,
        type: info.isBlockDevice() ? 'block-device' : 'character-device',
        devmajor: (info.rdev >> 8) & 0xfff,
        devminor: (info.rdev & 0xff) | ((info.rdev >> 12) & 0xfff00),
      });
    else if (info.isFile()) {
      const first = this.#nameOfFirst(info, header.name);
      if (first !== undefined) this.#tar.entry({ ...header, type: 'link', linkname: first });
      else await this.#addContent(host, { ...header, type: 'file', size });
    }
  }

  #nameOfFirst({ nlink, dev, ino }: fs.Stats, name: string): string | undefined {
    if (nlink < 2) return undefined;
    const first = this.#links.get(`${dev}:${ino}`);
    if (first === undefined) this.#links.set(`${dev}:${ino}`, name);
    return first;
  }

  /** No more than the header says, if it grows meanwhile. */
  async #addContent(host: string, header: Partial<Header> & { name: string; size: number }): Promise<void> {
    const content = header.size === 0 ? Readable.from([]) : fs.createReadStream(host, { end: header.size - 1 });
    content.on('data', (chunk: Buffer) => this.#onBytes(chunk.length));
    try {
      await pipeline(content, this.#tar.entry(header));
    } catch (error) {
      const text = errorText(error);
      throw new CliError(
        text === 'Size mismatch'
          ? `${host} has less in it than its size says, or became shorter while it was read; copy it to a file first`
          : text,
      );
    }
  }
}
