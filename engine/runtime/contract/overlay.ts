/** The plank of lab `overlay`: layers seen as one tree, and what was changed in it. Kernel documentation, filesystems/overlayfs. */

/** Directories that are seen as one. All paths are absolute, and may have any character in them but NUL. */
export interface OverlayStack {
  /** What is only read, topmost first; at least one, at most 500. */
  lower: string[];
  /** Gets everything that is written. Without it the stack is read-only. */
  upper?: string;
  /** With `upper`: an empty directory on the same file system, for the kernel's own use. */
  work?: string;
}

/** Ids as the kernel has them where this runs. */
export interface Owner {
  uid: number;
  gid: number;
}

/** What stands at one name of one layer, in the words of lstat(2). */
export interface LayerEntry {
  type: 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo' | 'socket';
  /** Permission bits, 0…0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes; of a directory it means nothing. */
  size: number;
  /** Nanoseconds since the epoch. */
  mtime: bigint;
  /** Of devices; 0 for all others. */
  major: number;
  minor: number;
  /**
   * Extended attributes, byte by byte (Latin-1): those of overlayfs itself, which are called `trusted.overlay.…`, or
   * `user.overlay.…` when it was mounted without privileges, and `security.capability`.
   */
  attributes: Record<string, string>;
}

/** One layer by itself, as it lies on the disk. Paths are relative, without a leading `/`; '' is its root. */
export interface Layer {
  /** What is at `path`; undefined when nothing is, or when what is above it is not a directory. Links are not followed. */
  entry(path: string): LayerEntry | undefined;
  /** The names in the directory `path`, in no particular order; none when there is no directory. */
  names(path: string): string[];
}

export interface Change {
  /** Absolute in the container. */
  path: string;
  kind: 'added' | 'changed' | 'deleted';
}

export interface OverlayPlank {
  /**
   * What mount(2) is told of the stack: `lowerdir=…`, and with an upper `upperdir=…` and `workdir=…`, separated by commas. A
   * backslash goes before each `\`, `:` and `,` of a path. Always `index=off`; then `userxattr` for the unprivileged, and for
   * all others `redirect_dir=off` and `metacopy=off`, so that what a layer holds can be read without its neighbours.
   * @param unprivileged in a user namespace: whiteouts and opaque marks are then kept in user.* attributes.
   */
  overlayData(stack: OverlayStack, unprivileged: boolean): string;

  /**
   * Mount the stack on `target`, in the caller's mount namespace, whose mounts are private by now. It works for any
   * number of layers, though mount(2) takes one page of data, and for a single layer without an upper, which overlayfs
   * refuses. The working directory is `/` afterwards, and no descriptor is left open.
   * @throws KernelError of mount(2)
   */
  mountOverlay(target: string, stack: OverlayStack, unprivileged: boolean): void;

  /**
   * Make the directories of a container's own: `upper`, with the owner and the mode of `like` whatever the umask is, since
   * it is what the container sees as `/`; and `work`, which nobody else may enter. One that is there already is from an earlier start
   * and keeps its mode and what is in it.
   * @param like the root of the topmost layer.
   * @param owner root of the container's user namespace, if it has one: both directories are to be this one's, also those
   *   that are there already.
   */
  makeRootDirectories(root: { upper: string; work: string }, like: string, owner?: Owner): void;

  /**
   * What `docker diff` says: how the tree that is seen with `upper` on top differs from the one that is seen without it.
   *
   * - Something is *added* where nothing was seen, *deleted* where nothing is seen any more, and *changed* when type, mode,
   *   owner, device, capability or, of anything but a directory, size or modification time differ. That it
   *   is in `upper` is not a change yet: opening a file for writing copies it.
   * - A directory with a change anywhere below it has changed too. The root is never listed.
   * - Of a deleted directory nothing below is listed, and neither when something that is not a directory has taken its place.
   *   Where a directory is made anew, the names that were in it and are not any more are deleted.
   * - What is seen of `lowers` is what overlayfs shows: a whiteout, the character device 0:0, hides a name; a directory
   *   whose attribute `opaque` is `y` hides what all layers below it have in it; what is not a directory hides all of it.
   * @param lowers topmost first.
   * @returns sorted by the bytes of the path.
   * @throws Error that names a directory of `upper` with the attribute `redirect`: its content is under another name.
   */
  changesOf(upper: Layer, lowers: Layer[]): Change[];
}
