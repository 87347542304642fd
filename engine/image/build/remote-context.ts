/** A context that the engine fetches itself: `remote` of POST /build. */

import { isUtf8 } from 'node:buffer';
import { compressionOf } from '../compression.ts';
import { InvalidBuild } from './build-error.ts';
import { isUrl, openUrl } from './download.ts';

const BLOCK = 512;
const MAGIC = 257;
/** Bytes of a Dockerfile. */
const TEXT_MAX = 1024 * 1024;

/** An archive, or the text of a Dockerfile that needs no files. */
export type RemoteContext = { archive: AsyncIterable<Uint8Array> } | { dockerfile: string };

/** @throws InvalidBuild for what is neither, and as `openUrl` */
export async function remoteContext(url: string, signal: AbortSignal): Promise<RemoteContext> {
  if (!isUrl(url) || /\.git(#.*)?$/.test(url))
    throw new InvalidBuild(
      `the build context ${url.slice(0, 200)} is no http or https URL of a file: clone a repository, and build the directory`,
    );
  const { body } = await openUrl(url, signal);
  const chunks = body[Symbol.asyncIterator]();
  const head = await readHead(chunks, BLOCK);
  if (compressionOf(head) !== 'none' || head.toString('latin1', MAGIC, MAGIC + 5) === 'ustar')
    return { archive: withHead(head, chunks) };
  const text = await readHead(chunks, TEXT_MAX + 1, head);
  await chunks.return?.();
  if (text.length > TEXT_MAX || !isUtf8(text) || text.includes(0))
    throw new InvalidBuild(`${url.slice(0, 200)} is neither a tar, gzip or zstd or none, nor a Dockerfile`);
  return { dockerfile: text.toString('utf8') };
}

async function readHead(
  chunks: AsyncIterator<Uint8Array>,
  wanted: number,
  begun: Buffer = Buffer.alloc(0),
): Promise<Buffer> {
  const gathered: Uint8Array[] = [begun];
  let size = begun.length;
  while (size < wanted) {
    const { value, done } = await chunks.next();
    if (done) break;
    gathered.push(value);
    size += value.length;
  }
  return Buffer.concat(gathered);
}

async function* withHead(head: Buffer, chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield head;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  } finally {
    await chunks.return?.();
  }
}
