/** Where copied files go: the entries of the layer that COPY and ADD make. Dockerfile reference, "COPY". */

import { deviceNumbers } from '#kernel/nodes';
import { xattrsOf } from '../../runtime/attributes.ts';
import type { ArchiveEntry } from '../archive.ts';
import { sortInTurns, Turn } from '../turn.ts';
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
  /** What --chown says; undefined without it. */
  owner: Owner | undefined;
  /** Of what is copied; undefined leaves it as it is. */
  mode: number | undefined;
  /** What all that is new is dated, but for sources that keep their times. */
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
export async function copyEntries(image: StackTree, request: CopyRequest): Promise<ArchiveEntry[]> {
  const turn = new Turn();
  const { sources, inline, destination, mode, time } = request;
  const entries = new Entries(image, time);
  const target = resolveDestination(image, destination);
  const there = image.entry(target);
  const several = sources.length + inline.length > 1;
  const isDirectory = /\/\.?$/.test(destination) || there?.type === 'directory' || target === '';
  if (several && !isDirectory)
    throw new InvalidBuild(
      `When using COPY or ADD with more than one source, the destination must be a directory and end with a /: write "${destination}/"`,
    );
  for (const [index, source] of sources.entries()) {
    const { keepOwners = false, chownable = !keepOwners, tree, path, name } = source;
    const given = chownable ? request.owner : undefined;
    const top = tree.entry(path);
    const intoDirectory = top?.type === 'directory' ? target : isDirectory ? join(target, name) : target;
    for (const { below, entry } of walk(source)) {
      await turn.pass();
      const isLeaf = entry.type !== 'directory';
      // One rule for what is copied and for what is below it: a directory goes where a link in the image leads.
      const at = resolveDestination(image, join(intoDirectory, below), isLeaf);
      entries.parents(at, given ?? ROOT);
      const described = { ...entry, ...(given ?? (keepOwners ? {} : ROOT)), ...(keepOwners ? {} : { mtime: time }) };
      if (below === '' && !isLeaf)
        entries.directory(at, given ?? ROOT, chownable && keepOwners ? described : undefined);
      else entries.add(at, described, mode, entry.inode && `${index}/${entry.inode}`);
    }
  }
  const owner = request.owner ?? ROOT;
  for (const { name, content } of inline) {
    const path = resolveDestination(image, isDirectory ? join(target, name) : target);
    entries.parents(path, owner);
    entries.put({ type: 'file', path, content, mode: mode ?? 0o644, mtime: time, ...owner });
  }
  return await entries.sorted(turn);
}

/** `WORKDIR` makes the directory it names. Nothing when it is there. */
export async function directoryEntries(image: StackTree, path: string, time: Date): Promise<ArchiveEntry[]> {
  const target = resolveDestination(image, path);
  const there = image.entry(target);
  if (there?.type === 'directory') return [];
  if (there) throw new InvalidBuild(`cannot make the directory ${path}: something else is there in the image`);
  const entries = new Entries(image, time);
  entries.directory(target, ROOT);
  return await entries.sorted(new Turn());
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
  /** Which file an entry is a name of, for those with several names. */
  readonly #files = new Map<string, string>();

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
    this.#files.delete(entry.path);
  }

  /** @param file the same for each name of one file; undefined for a file with one. */
  add(path: string, entry: StackEntry, chmod: number | undefined, file: string | undefined): void {
    const { uid, gid, mtime, host } = entry;
    const metadata = { path, mode: chmod ?? entry.mode, uid, gid, mtime };
    if (entry.type === 'symlink') this.put({ ...metadata, mode: 0o777, type: 'symlink', target: entry.target ?? '' });
    else if (entry.type === 'directory') this.put({ ...metadata, type: 'directory', xattrs: attributesOf(entry) });
    else if (entry.special === 'fifo') this.put({ ...metadata, type: 'fifo' });
    else if (entry.special === 'character-device' || entry.special === 'block-device')
      this.put({ ...metadata, type: entry.special, ...deviceNumbers(entry.device ?? 0n) });
    else this.put({ ...metadata, type: 'file', source: host, size: entry.size, xattrs: attributesOf(entry) });
    if (file !== undefined) this.#files.set(path, file);
  }

  /** One that need not be there; what it is already stays. @param owner when it is new @param like what a new one is like */
  directory(path: string, owner: Owner, like?: StackEntry): void {
    this.parents(path, owner);
    if (path === '' || this.#byPath.get(path)?.type === 'directory') return;
    const there = this.#image.entry(path);
    if (there && there.type !== 'directory')
      throw new InvalidBuild(`cannot copy into /${path}, which is not a directory in the image`);
    const metadata = there ?? like ?? { mode: 0o755, ...owner, mtime: this.#time };
    const { mode, uid, gid, mtime } = metadata;
    const xattrs = 'host' in metadata ? attributesOf(metadata) : undefined;
    this.put({ type: 'directory', path, mode, uid, gid, mtime, ...(xattrs && { xattrs }) });
  }

  parents(path: string, owner: Owner): void {
    const parts = path.split('/').slice(0, -1);
    for (let length = 1; length <= parts.length; length++) this.directory(parts.slice(0, length).join('/'), owner);
  }

  /** The first name of a file has its content, the others are links to it. A directory comes before what is in it. */
  async sorted(turn: Turn): Promise<ArchiveEntry[]> {
    const first = new Map<string, string>();
    const linked = (entry: ArchiveEntry): ArchiveEntry => {
      const file = this.#files.get(entry.path);
      if (file === undefined) return entry;
      const target = first.get(file);
      if (target === undefined) first.set(file, entry.path);
      const { path, mode, uid, gid, mtime } = entry;
      return target === undefined ? entry : { type: 'link', path, mode, uid, gid, mtime, target };
    };
    // NUL is in no name and comes before all that is.
    const sorted = await sortInTurns(this.#byPath.values(), ({ path }) => path.replaceAll('/', '\0'), turn);
    if (this.#files.size === 0) return sorted;
    const entries: ArchiveEntry[] = [];
    for (const entry of sorted) {
      entries.push(linked(entry));
      await turn.pass();
    }
    return entries;
  }
}

function attributesOf({ host }: StackEntry): Map<string, Buffer> {
  return host === '' ? new Map() : xattrsOf(host);
}

function join(directory: string, name: string): string {
  return directory === '' ? name : name === '' ? directory : `${directory}/${name}`;
}
