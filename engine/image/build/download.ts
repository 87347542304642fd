/** What is fetched from a URL for a build: a file to ADD, or the context itself. Every answer is a stranger's. */

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Digest, isDigest } from '../digest.ts';
import { InvalidBuild } from './build-error.ts';
import type { Source } from './sources.ts';
import { StackTree } from './stack-tree.ts';

/** Milliseconds without an answer, or without the next byte of it. */
const PATIENCE = 300_000;
/** Docker gives nobody but root what it has downloaded. */
const MODE = 0o600;

export interface Answer {
  /** As the server names the file, in its header or in the path of the URL; empty when it does not. */
  name: string;
  /** As it was sent. */
  body: AsyncIterable<Uint8Array>;
}

/** Whether a source is to be fetched. Repositories, which need a program of their own, are not. */
export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/**
 * Ask for `url`. Redirects are followed, to http and https.
 * @throws InvalidBuild that says what the server answered, or why there is no answer; the reason of the abort
 */
export async function openUrl(url: string, signal: AbortSignal): Promise<Answer> {
  const { address, authorization } = withoutCredentials(url);
  const shown = address.href.slice(0, 200);
  const given = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(
      () => given.abort(new InvalidBuild(`${shown}: nothing came for ${PATIENCE / 1000} s`)),
      PATIENCE,
    );
  };
  const headers = { 'accept-encoding': 'identity', ...(authorization && { authorization }) };
  wait();
  let response: Response;
  try {
    response = await fetch(address, { signal: AbortSignal.any([signal, given.signal]), headers });
  } catch (error) {
    clearTimeout(timer);
    signal.throwIfAborted();
    throw explained(shown, error);
  }
  if (!response.ok) {
    clearTimeout(timer);
    await response.body?.cancel();
    throw new InvalidBuild(`${shown}: the server answers ${response.status} ${response.statusText}`.trim());
  }
  return { name: nameOf(address, response.headers.get('content-disposition')), body: read() };

  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of response.body ?? []) {
        wait();
        yield chunk as Uint8Array;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw explained(shown, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Download a file into `directory`, which is made.
 * @param checksum what its content has to be, if that is known.
 * @throws as `openUrl`, and InvalidBuild for other content
 */
export async function download(
  url: string,
  directory: string,
  { checksum, signal }: { checksum: Digest | undefined; signal: AbortSignal },
): Promise<Source> {
  const { name, body } = await openUrl(url, signal);
  await mkdir(directory, { mode: 0o755 });
  const file = 'downloaded';
  const hash = createHash('sha256');
  const hashed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline(hashed(), createWriteStream(join(directory, file), { mode: MODE }));
  const digest = `sha256:${hash.digest('hex')}`;
  if (checksum !== undefined && digest !== checksum)
    throw new InvalidBuild(`${url.slice(0, 200)} is ${digest}, and --checksum says ${checksum}`);
  return { tree: new StackTree([directory]), path: file, name };
}

/** @throws InvalidBuild for a malformed checksum */
export function checksumOf(text: string): Digest {
  if (!isDigest(text)) throw new InvalidBuild(`ADD --checksum=${text.slice(0, 80)} is not a digest: write sha256:HEX`);
  return text;
}

function withoutCredentials(url: string): { address: URL; authorization: string | undefined } {
  let address: URL;
  try {
    address = new URL(url);
  } catch {
    throw new InvalidBuild(`${url.slice(0, 200)} is not a URL`);
  }
  const { username, password } = address;
  const pair = [username, password].map(decodeURIComponent).join(':');
  address.username = '';
  address.password = '';
  return { address, authorization: username === '' ? undefined : `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** The last part of the path, as Docker has it, else what Content-Disposition says. RFC 6266. */
function nameOf({ pathname }: URL, disposition: string | null): string {
  let path = pathname;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    // It stays as it is.
  }
  const named = /;\s*filename=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition ?? '');
  const candidates = [path.endsWith('/') ? '' : posix.basename(path), posix.basename(named?.[1] ?? named?.[2] ?? '')];
  return candidates.find((name) => name !== '' && name !== '.' && name !== '..' && !name.includes('\0')) ?? '';
}

/** undici says `fetch failed`, and in its cause why. */
function explained(url: string, error: unknown): Error {
  if (error instanceof InvalidBuild) return error;
  const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
  return new InvalidBuild(`${url}: ${cause?.message || cause?.code || message}`, { cause: error });
}
