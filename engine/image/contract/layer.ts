/** The plank of lab `layer`: a tar of changes, read and made. OCI image-spec, layer.md. */

/** What one 512-byte header block says. tar(5), "POSIX ustar Archives". */
export interface TarHeader {
  /** UTF-8. A ustar header's prefix, if it has one, and a slash stand in front. A directory's may end in `/`. */
  name: string;
  /** The type flag, one character: `0` file, `1` hard link, `2` symbolic link, `5` directory, `x` extended header, … */
  flag: string;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** What the size field says: for a file, the bytes of content that follow. */
  size: number;
  /** Whole seconds since the epoch; negative before it. */
  mtime: number;
  /** Of symbolic and hard links, else `''`. */
  linkname: string;
  /** Of device nodes, else 0. */
  major: number;
  minor: number;
}

export interface ApplyOptions {
  /**
   * `remove`: the directory holds the lower layers, and whiteouts remove their files. `overlay`: the directory holds this
   * layer alone, and whiteouts stay there in the form that overlayfs knows.
   */
  whiteouts: 'remove' | 'overlay';
  /**
   * True: entries get their owners, device nodes are made, and overlayfs's attribute is `trusted.overlay.opaque`; if the
   * kernel permits neither the nodes nor the attribute, as in a user namespace, nodes may be left out or refused, and the
   * attribute is `user.overlay.opaque`. False: everything belongs to this process's user, a device node is refused, and
   * the attribute is `user.overlay.opaque`. If absent: true as root, false otherwise.
   */
  ownership?: boolean;
  /**
   * There is one user here, so `ownership` is false. Only the engine's own module knows of it, and leaves out device nodes
   * where others refuse them; false if absent.
   */
  oneUser?: boolean;
}

export interface Applied {
  /** Bytes of all regular files. */
  size: number;
  /** Whiteouts count, extended headers do not. */
  entries: number;
}

export interface DiffOptions {
  /** Leave out an entry, and everything below it. @param path relative to the root, without a leading `/`. */
  exclude?: (path: string) => boolean;
}

export interface LayerPlank {
  /**
   * Read one header block.
   * @param block 512 bytes.
   * @returns null for a block of zeros, two of which end an archive.
   * @throws Error when the checksum is wrong, or a field that should be a number is not.
   */
  parseHeader(block: Uint8Array): TarHeader | null;

  /**
   * Unpack an uncompressed tar into `directory`, and read `source` to its end. Nothing else writes there meanwhile.
   * @param source chunks of any size; one is valid until the next is asked for.
   * @throws Error for an archive that leads out of the directory, is truncated, or is not a tar; nothing outside of the
   *   directory has changed then.
   */
  applyLayer(source: AsyncIterable<Uint8Array>, directory: string, options: ApplyOptions): Promise<Applied>;

  /** What an overlay's upperdir changes, as a tar: the same tree gives the same bytes. */
  diffLayer(upper: string, options?: DiffOptions): Iterable<Uint8Array>;
}
