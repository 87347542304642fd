/** Layers: a tar of changes, applied to a directory, and made from one. OCI image-spec, layer.md. */

import {
  chmodSync,
  closeSync,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Applied, ApplyOptions, TarHeader } from '#contract/layer';
import { makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO } from '#kernel/nodes';
import { setTimes, setTimesOf } from '#kernel/times';
import { inUserNamespace } from '#kernel/user-namespace';
import { setXattr } from '#kernel/xattr';
import { isOfUser } from '../runtime/attributes.ts';
import { Confinement, HostileArchive, splitName } from './confine.ts';
import { writeEntry } from './holes.ts';
import { diffLayer } from './layer-diff.ts';
import { ownerHere } from './owner.ts';
import type { EntryHeader } from './tar-entry.ts';
import { parseHeader as parseBlock } from './tar-header.ts';
import { TarReader } from './tar-reader.ts';
import { sortInTurns, Turn } from './turn.ts';

export type { Applied, ApplyOptions };
export { diffLayer };

const WHITEOUT = '.wh.';
/** Of the names that begin so only the opaque marker is in the specification; the others are AUFS's own and passed over. */
const WHITEOUT_META = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';

/** One header block by itself, with its texts as such; TarReader puts it together with the extended headers before it. */
export function parseHeader(block: Uint8Array): TarHeader | null {
  const raw = parseBlock(Buffer.from(block));
  if (raw === null) return null;
  const { dialect: _, name, linkname, ...numbers } = raw;
  return { name: name.toString('utf8'), linkname: linkname.toString('utf8'), ...numbers };
}

/**
 * Unpack the uncompressed tar `source` into `directory` in one walk. Nothing else may write there meanwhile.
 * When it fails, the directory holds a part of the layer: the caller removes it.
 * @throws HostileArchive, UnexpectedEnd, KernelError, a system error, or the source's own.
 */
export async function applyLayer(
  source: AsyncIterable<Uint8Array>,
  directory: string,
  options: ApplyOptions,
): Promise<Applied> {
  const walk = new Walk(directory, options);
  const tar = new TarReader(source);
  const turn = new Turn();
  try {
    for (let header = await tar.next(); header; header = await tar.next()) {
      await turn.pass();
      const file = walk.begin(header);
      if (file !== undefined) await walk.write(file, header, tar);
    }
    await walk.finish(turn);
  } catch (error) {
    await tar.close();
    throw error;
  }
  return { size: walk.size, entries: walk.entries };
}

/** A regular file that waits for its content. */
interface OpenFile {
  fd: number;
  path: string;
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
    this.#ownership = options.oneUser || (options.ownership ?? process.geteuid?.() === 0);
    this.#confinement = new Confinement(root, {
      madeDirectory: (path) => this.#madeDirectory(path),
      makeWay: (path) => this.#hidden.has(path) && this.#clear(path),
    });
  }

  /** All of an entry but the content of a regular file, which is returned open. */
  begin(header: EntryHeader): OpenFile | undefined {
    const parts = splitName(header.name);
    const name = parts.pop();
    this.entries += 1;
    if (name === undefined) {
      if (header.type !== 'directory') throw new HostileArchive('layer refused: the root is not a directory in it');
      this.#directories.set(this.#root, header);
      return undefined;
    }
    if (parts.some((part) => part.startsWith(WHITEOUT))) {
      if (parts.some((part) => part.startsWith(WHITEOUT_META))) return undefined;
      throw new HostileArchive(`layer refused: entry "${header.name}" is below a whiteout`);
    }
    const parent = this.#confinement.directory(parts, header.name);
    if (!name.startsWith(WHITEOUT)) return this.#make(join(parent, name), header);
    this.#whiteout(parent, name, header.name);
    return undefined;
  }

  async write({ fd, path }: OpenFile, header: EntryHeader, tar: TarReader): Promise<void> {
    try {
      await writeEntry(fd, tar, header.size);
      this.size += header.size;
      // chown(2) clears the set-user-ID bit and the capabilities, so these come after it.
      if (this.#ownership)
        fchownSync(fd, ownerHere('uid', header.uid, header.name), ownerHere('gid', header.gid, header.name));
      fchmodSync(fd, header.mode);
      this.#xattrs(path, header);
      setTimesOf(fd, header.mtime);
    } finally {
      closeSync(fd);
    }
  }

  /** Deepest first, so that no directory's time changes after it was set. */
  async finish(turn: Turn): Promise<void> {
    const depth = (path: string) => path.split('/').length;
    const deepestLast = await sortInTurns(this.#directories, ([path]) => String.fromCharCode(depth(path)), turn);
    for (const [path, header] of deepestLast.reverse()) {
      await turn.pass();
      if (this.#ownership) this.#own(path, header);
      chmodSync(path, header.mode);
      setTimes(path, header.mtime);
    }
  }

  #own(path: string, { uid, gid, name }: EntryHeader): void {
    lchownSync(path, ownerHere('uid', uid, name), ownerHere('gid', gid, name));
  }

  #make(path: string, header: EntryHeader): OpenFile | undefined {
    if (header.type === 'file') return { path, fd: this.#place(path, () => openSync(path, 'wx', 0o600)) };
    if (header.type === 'directory') {
      this.#directory(path, header);
      return undefined;
    }
    if (header.type === 'link') {
      this.#link(path, header);
      return undefined;
    }
    if (isDevice(header)) this.#checkDevice(header);
    try {
      this.#place(path, () => this.#node(path, header));
    } catch (error) {
      // No kernel makes a device in a user namespace; the container's /dev has its own.
      const isDenied = isDevice(header) && (error as NodeJS.ErrnoException).code === 'EPERM' && inUserNamespace();
      if (!isDenied) throw error;
      return undefined;
    }
    if (this.#ownership) this.#own(path, header);
    if (header.type !== 'symlink') chmodSync(path, header.mode);
    this.#xattrs(path, header);
    setTimes(path, header.mtime);
    return undefined;
  }

  /** Make what was not there; what was there goes first. No call of `make` follows a link or takes what exists. */
  #place<T>(path: string, make: () => T): T {
    let made: T;
    try {
      made = make();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      this.#clear(path);
      made = make();
    }
    this.#isMade(path);
    return made;
  }

  #directory(path: string, header: EntryHeader): void {
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (info && !info.isDirectory()) this.#clear(path);
    if (!info?.isDirectory()) {
      mkdirSync(path, 0o700);
      this.#madeDirectory(path);
    } else this.#isMade(path);
    this.#xattrs(path, header);
    this.#directories.set(path, header);
  }

  #madeDirectory(path: string): void {
    this.#isMade(path);
    if (this.#hidden.has(path)) this.#opaque(path);
  }

  /** What has no content. Each call fails with EEXIST where something is. */
  #node(path: string, header: EntryHeader): void {
    if (header.type === 'symlink') symlinkSync(header.linkname, path);
    else if (header.type === 'fifo') mknod(path, S_IFIFO | 0o600);
    else
      mknod(
        path,
        (header.type === 'block-device' ? S_IFBLK : S_IFCHR) | 0o600,
        makedev(header.device.major, header.device.minor),
      );
  }

  #checkDevice({ name, type, device: { major, minor } }: EntryHeader): void {
    if (!this.#ownership)
      throw new HostileArchive(`layer refused: "${name}" is a device node, which only root can make`);
    if (type === 'character-device' && major === 0 && minor === 0)
      throw new HostileArchive(`layer refused: "${name}" is device 0:0, overlayfs's own form of a whiteout`);
  }

  #link(path: string, header: EntryHeader): void {
    const target = splitName(header.linkname);
    const name = target.pop();
    const subject = `layer refused: hard link "${header.name}" to "${header.linkname}"`;
    if (name === undefined) throw new HostileArchive(`${subject}: the root cannot be linked to`);
    const source = join(this.#confinement.directory(target, header.name), name);
    const info = lstatSync(source, { throwIfNoEntry: false });
    if (!info || this.#isWhiteout(source)) throw new HostileArchive(`${subject}: no such file in this layer`);
    if (info.isDirectory()) throw new HostileArchive(`${subject}: a directory cannot be linked to`);
    if (source !== path) this.#place(path, () => linkSync(source, path));
  }

  #whiteout(parent: string, name: string, entry: string): void {
    if (name === OPAQUE) {
      this.#opaque(parent);
      return;
    }
    if (name.startsWith(WHITEOUT_META)) return;
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw new HostileArchive(`layer refused: whiteout "${entry}" does not name a file`);
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

  #isWhiteout(path: string): boolean {
    if (!this.#hidden.has(path)) return false;
    const info = lstatSync(path);
    return info.isCharacterDevice() && info.rdev === 0;
  }

  /** Hide all that the lower layers have in this directory. */
  #opaque(directory: string): void {
    if (!this.#overlay) for (const name of readdirSync(directory)) this.#removeLower(join(directory, name));
    else
      setXattr(
        directory,
        `${this.#ownership && !inUserNamespace() ? 'trusted' : 'user'}.overlay.opaque`,
        Buffer.from('y'),
      );
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

  /** Remove what is at `path`, and what was still to be done about it. */
  #clear(path: string): true {
    const isDirectory = lstatSync(path).isDirectory();
    rmSync(path, { recursive: true, force: true });
    this.#confinement.forget();
    if (!isDirectory) return true;
    for (const directory of this.#directories.keys()) {
      if (directory === path || directory.startsWith(`${path}/`)) this.#directories.delete(directory);
    }
    return true;
  }

  #isMade(path: string): void {
    if (this.#overlay) return;
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
      if ((userAllowed && isOfUser(name)) || (this.#ownership && name === 'security.capability'))
        setXattr(path, name, value);
    }
  }
}

function isDevice({ type }: EntryHeader): boolean {
  return type === 'character-device' || type === 'block-device';
}
