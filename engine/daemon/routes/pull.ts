import { parsePlatform } from '../../image/build/build-image.ts';
import { isDigest } from '../../image/digest.ts';
import type { Reference } from '../../image/reference.ts';
import { readName } from '../../registry/client/read-name.ts';
import { RegistryError } from '../../registry/client/registry-error.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { JsonStream } from '../json-stream.ts';
import { pullAndTell } from '../pull-progress.ts';
import { registryAuth } from '../registry-auth.ts';

/** `POST /images/create?fromImage=…`: a pull. It ends when the client hangs up, unless another pull waits for the same. */
export async function pullRoute(call: Call): Promise<void> {
  const { query, response, signal } = call;
  const reference = referenceOf(query.text('fromImage'), query.text('tag'));
  const credentials = registryAuth(call);
  const text = query.text('platform');
  const platform = text === '' ? undefined : parsePlatform(text);
  const progress = new JsonStream(response);
  const work = async () => {
    const isOne = reference.tag !== undefined || reference.digest !== undefined;
    // Without a tag, as Docker has it, all of them.
    const tags = isOne ? [] : await call.engine.puller.tags({ reference, credentials, signal });
    const references = isOne ? [reference] : tags.map((tag) => ({ ...reference, tag }));
    for (const each of references)
      await pullAndTell(call.engine, { reference: each, platform, credentials, signal }, (line) =>
        progress.write(line),
      );
  };
  await progress.during(() => work().catch(hideUnauthorized));
}

/** As Docker's daemon: to 401 the docker command would ask for a login, in a script without end. */
function hideUnauthorized(error: unknown): never {
  if (error instanceof RegistryError && error.kind === 'unauthorized') throw new ApiError(404, error.message);
  throw error;
}

/** A digest is the API's `tag` as well. */
function referenceOf(from: string, tag: string): Reference {
  const reference = readName(from);
  if (tag === '') return reference;
  const { domain, path } = reference;
  return isDigest(tag) ? { domain, path, digest: tag } : readName(`${domain}/${path}:${tag}`);
}
