/** An archive, unpacked among the files that a container has already. */

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
  rmSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO } from '#kernel/nodes';
import { setTimes, setTimesOf } from '#kernel/times';
import { inUserNamespace } from '#kernel/user-namespace';
import { setXattr } from '#kernel/xattr';
import { splitName } from '../../image/confine.ts';
import { writeEntry } from '../../image/holes.ts';
import { ownerHere } from '../../image/owner.ts';
import type { EntryHeader } from '../../image/tar-entry.ts';
import { TarReader } from '../../image/tar-reader.ts';
import { isOfUser } from '../../runtime/attributes.ts';
import { makePathInRoot } from '../../runtime/path-in-root.ts';
import { lookUpIdentity } from '../../runtime/user.ts';
import { capabilityOutside, type IdMaps, idOutside } from './id-maps.ts';
import { FileError, type FileRequest, type WriteOptions } from './request.ts';
import { findPath } from './stat-path.ts';

/**
 * Unpack into the directory `path` of the tree that is the root of this process. Links that are there already are
 * followed on the way to an entry, and never at its end.
 * @throws FileError, HostileArchive, UnexpectedEnd, or the system's error; what came before it is there then.
 */
export async function writePath(
  { path, container, options }: Extract<FileRequest, { operation: 'write' }>,
  source: AsyncIterable<Uint8Array>,
  ids?: IdMaps,
): Promise<void> {
  const { real, info } = findPath(`${path}/`, container);
  if (!info.isDirectory()) throw new FileError('invalid', 'extraction point is not a directory');
  const unpacking = new Unpacking(real, options, ids);
  const tar = new TarReader(source);
  for (let header = await tar.next(); header; header = await tar.next()) {
    const file = unpacking.begin(header);
    if (file !== undefined) await unpacking.fill(file, header, tar);
  }
  unpacking.finish();
}

class Unpacking {
  readonly #root: string;
  readonly #keepKinds: boolean;
  readonly #ids: IdMaps | undefined;
  readonly #owner: { uid: number; gid: number } | undefined;
  /** Dated last: making something in a directory changes its time. */
  readonly #directories = new Map<string, EntryHeader>();

  constructor(root: string, { keepKinds, owner }: WriteOptions, ids: IdMaps | undefined) {
    this.#ids = ids;
    this.#root = root;
    this.#keepKinds = keepKinds;
    this.#owner = owner === undefined ? undefined : lookUpIdentity({ user: { uid: 0, gid: 0 }, userSpec: owner });
  }

  /** All of an entry but the content of a regular file, which is returned open. */
  begin(header: EntryHeader): { fd: number; path: string } | undefined {
    const parts = splitName(header.name.replace(/^\/+/, ''));
    const path = join(this.#root, ...parts);
    if (parts.length === 0) {
      if (header.type !== 'directory') throw new FileError('invalid', `"${header.name}" cannot replace a directory`);
      return undefined;
    }
    // What is missing on the way is made, also behind a link that leads to nothing yet.
    makePathInRoot('/', dirname(path), 'directory');
    this.#makeWay(path, header);
    switch (header.type) {
      case 'file':
        return { fd: openSync(path, 'wx', 0o600), path };
      case 'directory':
        if (!lstatSync(path, { throwIfNoEntry: false })) mkdirSync(path, 0o700);
        this.#directories.set(path, header);
        return undefined;
      case 'link':
        linkSync(join(this.#root, ...splitName(header.linkname.replace(/^\/+/, ''))), path);
        return undefined;
      default:
        if (this.#node(path, header)) this.#describe(path, header);
        return undefined;
    }
  }

  async fill({ fd, path }: { fd: number; path: string }, header: EntryHeader, tar: TarReader): Promise<void> {
    try {
      await writeEntry(fd, tar, header.size);
      // chown(2) clears the set-user-ID bit and the capabilities, so these come after it.
      const { uid, gid } = this.#ownerOf(header);
      fchownSync(fd, uid, gid);
      fchmodSync(fd, header.mode);
      setAttributes(path, header, this.#ids);
      setTimesOf(fd, header.mtime);
    } finally {
      closeSync(fd);
    }
  }

  finish(): void {
    for (const [path, header] of [...this.#directories].reverse()) {
      // What came later in the archive may have taken its place.
      if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) this.#describe(path, header);
    }
  }

  /** As Docker has it: what is there goes, unless both are directories. */
  #makeWay(path: string, { type }: EntryHeader): void {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (!there || (there.isDirectory() && type === 'directory')) return;
    if (this.#keepKinds && there.isDirectory())
      throw new FileError('invalid', `cannot overwrite directory "${path}" with non-directory "${path}"`);
    if (this.#keepKinds && type === 'directory')
      throw new FileError('invalid', `cannot overwrite non-directory "${path}" with directory "${path}"`);
    rmSync(path, { recursive: true, force: true });
  }

  /** @returns whether it was made: nobody makes a device in a user namespace. */
  #node(path: string, { type, linkname, device: { major, minor } }: EntryHeader): boolean {
    if (type === 'symlink') symlinkSync(linkname, path);
    else if (type === 'fifo') mknod(path, S_IFIFO | 0o600);
    else if (this.#ids || inUserNamespace()) return false;
    else mknod(path, (type === 'block-device' ? S_IFBLK : S_IFCHR) | 0o600, makedev(major, minor));
    return true;
  }

  #describe(path: string, header: EntryHeader): void {
    const { uid, gid } = this.#ownerOf(header);
    lchownSync(path, uid, gid);
    if (header.type !== 'symlink') chmodSync(path, header.mode);
    setAttributes(path, header, this.#ids);
    setTimes(path, header.mtime);
  }

  #ownerOf({ uid, gid, name }: EntryHeader): { uid: number; gid: number } {
    const owner = this.#owner ?? { uid: ownerHere('uid', uid, name), gid: ownerHere('gid', gid, name) };
    return { uid: idOutside(this.#ids, 'uid', owner.uid), gid: idOutside(this.#ids, 'gid', owner.gid) };
  }
}

/** Those that say something about the file itself. The kernel has user attributes on files and directories only. xattr(7). */
function setAttributes(path: string, { type, xattrs }: EntryHeader, ids: IdMaps | undefined): void {
  for (const [name, value] of capabilityOutside(ids, xattrs))
    if (((type === 'file' || type === 'directory') && isOfUser(name)) || name === 'security.capability')
      setXattr(path, name, value);
}
