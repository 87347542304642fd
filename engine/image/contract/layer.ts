/** The plank of lab `layer`: a tar of changes, read and made. OCI image-spec, layer.md. */

/** What one 512-byte header block says. tar(5), "POSIX ustar Archives". */
export interface TarHeader {
  /** UTF-8, with the prefix in front of it where there is one. A directory's may end in `/`. */
  name: string;
  /** The type flag, one character: `0` file, `1` hard link, `2` symbolic link, `5` directory, `x` extended header, … */
  flag: string;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of content that follow. */
  size: number;
  /** Whole seconds since the epoch. */
  mtime: number;
  /** Of symbolic and hard links, else `''`. */
  linkname: string;
  /** Of device nodes. */
  major: number;
  minor: number;
}

export interface ApplyOptions {
  /**
   * What becomes of whiteouts. `remove`: the directory holds the lower layers, whose files go. `overlay`: it holds this
   * layer alone and they stay, in the form that overlayfs knows.
   */
  whiteouts: 'remove' | 'overlay';
  /**
   * Give entries their owners, and make device nodes; by default only as root, since nobody else may. Without it
   * overlayfs's marks are among the user's attributes (`userxattr`), and a device node is refused.
   */
  ownership?: boolean;
}

export interface Applied {
  /** Bytes of all regular files. */
  size: number;
  entries: number;
}

export interface DiffOptions {
  /** Leave out an entry, and all that is below it. @param path relative to the root, without a leading `/`. */
  exclude?: (path: string) => boolean;
}

export interface LayerPlank {
  /**
   * @param block 512 bytes.
   * @returns null for a block of zeros, two of which end an archive.
   * @throws Error when the checksum is wrong or a number is none.
   */
  parseHeader(block: Uint8Array): TarHeader | null;

  /**
   * Unpack an uncompressed tar into `directory`, to the end of `source`. Nothing else writes there meanwhile.
   * @param source chunks of any size; one is valid until the next is asked for.
   * @throws Error for an archive that would reach out of the directory; nothing outside is touched then.
   */
  applyLayer(source: AsyncIterable<Uint8Array>, directory: string, options: ApplyOptions): Promise<Applied>;

  /** What an overlay's upperdir changes, as a tar: the same tree gives the same bytes. */
  diffLayer(upper: string, options?: DiffOptions): Iterable<Uint8Array>;
}
