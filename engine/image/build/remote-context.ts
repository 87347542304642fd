/** A context that the engine fetches itself: `remote` of POST /build. */

import { isUtf8 } from 'node:buffer';
import { compressionOf } from '../compression.ts';
import { peek } from '../head-stream.ts';
import { BLOCK_SIZE, beginsTar } from '../tar-header.ts';
import { InvalidBuild } from './build-error.ts';
import { isUrl, openUrl } from './download.ts';

/** Bytes of a Dockerfile. */
const TEXT_MAX = 1024 * 1024;

/** An archive, or the text of a Dockerfile that needs no files. */
export type RemoteContext = { archive: AsyncIterable<Uint8Array> } | { dockerfile: string };

/** @throws InvalidBuild for what is neither, and as `openUrl` */
export async function remoteContext(url: string, signal: AbortSignal): Promise<RemoteContext> {
  if (!isUrl(url) || /\.git(#.*)?$/.test(url))
    throw new InvalidBuild(
      `the build context ${url.slice(0, 200)} is not an http or https URL of a file: clone a repository, and build the directory`,
    );
  const { body } = await openUrl(url, signal);
  const { head, whole } = await peek(body, BLOCK_SIZE);
  if (compressionOf(head) !== 'none' || beginsTar(head)) return { archive: whole };
  const dockerfile = await textOf(whole);
  if (dockerfile === undefined)
    throw new InvalidBuild(`${url.slice(0, 200)} is neither a tar, compressed or not, nor a Dockerfile`);
  return { dockerfile };
}

/** @returns undefined when it is not a text, or more than a Dockerfile is. */
async function textOf(source: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > TEXT_MAX) return undefined;
  }
  const bytes = Buffer.concat(chunks);
  return isUtf8(bytes) && !bytes.includes(0) ? bytes.toString('utf8') : undefined;
}
