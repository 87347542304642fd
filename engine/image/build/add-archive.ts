/** What ADD does to a local archive: it is unpacked. Dockerfile reference, "ADD", "Adding local tar archives". */

import { closeSync, createReadStream, mkdirSync, openSync, readSync } from 'node:fs';
import { compressionOf, decompress, HEAD } from '../compression.ts';
import { applyLayer } from '../layer.ts';
import { beginsTar } from '../tar-header.ts';
import { resolveInTree } from './build.ts';
import type { Source } from './sources.ts';
import { StackTree } from './stack-tree.ts';

/**
 * Unpack the source into `directory`, which is made, if it is a tar, compressed or not.
 * @returns its content as a source that keeps its owners; undefined when it is a file like others
 * @throws HostileArchive, UnexpectedEnd
 */
export async function unpackArchive({ tree, path, name }: Source, directory: string): Promise<Source | undefined> {
  const entry = tree.entry(path);
  if (entry?.type !== 'file' || !(await isTar(entry.host))) return undefined;
  mkdirSync(directory, { mode: 0o755 });
  await applyLayer(open(entry.host), directory, { whiteouts: 'remove' });
  const unpacked = new StackTree([directory]);
  return { tree: unpacked, path: resolveInTree(unpacked, '') ?? '', name, keepOwners: true };
}

async function isTar(host: string): Promise<boolean> {
  try {
    for await (const block of open(host)) {
      return beginsTar(block as Buffer);
    }
  } catch {
    // Not what its first bytes promise: a file like others.
  }
  return false;
}

function open(host: string) {
  const file = createReadStream(host, { highWaterMark: 256 * 1024 });
  return decompress(file, compressionOf(firstBytes(host, HEAD)));
}

function firstBytes(host: string, count: number): Buffer {
  const fd = openSync(host, 'r');
  try {
    const bytes = Buffer.alloc(count);
    return bytes.subarray(0, readSync(fd, bytes, 0, count, 0));
  } finally {
    closeSync(fd);
  }
}
