import type { Writable } from 'node:stream';
import type { ApiClient } from './api-client.ts';
import { registryAuth } from './registry/credentials.ts';
import { followProgress } from './registry/progress.ts';

interface PullOptions {
  platform?: string;
  quiet?: boolean;
  /** Every tag of the repository that `image` names. */
  allTags?: boolean;
  /** Where is told what happens: stderr unless given, so that stdout stays the container's. */
  out?: Writable;
  /** When it fails; 125, a container's, unless given. */
  exitCode?: number;
}

/** Have the daemon fetch an image. @throws CliError */
export async function pullImage(
  client: ApiClient,
  image: string,
  { platform, quiet, allTags, out = process.stderr, exitCode = 125 }: PullOptions,
): Promise<void> {
  const { name, tag } = allTags ? { name: image, tag: undefined } : splitReference(image);
  const stream = await client.stream('POST', '/images/create', {
    query: { fromImage: name, tag, platform },
    headers: await registryAuth(image),
  });
  await followProgress(stream, quiet ? undefined : out, exitCode);
}

/** A digest is the API's `tag` as well. */
export function splitReference(image: string): { name: string; tag: string } {
  const at = image.indexOf('@');
  if (at !== -1) return { name: image.slice(0, at), tag: image.slice(at + 1) };
  const match = /^(.*):([^/:]+)$/.exec(image);
  return match === null ? { name: image, tag: 'latest' } : { name: match[1] ?? '', tag: match[2] ?? '' };
}
