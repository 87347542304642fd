import type { ApiClient } from './api-client.ts';
import { ProgressSchema } from './api-types.ts';
import { CliError } from './errors.ts';
import { documents } from './ndjson.ts';
import { complain } from './output.ts';
import { registryAuth } from './registry/credentials.ts';

/** Have the daemon fetch an image; what it does is told on stderr, so that stdout stays the container's. */
export async function pullImage(
  client: ApiClient,
  image: string,
  options: { platform?: string; quiet?: boolean },
): Promise<void> {
  const { name, tag } = splitReference(image);
  const stream = await client.stream('POST', '/images/create', {
    query: { fromImage: name, tag, platform: options.platform },
    headers: await registryAuth(image),
  });
  let last = '';
  for await (const { document } of documents(stream)) {
    const { id, status, error } = ProgressSchema.parse(document);
    if (error !== undefined) throw new CliError(`Error response from daemon: ${error}`, 125);
    const line = id === undefined ? status : `${id}: ${status}`;
    // Progress repeats its status hundreds of times, with other numbers.
    if (!options.quiet && line !== undefined && line !== last) complain(line);
    last = line ?? last;
  }
}

/** A digest is the API's `tag` as well. */
function splitReference(image: string): { name: string; tag: string } {
  const at = image.indexOf('@');
  if (at !== -1) return { name: image.slice(0, at), tag: image.slice(at + 1) };
  const match = /^(.*):([^/:]+)$/.exec(image);
  return match === null ? { name: image, tag: 'latest' } : { name: match[1] ?? '', tag: match[2] ?? '' };
}
