/** What is asked of the process that works in a container's files, and what it answers. */

import type { LayerEntry } from '#contract/overlay';
import type { Mount, OverlayRoot } from '../../runtime/spec.ts';
import type { IdMaps } from './id-maps.ts';

/**
 * Where that process works. With `ids` the tree shows the owners that a user namespace makes of those in the container.
 * Everything it does, it does with this as its root directory.
 */
export type Tree =
  /** What descriptor 3 is open at. */
  | { kind: 'open'; ids?: IdMaps }
  /** What the container whose mount namespace descriptor 4 is has as its root (descriptor 3), without what is mounted in it. */
  | { kind: 'bare'; ids?: IdMaps }
  /** A stack that is mounted for this alone, with these mounts in it. */
  | { kind: 'stack'; target: string; overlay: OverlayRoot; mounts: Mount[]; readonly: boolean };

/** `container` is its name, for messages. */
export type FileRequest =
  /** Answers with a `PathStat`, on one line. */
  | { operation: 'stat'; path: string; container: string }
  /** The same line, and after it an archive. */
  | { operation: 'read'; path: string; container: string }
  /** An archive from standard input, into a directory. */
  | { operation: 'write'; path: string; container: string; options: WriteOptions }
  /** Makes a directory, and what is missing on the way to it. */
  | { operation: 'make'; path: string }
  /** An empty object on one line, and after it an archive of everything. */
  | { operation: 'export' }
  /** The same of an upperdir, as a layer. */
  | { operation: 'layer' }
  /** Lines, an `UpperEntry` each. */
  | { operation: 'list' };

export interface WriteOptions {
  /** Whether a directory must not be replaced by something else, nor something else by a directory. */
  keepKinds: boolean;
  /** `user[:group]` that everything is to belong to; as the archive says if undefined. */
  owner?: string;
}

/** Docker's container.PathStat. */
export interface PathStat {
  name: string;
  /** Bytes. */
  size: number;
  /** As Go's os.FileMode has it. */
  mode: number;
  /** RFC 3339 with nanoseconds. */
  mtime: string;
  /** Where a symbolic link leads to in the end, absolute in the container; else empty. */
  linkTarget: string;
}

/** What an upperdir has at a path, without a leading `/`. JSON has no large integers. */
export type UpperEntry = Omit<LayerEntry, 'mtime'> & { path: string; mtime: string };

/** Why it could not be done, on standard error: one line of JSON. */
export interface FileFailure {
  kind: 'not-found' | 'invalid' | 'forbidden' | 'failed';
  message: string;
}

export class FileError extends Error {
  override readonly name = 'FileError';
  readonly kind: FileFailure['kind'];

  constructor(kind: FileFailure['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}
