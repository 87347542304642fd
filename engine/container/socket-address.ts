import fs from 'node:fs';
import path from 'node:path';

/** sun_path has 108 bytes, one of them for the terminating zero. unix(7). */
const LONGEST = 107;

export interface SocketAddress {
  /** What to give to listen or connect. */
  path: string;
  /** To be called when it is no longer used; for a listening socket that is when it has closed. */
  release(): void;
}

/** The address of the socket at `file`, whose directory exists, however long its path is. */
export function socketAddress(file: string): SocketAddress {
  if (Buffer.byteLength(file) <= LONGEST) return { path: file, release: () => {} };
  const directory = fs.openSync(path.dirname(file), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  let open = true;
  return {
    path: `/proc/self/fd/${directory}/${path.basename(file)}`,
    release: () => {
      if (open) fs.closeSync(directory);
      open = false;
    },
  };
}
