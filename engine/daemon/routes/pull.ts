import { parsePlatform } from '../../image/build/build-image.ts';
import { isDigest } from '../../image/digest.ts';
import {
  familiarName,
  familiarReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../../image/reference.ts';
import type { Call } from '../call.ts';
import { JsonStream } from '../json-stream.ts';
import { pullLines } from '../pull-progress.ts';
import { registryAuth } from '../registry-auth.ts';

/** `POST /images/create?fromImage=…`: a pull. It ends when the client hangs up, unless another pull waits for the same. */
export async function pullRoute(call: Call): Promise<void> {
  const { engine, query, response, signal } = call;
  const reference = referenceOf(query.text('fromImage'), query.text('tag'));
  const platform = query.text('platform');
  const credentials = registryAuth(call);
  const progress = new JsonStream(response);
  await progress.during(async () => {
    const name = familiarReference(reference);
    const begin = once(() =>
      progress.write({ status: `Pulling from ${reference.path}`, id: reference.digest ?? reference.tag! }),
    );
    const lines = pullLines((line) => progress.write(line));
    const { digest, isUpToDate } = await engine.puller.pull({
      reference,
      credentials,
      ...(platform !== '' && { platform: parsePlatform(platform) }),
      signal,
      onEvent: (event) => {
        begin();
        lines(event);
      },
    });
    engine.events.emit('image', 'pull', name, { name: familiarName(reference) });
    progress.write({ status: `Digest: ${digest}` });
    progress.write({
      status: isUpToDate ? `Status: Image is up to date for ${name}` : `Status: Downloaded newer image for ${name}`,
    });
  });
}

/** A digest is the API's `tag` as well. */
function referenceOf(from: string, tag: string): Reference {
  const reference = parseReference(from);
  if (tag === '') return withDefaultTag(reference);
  const { domain, path } = reference;
  return isDigest(tag) ? { domain, path, digest: tag } : parseReference(`${domain}/${path}:${tag}`);
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
