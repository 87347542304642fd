import fs from 'node:fs';
import path from 'node:path';

/** sun_path has 108 bytes, one of them for the terminating zero. unix(7). */
const LONGEST = 107;

export interface SocketAddress {
  /** What to give to connect. */
  path: string;
  /** To be called when no connection is going to be made any more. */
  release(): void;
}

/**
 * The address of the socket at `file`, however long its path is.
 * @throws the file system's error when a long path's directory is missing.
 */
export function socketAddress(file: string): SocketAddress {
  if (Buffer.byteLength(file) <= LONGEST) return { path: file, release: () => {} };
  const directory = fs.openSync(path.dirname(file), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  return {
    path: `/proc/self/fd/${directory}/${path.basename(file)}`,
    release: () => fs.closeSync(directory),
  };
}
