/** Applying a layer: a tar of changes to a directory. OCI image-spec, layer.md. */

import {
  chmodSync,
  closeSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO } from '#kernel/nodes';
import { setXattr } from '#kernel/xattr';
import { Confinement, HostileArchive, splitName } from './confine.ts';
import { type EntryHeader, readHeader } from './tar-header.ts';

export interface ApplyOptions {
  /**
   * What becomes of whiteouts. `remove`: the directory holds the lower layers, whose files go. `overlay`: it holds this
   * layer alone and they stay, in the form that overlayfs knows.
   */
  whiteouts: 'remove' | 'overlay';
  /** Give entries their owners; by default only when running as root, since nobody else may. */
  ownership?: boolean;
}

export interface Applied {
  /** Bytes of all regular files. */
  size: number;
  entries: number;
}

const WHITEOUT = '.wh.';
/** Of the names that begin so only the opaque marker is in the specification; the others are AUFS's own and passed over. */
const WHITEOUT_META = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';

/**
 * Unpack the uncompressed tar `source` into `directory` in one walk. Nothing else may write there meanwhile.
 * When it fails, the directory holds a part of the layer: the caller removes it.
 * @throws HostileArchive, the tar parser's Error for what is no tar, KernelError or a system error.
 */
export async function applyLayer(source: Readable, directory: string, options: ApplyOptions): Promise<Applied> {
  const walk = new Walk(directory, options);
  const archive = extract();
  source.once('error', (error) => archive.destroy(error));
  source.pipe(archive);
  try {
    for await (const entry of archive) {
      await walk.apply(readHeader(entry.header), entry);
      entry.resume();
    }
  } catch (error) {
    source.destroy();
    throw error;
  }
  walk.finish();
  return { size: walk.size, entries: walk.entries };
}

/** One walk over one archive. */
class Walk {
  size = 0;
  entries = 0;
  readonly #root: string;
  readonly #overlay: boolean;
  readonly #ownership: boolean;
  readonly #confinement: Confinement;
  /** Absolute paths that this layer has made: its own whiteouts do not remove them. Directories they are in count too. */
  readonly #made = new Set<string>();
  /** Names that a whiteout came for, so that a directory of that name, made later, hides the lower one. */
  readonly #hidden = new Set<string>();
  /** Set last: making something in a directory changes its time, and its mode may forbid it. */
  readonly #directories = new Map<string, EntryHeader>();

  constructor(root: string, options: ApplyOptions) {
    this.#root = root;
    this.#overlay = options.whiteouts === 'overlay';
    this.#ownership = options.ownership ?? process.geteuid?.() === 0;
    this.#confinement = new Confinement(root, (path) => this.#isMade(path));
  }

  async apply(header: EntryHeader, content: AsyncIterable<unknown>): Promise<void> {
    const parts = splitName(header.name);
    const name = parts.pop();
    this.entries += 1;
    if (name === undefined) {
      if (header.type !== 'directory') throw new HostileArchive('layer refused: the root is not a directory in it');
      this.#directories.set(this.#root, header);
    } else {
      const parent = this.#confinement.directory(parts, header.name);
      if (name.startsWith(WHITEOUT)) this.#whiteout(parent, name, header.name);
      else await this.#make(join(parent, name), header, content);
    }
  }

  /** Deepest first, so that no directory's time changes after it was set. */
  finish(): void {
    const deepestFirst = [...this.#directories].sort(([a], [b]) => b.split('/').length - a.split('/').length);
    for (const [path, header] of deepestFirst) {
      if (this.#ownership) lchownSync(path, header.uid, header.gid);
      chmodSync(path, header.mode);
      utimesSync(path, header.mtime, header.mtime);
    }
  }

  async #make(path: string, header: EntryHeader, content: AsyncIterable<unknown>): Promise<void> {
    if (header.type === 'link') {
      this.#link(path, header);
      this.#isMade(path);
      return;
    }
    this.#clear(path, header.type === 'directory');
    switch (header.type) {
      case 'directory':
        if (mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined && this.#hidden.has(path))
          this.#opaque(path);
        this.#directories.set(path, header);
        break;
      case 'file':
      case 'contiguous-file':
        await this.#file(path, header, content);
        this.#isMade(path);
        this.#xattrs(path, header);
        return;
      case 'symlink':
        symlinkSync(header.linkname, path);
        break;
      case 'fifo':
        mknod(path, S_IFIFO | 0o600);
        break;
      case 'character-device':
      case 'block-device':
        this.#device(path, header);
        break;
    }
    this.#isMade(path);
    this.#xattrs(path, header);
    if (header.type === 'directory') return;
    if (this.#ownership) lchownSync(path, header.uid, header.gid);
    if (header.type !== 'symlink') chmodSync(path, header.mode);
    lutimesSync(path, header.mtime, header.mtime);
  }

  async #file(path: string, header: EntryHeader, content: AsyncIterable<unknown>): Promise<void> {
    // O_EXCL: whatever stood there was removed, and no link is followed.
    const fd = openSync(path, 'wx', 0o600);
    try {
      for await (const chunk of content) {
        let rest = chunk as Buffer;
        while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest));
      }
      this.size += header.size;
      // chown(2) clears the set-user-ID bit, so the mode comes after it.
      if (this.#ownership) fchownSync(fd, header.uid, header.gid);
      fchmodSync(fd, header.mode);
      futimesSync(fd, header.mtime, header.mtime);
    } finally {
      closeSync(fd);
    }
  }

  #device(path: string, { name, type, device: { major, minor } }: EntryHeader): void {
    if (type === 'character-device' && major === 0 && minor === 0) {
      throw new HostileArchive(`layer refused: "${name}" is device 0:0, overlayfs's own form of a whiteout`);
    }
    mknod(path, (type === 'block-device' ? S_IFBLK : S_IFCHR) | 0o600, makedev(major, minor));
  }

  #link(path: string, header: EntryHeader): void {
    const target = splitName(header.linkname);
    const name = target.pop();
    const subject = `layer refused: hard link "${header.name}" to "${header.linkname}"`;
    if (name === undefined) throw new HostileArchive(`${subject}: the root cannot be linked to`);
    const source = join(this.#confinement.directory(target, header.name), name);
    const info = lstatSync(source, { throwIfNoEntry: false });
    if (!info) throw new HostileArchive(`${subject}: no such file in this layer`);
    if (info.isDirectory()) throw new HostileArchive(`${subject}: a directory cannot be linked to`);
    if (source === path) return;
    this.#clear(path, false);
    linkSync(source, path);
  }

  #whiteout(parent: string, name: string, entry: string): void {
    if (name === OPAQUE) {
      this.#opaque(parent);
      return;
    }
    if (name.startsWith(WHITEOUT_META)) return;
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new HostileArchive(`layer refused: whiteout "${entry}" does not name a file`);
    }
    const path = join(parent, hidden);
    if (!this.#overlay) {
      this.#removeLower(path);
      return;
    }
    this.#hidden.add(path);
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (info?.isDirectory()) this.#opaque(path);
    else if (!info) mknod(path, S_IFCHR);
  }

  /** Hide all that the lower layers have in this directory. */
  #opaque(directory: string): void {
    if (this.#overlay) setXattr(directory, 'trusted.overlay.opaque', Buffer.from('y'));
    else for (const name of readdirSync(directory)) this.#removeLower(join(directory, name));
  }

  /** Remove `path` but for what this layer has made, which may be deep inside. */
  #removeLower(path: string): void {
    if (!this.#made.has(path)) {
      rmSync(path, { recursive: true, force: true });
      this.#confinement.forget();
    } else if (lstatSync(path).isDirectory()) {
      for (const name of readdirSync(path)) this.#removeLower(join(path, name));
    }
  }

  /** Make room at `path`: of what was there only a directory stays, and only for a directory. */
  #clear(path: string, forDirectory: boolean): void {
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (!info || (forDirectory && info.isDirectory())) return;
    rmSync(path, { recursive: true, force: true });
    this.#confinement.forget();
    if (!info.isDirectory()) return;
    for (const directory of this.#directories.keys()) {
      if (directory === path || directory.startsWith(`${path}/`)) this.#directories.delete(directory);
    }
  }

  #isMade(path: string): void {
    for (let at = path; at !== this.#root && !this.#made.has(at); at = join(at, '..')) this.#made.add(at);
  }

  /**
   * Those that say something about the file itself. Not overlayfs's own, with which a layer could uncover or redirect
   * what is below it, nor what belongs to the host that packed it, such as SELinux labels.
   */
  #xattrs(path: string, header: EntryHeader): void {
    // The kernel has user attributes on files and directories only. xattr(7).
    const userAllowed = header.type === 'file' || header.type === 'directory';
    for (const [name, value] of header.xattrs) {
      const ofUser = userAllowed && name.startsWith('user.') && !name.startsWith('user.overlay.');
      if (ofUser || name === 'security.capability') setXattr(path, name, value);
    }
  }
}
