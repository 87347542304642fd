/**
 * The process that works in one container's files: `files REQUEST`, both in JSON. It gives up the host's tree for the
 * container's before it looks at anything, so whatever it meets there, it can only be led about inside.
 */

import { readSync, writeSync } from 'node:fs';
import { diffLayer } from '../../image/layer-diff.ts';
import { HostileArchive } from '../../image/tar-header.ts';
import { makePathInRoot } from '../../runtime/path-in-root.ts';
import { enterTree } from './enter-tree.ts';
import { listUpper } from './list-upper.ts';
import { readAll, readPath } from './read-tree.ts';
import { FileError, type FileFailure, type FileRequest, type Tree } from './request.ts';
import { findPath, pathStat } from './stat-path.ts';
import { writePath } from './write-tree.ts';

const INPUT_CHUNK = 1024 * 1024;
/** Lines are gathered up to this many characters. */
const OUTPUT_CHUNK = 64 * 1024;

async function main(text: string): Promise<void> {
  const { tree, request } = JSON.parse(text) as { tree: Tree; request: FileRequest };
  const ids = tree.kind === 'stack' ? undefined : tree.ids;
  enterTree(tree);
  switch (request.operation) {
    case 'stat':
      return line(pathStat(findPath(request.path, request.container)));
    case 'read': {
      const found = findPath(request.path, request.container);
      line(pathStat(found));
      return writeAll(readPath(found, ids));
    }
    case 'write':
      return await writePath(request, input(), ids);
    case 'make':
      return makePathInRoot('/', request.path, 'directory');
    case 'export':
      line({});
      return writeAll(readAll(ids));
    case 'layer':
      line({});
      return writeAll(diffLayer('/'));
    case 'list':
      return writeLines(listUpper());
  }
}

function line(document: object): void {
  write(Buffer.from(`${JSON.stringify(document)}\n`));
}

function writeAll(chunks: Iterable<Uint8Array>): void {
  for (const chunk of chunks) write(chunk);
}

function writeLines(documents: Iterable<object>): void {
  let gathered = '';
  for (const document of documents) {
    gathered += `${JSON.stringify(document)}\n`;
    if (gathered.length < OUTPUT_CHUNK) continue;
    write(Buffer.from(gathered));
    gathered = '';
  }
  write(Buffer.from(gathered));
}

function write(bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(1, bytes, done);
}

/** Synchronous, so that it is this thread that reads, and nothing is read ahead. */
async function* input(): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(INPUT_CHUNK);
  for (let count = readSync(0, buffer); count > 0; count = readSync(0, buffer)) yield buffer.subarray(0, count);
}

function failureOf(error: unknown): FileFailure {
  const { message, code } = error as NodeJS.ErrnoException;
  if (error instanceof FileError) return { kind: error.kind, message };
  if (error instanceof HostileArchive) return { kind: 'invalid', message };
  if (code === 'EROFS')
    return { kind: 'forbidden', message: 'the mounted volume or the container rootfs is marked read-only' };
  return { kind: 'failed', message: message ?? String(error) };
}

main(process.argv[2] ?? '').then(
  () => process.exit(0),
  (error) => {
    try {
      writeSync(2, JSON.stringify(failureOf(error)));
    } finally {
      process.exit(1);
    }
  },
);
