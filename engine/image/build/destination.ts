/** Where copied files go: the entries of the layer that COPY and ADD make. Dockerfile reference, "COPY". */

import type { ArchiveEntry } from '../archive.ts';
import { xattrsOf } from '../tree-entries.ts';
import { InvalidBuild } from './build-error.ts';
import { resolvePath } from './resolve.ts';
import { type Source, walk } from './sources.ts';
import type { StackEntry, StackTree } from './stack-tree.ts';

export interface Owner {
  uid: number;
  gid: number;
}

/** A file that stands in the Dockerfile itself. */
export interface InlineFile {
  name: string;
  content: string;
}

export interface CopyRequest {
  sources: Source[];
  inline: InlineFile[];
  /** Absolute; with a `/` at its end it is a directory. */
  destination: string;
  owner: Owner;
  /** Of what is copied; undefined leaves it as it is. */
  mode: number | undefined;
  /** What all that is new is dated. */
  time: Date;
}

const ROOT: Owner = { uid: 0, gid: 0 };

/**
 * The layer that puts the sources where they belong in `image`. Directories on the way that are there already come with
 * what they are, since a layer's own idea of a directory hides the one below it.
 *
 * Nothing is written: a link in the image can lead the destination elsewhere in the image, and nowhere else.
 * @throws InvalidBuild
 */
export function copyEntries(image: StackTree, request: CopyRequest): ArchiveEntry[] {
  const { sources, inline, destination, mode, time, owner } = request;
  const entries = new Entries(image, time);
  const target = resolveDestination(image, destination);
  const there = image.entry(target);
  const several = sources.length + inline.length > 1;
  const isDirectory = /\/\.?$/.test(destination) || there?.type === 'directory' || target === '';
  if (several && !isDirectory)
    throw new InvalidBuild(
      `When using COPY or ADD with more than one source, the destination must be a directory and end with a /: write "${destination}/"`,
    );
  for (const source of sources) {
    const top = source.tree.entry(source.path);
    const intoDirectory = top?.type === 'directory' ? target : isDirectory ? join(target, source.name) : target;
    const newOwner = source.keepOwners ? ROOT : owner;
    for (const { below, entry } of walk(source)) {
      const path = resolveDestination(image, join(intoDirectory, below), true);
      entries.parents(path, newOwner);
      if (below === '' && entry.type === 'directory') entries.directory(path, newOwner);
      else entries.add(path, entry, source.keepOwners ? entry : owner, mode);
    }
  }
  for (const { name, content } of inline) {
    const path = resolveDestination(image, isDirectory ? join(target, name) : target);
    entries.parents(path, owner);
    entries.put({ type: 'file', path, content, mode: mode ?? 0o644, mtime: time, ...owner });
  }
  return entries.sorted();
}

/** `WORKDIR` makes the directory it names. Nothing when it is there. */
export function directoryEntries(image: StackTree, path: string, time: Date): ArchiveEntry[] {
  const target = resolveDestination(image, path);
  const there = image.entry(target);
  if (there?.type === 'directory') return [];
  if (there) throw new InvalidBuild(`cannot make the directory ${path}: something else is there in the image`);
  const entries = new Entries(image, time);
  entries.directory(target, ROOT);
  return entries.sorted();
}

/**
 * Where `path` leads in the image, whose links are followed as if it were `/`; what is missing is taken as it stands.
 * @param last whether a link in its last part stays what it is
 */
export function resolveDestination(image: StackTree, path: string, last = false): string {
  try {
    return resolvePath(image, path, { missing: 'keep', followLast: !last }) ?? '';
  } catch (error) {
    throw new InvalidBuild(`${(error as Error).message} in the image`);
  }
}

class Entries {
  readonly #image: StackTree;
  readonly #time: Date;
  readonly #byPath = new Map<string, ArchiveEntry>();

  constructor(image: StackTree, time: Date) {
    this.#image = image;
    this.#time = time;
  }

  put(entry: ArchiveEntry): void {
    if (entry.type !== 'directory' && this.#image.entry(entry.path)?.type === 'directory')
      throw new InvalidBuild(`cannot copy a file to /${entry.path}: there is a directory of that name in the image`);
    if (entry.type !== 'directory' && this.#byPath.get(entry.path)?.type === 'directory')
      throw new InvalidBuild(`cannot copy a file to /${entry.path}: a directory of that name is copied too`);
    this.#byPath.set(entry.path, entry);
  }

  add(path: string, entry: StackEntry, { uid, gid }: Owner, chmod: number | undefined): void {
    const metadata = { path, mode: chmod ?? entry.mode, uid, gid, mtime: this.#time };
    if (entry.type === 'symlink') this.put({ ...metadata, mode: 0o777, type: 'symlink', target: entry.target ?? '' });
    else if (entry.type === 'directory') this.put({ ...metadata, type: 'directory' });
    else this.put({ ...metadata, type: 'file', source: entry.host, size: entry.size, xattrs: xattrsOf(entry.host) });
  }

  /** One that need not be there; what it is already stays. @param owner when it is new */
  directory(path: string, owner: Owner): void {
    this.parents(path, owner);
    if (path === '' || this.#byPath.has(path)) return;
    const there = this.#image.entry(path);
    if (there && there.type !== 'directory')
      throw new InvalidBuild(`cannot copy into /${path}, which is no directory in the image`);
    const metadata = there ?? { mode: 0o755, ...owner, mtime: this.#time };
    const { mode, uid, gid, mtime } = metadata;
    this.#byPath.set(path, { type: 'directory', path, mode, uid, gid, mtime });
  }

  parents(path: string, owner: Owner): void {
    const parts = path.split('/').slice(0, -1);
    for (let length = 1; length <= parts.length; length++) this.directory(parts.slice(0, length).join('/'), owner);
  }

  sorted(): ArchiveEntry[] {
    return [...this.#byPath.values()].sort((a, b) => compare(a.path, b.path));
  }
}

/** A directory comes before what is in it. */
function compare(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let at = 0; at < Math.min(left.length, right.length); at++)
    if (left[at] !== right[at]) return left[at]! < right[at]! ? -1 : 1;
  return left.length - right.length;
}

function join(directory: string, name: string): string {
  return directory === '' ? name : name === '' ? directory : `${directory}/${name}`;
}
